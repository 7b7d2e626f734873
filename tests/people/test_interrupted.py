"""A load that is killed with SIGKILL at any moment has loaded nobody, or everybody it will once it goes on."""

import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from onecard.kernel.errors import InvalidInput
from onecard.ledger import audit
from onecard.services.operators import api as operators
from onecard.services.people import api as people
from onecard.services.people.loads import jobs
from onecard.services.people.loads.jobs import spool_file
from onecard.services.people.models import Holder, LoadJob
from onecard.services.people.tasks import load_people
from tests.people.conftest import ACTOR
from tests.services.conftest import Tree
from tests.support.postgres import TestDatabase

ROWS = 2_000
WAIT_S = 60.0


@pytest.fixture
def file(csv_file: Callable[..., Path]) -> Path:
    return csv_file(("姓名", "学号"), *((f"人{n}", f"N{n}") for n in range(ROWS)))


@pytest.fixture
def card_type(tree: Tree) -> str:
    operators.update_operator(tree.unified, holder_cap=ROWS)
    made = operators.create_card_type("STU", "学生卡")
    operators.allow_card_type(tree.unified, made.pk)
    return made.code


def command(database: TestDatabase, *words: str) -> "subprocess.Popen[str]":
    program = "from onecard.cli.main import main; main()"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([sys.executable, "-c", program, "people", *words], env=database.environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


# Clients of this test's own database: a lock that autovacuum or another database waits for is nobody's here.
_OURS = "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()" + (
    " AND a.backend_type = 'client backend'"
)
_WAITING = f"SELECT pid {_OURS} LIMIT 1"
_END = f"SELECT pg_terminate_backend(pid) {_OURS}"


@contextmanager
def blocked(database: TestDatabase, lock: str) -> Iterator[Callable[["subprocess.Popen[str]"], None]]:
    """Holds a lock; what it lends waits until somebody stands at it, and kills the process."""
    with psycopg.connect(database.owner_dsn) as holder, psycopg.connect(database.admin_dsn, autocommit=True) as watch:
        holder.execute(lock)  # type: ignore[call-overload]

        def until(waiting: bool, process: "subprocess.Popen[str]") -> None:
            deadline = time.monotonic() + WAIT_S
            while (watch.execute(_WAITING).fetchone() is not None) != waiting:
                assert not waiting or process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline, "nobody came to the lock" if waiting else "somebody stays at it"
                time.sleep(0.02)

        def kill(process: "subprocess.Popen[str]") -> None:
            until(True, process)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            watch.execute(_END)  # a server notices that its client died when it next writes to it: have it notice now
            until(False, process)

        yield kill
        holder.rollback()


@pytest.mark.parametrize(
    "lock",
    [
        "LOCK TABLE people_load_row IN ACCESS EXCLUSIVE MODE",  # reading
        "SELECT FROM operators_operator WHERE code = 'U' FOR NO KEY UPDATE",  # before the writing
        "LOCK TABLE ledger.anonymous_holder IN ACCESS EXCLUSIVE MODE",  # in the middle of it
    ],
)
def test_killed_before_the_holders_are_in_nobody_is(
    tree: Tree, file: Path, card_type: str, lock: str, django_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("load", str(file), "--operator", "U", "--unit", "SCHOOL", "--card-type", card_type)
    with blocked(django_database, lock) as kill:
        kill(command(django_database, *words))
    assert not Holder.objects.exists()
    monkeypatch.setattr(jobs, "_LEFT_ALONE", jobs.timedelta(0))
    assert people.resume_loads() == 0
    (left,) = people.recent_jobs(actor=ACTOR)
    assert (left.state, left.holder_count) == ("failed", 0)
    again = command(django_database, *words)
    said, _ = again.communicate(timeout=WAIT_S)
    assert again.returncode == 0, said
    assert "loaded 2,000" in said and Holder.objects.count() == ROWS


def test_killed_among_the_accounts_it_goes_on_with_those_that_are_missing(
    tree: Tree, file: Path, card_type: str, django_database: TestDatabase
) -> None:
    words = ("load", str(file), "--operator", "U", "--unit", "SCHOOL", "--card-type", card_type, "--private-yuan", "1.50")
    with blocked(django_database, "SELECT FROM ledger.lane WHERE lane = 2 FOR UPDATE") as kill:
        kill(command(django_database, *words))
    with psycopg.connect(django_database.owner_dsn, autocommit=True) as connection:
        opened = connection.execute("SELECT count(*) FROM ledger.account").fetchone()[0]  # type: ignore[index]
        assert Holder.objects.count() == ROWS and 0 < opened < ROWS
        said, _ = command(django_database, "resume").communicate(timeout=WAIT_S)
        (job,) = people.recent_jobs(actor=ACTOR)
        assert (job.state, job.holder_count, job.account_count) == ("done", ROWS, ROWS), said
        sums = connection.execute("SELECT count(*), sum(balance_fen) FROM ledger.purse WHERE unit_id > 0").fetchone()
        assert sums == (ROWS, ROWS * 150)
        report = audit.run(connection, full=True)
        assert report.ok, report.first_failure


def test_a_load_in_the_background_keeps_its_file_until_it_ends(tree: Tree, django_database: TestDatabase) -> None:
    stream = io.BytesIO("姓名,学号\n张三,S1\n李四,S1\n".encode("gb18030"))
    options = people.LoadOptions(operator_id=tree.unified, unit_id=tree.unit, mode="good")
    job = people.start_load(stream, options, actor=ACTOR, file_name="../../etc/名单.csv")
    assert (job.state, job.file_name) == ("queued", "名单.csv")
    kept = spool_file(job.id)
    assert kept.exists() and kept.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(django_database.owner_dsn) as connection:
        row = connection.execute("SELECT task_name, args FROM procrastinate_jobs").fetchone()
    assert row == ("load_people", {"job_id": job.id})
    assert people.resume_loads() == 0  # it is young
    load_people(job_id=job.id)
    done = people.job_progress(job.id, actor=ACTOR)
    assert (done.state, done.holder_count, done.bad_count) == ("done", 1, 1)
    assert not kept.exists()
    load_people(job_id=job.id)
    assert Holder.objects.count() == 1


def test_a_background_load_whose_worker_died_is_queued_again(
    tree: Tree, django_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = people.LoadOptions(operator_id=tree.unified, unit_id=tree.unit)
    job = people.start_load(io.BytesIO("姓名\n张三\n".encode()), options, actor=ACTOR)
    LoadJob.objects.filter(pk=job.id).update(state="writing")
    monkeypatch.setattr(jobs, "_LEFT_ALONE", jobs.timedelta(0))
    assert people.resume_loads() == 0  # it is in the queue still
    with psycopg.connect(django_database.owner_dsn, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    assert people.resume_loads() == 1
    load_people(job_id=job.id)
    assert people.job_progress(job.id, actor=ACTOR).state == "done"


def test_a_file_that_is_no_table_closes_the_load_with_the_reason(tree: Tree) -> None:
    options = people.LoadOptions(operator_id=tree.unified)
    job = people.start_load(io.BytesIO(b"\xff\xff"), options, actor=ACTOR)
    with pytest.raises(InvalidInput):
        people.run_load(job.id)
    failed = people.job_progress(job.id, actor=ACTOR)
    assert failed.state == "failed" and failed.failure is not None and "GB18030" in failed.failure.zh
    assert not spool_file(job.id).exists()
