"""The embedded server's life: started by whoever comes first, alive after `kill -9` of anything.

Most tests share one server, which each finds or starts; making a data folder is the dear part.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from onecard.datacenter import binaries
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.datacenter.postmaster import read_pid_file
from onecard.datacenter.roles import APPLICATION, OWNER
from onecard.datacenter.server_user import server_user
from onecard.kernel.errors import Unavailable

AS_ROOT = os.geteuid() == 0
pytestmark = pytest.mark.skipif("ONECARD_TEST_DATABASE" in os.environ, reason="the tests run on a server of the distribution")


@pytest.fixture
def server(durable_server: EmbeddedServer) -> EmbeddedServer:
    """The shared server, running, with nothing written down."""
    durable_server.start()
    with psycopg.connect(durable_server.dsn(user=OWNER)) as connection:
        connection.execute("DROP TABLE IF EXISTS note")
    return durable_server


def pid_of(server: EmbeddedServer) -> int:
    found = read_pid_file(server.home.pg_data)
    assert found is not None
    assert found.is_alive
    return found.pid


def write_down(server: EmbeddedServer, text: str) -> None:
    with psycopg.connect(server.dsn(user=OWNER)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", (text,))


def read_back(server: EmbeddedServer) -> list[str]:
    with psycopg.connect(server.dsn(user=OWNER)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY text")]


def run_python(program: str, home: Home) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", program]
    environment = {**os.environ, "ONECARD_HOME": str(home.path)}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


START = """
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
print(EmbeddedServer(Home.from_environment()).start())
"""


@contextmanager
def process_of_the_servers_user(server: EmbeddedServer) -> Iterator[int]:
    """The number of a living process that is no PostgreSQL, of the user whose pid PostgreSQL would believe in."""
    user = server_user(server.home.pg_data)
    switch = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.switch else {}
    sleeper = subprocess.Popen(["/bin/sleep", "300"], cwd="/", **switch)  # type: ignore[call-overload]
    try:
        yield sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()


def test_server_is_durable_and_reached_by_a_private_socket_only(server: EmbeddedServer) -> None:
    with psycopg.connect(server.admin_dsn()) as connection:
        names = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "data_checksums", "server_encoding")
        values = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]  # type: ignore[arg-type, index]
    assert values == ["on", "on", "on", "", "on", "UTF8"]
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.home.pg_data.stat().st_mode) == 0o700


def test_roles_connect_without_a_password_and_each_as_itself(server: EmbeddedServer) -> None:
    for role in (OWNER, APPLICATION):
        with psycopg.connect(server.dsn(user=role)) as connection:
            query = "SELECT current_user::text, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
            assert connection.execute(query).fetchone() == (role, False, False)


@pytest.mark.skipif(not AS_ROOT, reason="only root can act as another user")
def test_another_user_of_the_machine_gets_no_connection(server: EmbeddedServer) -> None:
    server.socket_dir.chmod(0o755)  # even so: the server asks the kernel who is calling
    socket = server.socket_dir / ".s.PGSQL.5432"
    socket.chmod(0o777)
    program = private_psql(server)
    words = [program, "-X", "-h", str(server.socket_dir), "-U", OWNER, "-d", "onecard", "-c", "SELECT 1"]
    done = subprocess.run(
        words, user="daemon", group="daemon", extra_groups=[], cwd="/", capture_output=True, text=True, check=False
    )
    server.socket_dir.chmod(0o700)
    assert done.returncode == 2
    assert "Peer authentication failed" in done.stderr


def private_psql(server: EmbeddedServer) -> str:
    return str(binaries.private_copy(server.home) / "psql")


@pytest.mark.skipif(not AS_ROOT, reason="as an ordinary user the server runs as that user")
def test_as_root_the_server_runs_as_somebody_else(server: EmbeddedServer) -> None:
    uid = Path(f"/proc/{pid_of(server)}").stat().st_uid
    assert uid != 0
    assert uid == server.home.pg_data.stat().st_uid
    assert server.home.secrets_dir.stat().st_uid == 0


def test_starting_stopping_and_telling(new_home: Callable[[], Home]) -> None:
    server = EmbeddedServer(new_home())
    assert (server.status().is_running, server.stop()) == (False, False)
    assert server.start() is True
    assert server.start() is False
    status = server.status()
    assert (status.is_running, status.pid) == (True, pid_of(server))
    assert status.version == binaries.version()
    write_down(server, "kept")
    assert server.stop() is True
    assert (server.status().is_running, server.stop()) == (False, False)
    server.start()
    assert read_back(server) == ["kept"]


def test_server_outlives_the_process_that_started_it(new_home: Callable[[], Home]) -> None:
    home = new_home()
    said, wrong = run_python(START + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", home).communicate()
    assert wrong == ""
    assert EmbeddedServer(home).status().is_running
    said, _ = run_python(START, home).communicate()
    assert said == "False\n"


def test_of_many_starters_one_starts_and_all_find_it(new_home: Callable[[], Home]) -> None:
    home = new_home()
    starters = [run_python(START, home) for _ in range(6)]
    answers = [starter.communicate() for starter in starters]
    assert sorted(said for said, _ in answers) == ["False\n"] * 5 + ["True\n"], answers
    assert EmbeddedServer(home).status().is_running


def test_what_was_committed_is_there_after_kill_9_of_the_server(server: EmbeddedServer) -> None:
    for number in range(3):
        write_down(server, f"commit {number}")
        os.kill(pid_of(server), signal.SIGKILL)
        assert server.start() is True  # at once, while what the old server left is still dying
    assert read_back(server) == ["commit 0", "commit 1", "commit 2"]


def test_kill_9_of_a_backend_ends_in_recovery_not_in_loss(server: EmbeddedServer) -> None:
    write_down(server, "kept")
    with psycopg.connect(server.dsn(user=OWNER)) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert server.start() is False
    assert read_back(server) == ["kept"]


@pytest.mark.parametrize("content", ["", "\n", "not a number\n", "999999\n/nowhere\n", "0\n", "-1\n"])
def test_a_stale_pid_file_is_no_obstacle(server: EmbeddedServer, content: str) -> None:
    server.stop(immediate=True)
    pid_file = server.home.pg_data / "postmaster.pid"
    pid_file.write_text(content)
    shutil.chown(pid_file, server.home.pg_data.stat().st_uid) if AS_ROOT else None
    assert not server.status().is_running
    assert server.start() is True


def test_a_pid_that_is_another_process_now_is_no_obstacle_and_unharmed(server: EmbeddedServer) -> None:
    content = (server.home.pg_data / "postmaster.pid").read_text()
    server.stop(immediate=True)
    with process_of_the_servers_user(server) as pid:
        (server.home.pg_data / "postmaster.pid").write_text(content.replace(content.split("\n")[0], str(pid), 1))
        assert (server.status().is_running, server.stop()) == (False, False)
        assert server.start() is True
        assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n"


def test_a_half_made_data_folder_is_made_anew(new_home: Callable[[], Home]) -> None:
    home = new_home()
    home.prepare()
    (home.path / "pgdata.new").mkdir()
    (home.path / "pgdata.new" / "PG_VERSION").write_text("18\n")
    assert EmbeddedServer(home).start() is True
    assert not (home.path / "pgdata.new").exists()


@pytest.mark.parametrize("found", ["15", "19"])
def test_a_data_folder_of_another_major_version_is_refused_untouched(new_home: Callable[[], Home], found: str) -> None:
    home = new_home()
    home.prepare()
    home.pg_data.mkdir()
    (home.pg_data / "PG_VERSION").write_text(f"{found}\n")
    with pytest.raises(Unavailable) as refused:
        EmbeddedServer(home).start()
    assert str(home.pg_data) in refused.value.en
    assert f"is PostgreSQL {found}'s" in refused.value.en
    assert f"属于 PostgreSQL {found}" in refused.value.zh
    assert [file.name for file in home.pg_data.iterdir()] == ["PG_VERSION"]


def test_a_data_folder_of_no_version_is_refused(new_home: Callable[[], Home]) -> None:
    home = new_home()
    home.prepare()
    home.pg_data.mkdir()
    (home.pg_data / "PG_VERSION").write_text("what\n")
    with pytest.raises(Unavailable, match="which is no version"):
        EmbeddedServer(home).start()


def test_what_postgresql_says_of_a_failed_start_is_told(new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onecard.datacenter.embedded._START_ATTEMPTS", 1)
    server = EmbeddedServer(new_home(), overrides={"shared_buffers": "nonsense"})
    with pytest.raises(Unavailable, match=r'invalid value for parameter "shared_buffers"'):
        server.start()


def test_a_home_too_deep_for_a_socket_works_all_the_same(new_home: Callable[[], Home]) -> None:
    above = new_home().path
    above.chmod(0o711)
    deep = above / ("deep-" * 18)
    home = Home(deep)
    server = EmbeddedServer(home)
    try:
        server.start()
        write_down(server, "kept")
        assert read_back(server) == ["kept"]
        assert not str(server.socket_dir).startswith(str(deep))
    finally:
        server.stop(immediate=True)
        shutil.rmtree(home.run_dir)


@pytest.mark.skipif(not AS_ROOT, reason="as an ordinary user the server runs as that user")
def test_a_home_below_a_closed_folder_is_refused_and_the_folder_stays_closed() -> None:
    with tempfile.TemporaryDirectory() as closed:  # 0700
        with pytest.raises(Unavailable, match=f"may not pass {closed}"):
            EmbeddedServer(Home(Path(closed) / "home")).start()
        assert stat.S_IMODE(Path(closed).stat().st_mode) == 0o700
