"""`onecard bench people`: 300,000 cardholders from one file, with documents, staff numbers, departments and accounts, measured.

The yardstick is a plain COPY of the same holders into a table without index or rule, on the same server in one run: loading is
the bulk work of one client, and pgbench measures the commits of many.
"""

import contextlib
import csv
import io
import json as jsonlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer

if TYPE_CHECKING:
    from onecard.services.people.api import Job

_SCRATCH = "onecard_bench_people"
_FULL, _QUICK = 300_000, 30_000
_HEAD = ("姓名", "证件类型", "证件号码", "学号", "部门", "性别", "手机")
_FACULTIES, _CLASSES = 20, 30
_FIRST_DAY, _DAYS = date(1970, 1, 1), 13_000


def run(
    *,
    json: bool = False,
    quick: bool = False,
    xlsx: Annotated[bool, typer.Option("--xlsx", help="另测 XLSX a workbook of the same rows too")] = False,
) -> None:
    """Load in a database of its own, dropped afterwards; durable as the server is."""
    from onecard.datacenter import dj, dsn, prepared
    from onecard.datacenter.scratch import scratch_database

    prepared.start()
    dj.setup()
    rows = _QUICK if quick else _FULL
    results = []
    with (
        scratch_database(dsn.owner_dsn(), _SCRATCH) as (owner_dsn, app_dsn),
        tempfile.TemporaryDirectory(prefix="onecard-bench-") as folder,
        dj.connected_as(app_dsn),
    ):
        for number, kind in enumerate(("csv", "xlsx") if xlsx else ("csv",)):
            path = Path(folder) / f"people.{kind}"
            _say(f"{path.name}: {rows:,} …")
            _write_csv(path, rows) if kind == "csv" else _write_xlsx(path, rows)
            _reset_peak()
            results.append(_measure(path, number, rows))
        baseline = _plain_copy_rate(owner_dsn)
    for result in results:
        result |= {"baseline": round(baseline), "ratio": round(float(str(result["rate"])) / baseline, 3)}
        _print(result)
    if json:
        sys.stdout.write(jsonlib.dumps(results[0] | {"all": results}, ensure_ascii=False) + "\n")


def _measure(path: Path, number: int, rows: int) -> dict[str, object]:
    from onecard.services.actors import Actor
    from onecard.services.people import api

    operator_id, unit_id, card_type_id = _tree(number)
    options = api.LoadOptions(operator_id=operator_id, unit_id=unit_id, make_departments=True, card_type_id=card_type_id)
    job = api.create_job(options, actor=Actor.system("bench"), file_name=path.name)
    entered: dict[str, float] = {}

    def note(at: "Job") -> None:
        entered.setdefault(at.state, time.perf_counter())

    started = time.perf_counter()
    done = api.run_load(job.id, path, note)
    ended = time.perf_counter()
    assert (done.state, done.holder_count, done.account_count) == ("done", rows, rows), done.failure
    written = entered["opening"] - started
    return {
        "name": f"people-{path.suffix[1:]}",
        "rows": rows,
        "rate": round(rows / written),
        "read_s": round(entered["checking"] - entered["reading"], 2),
        "check_s": round(entered["writing"] - entered["checking"], 2),
        "write_s": round(entered["opening"] - entered["writing"], 2),
        "holders_s": round(written, 2),
        "accounts_s": round(ended - entered["opening"], 2),
        "total_s": round(ended - started, 2),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "peak_rss_mb": round(_peak_kb() / 1024),
    }


def _tree(number: int) -> tuple[int, int, int]:
    from django.db import connection

    from onecard.services.operators import api

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM operators_operator WHERE parent_id IS NULL")
        row = cursor.fetchone()
    root = row[0] if row else api.create_operator("0", "根", parent_id=None, holder_cap=10).pk
    operator = api.create_operator(f"B{number}", "测量", parent_id=root, holder_cap=2 * _FULL).pk
    unit = api.create_unit(operator, "U", name="大学", purse_order=api.PurseOrder.PRIVATE).pk
    now = datetime.now(UTC)
    api.open_unit(unit, valid_from=now, valid_until=now + timedelta(days=1))
    card_type = api.create_card_type(f"B{number}", "学生卡").pk
    api.allow_card_type(operator, card_type)
    return operator, unit, card_type


def _people(rows: int) -> Iterator[tuple[str, ...]]:
    from onecard.services.people.identity import check_character

    for n in range(rows):
        born = _FIRST_DAY + timedelta(days=n % _DAYS)
        first17 = f"110105{born:%Y%m%d}{n // _DAYS:03d}"
        place = f"学院{n % _FACULTIES}/班级{n % (_FACULTIES * _CLASSES)}"
        number = first17 + check_character(first17)
        yield f"学生{n}", "居民身份证", number, f"2026{n:07d}", place, "男" if n % 2 else "女", f"139{n:08d}"


def _write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="gb18030", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEAD)
        writer.writerows(_people(rows))


def _write_xlsx(path: Path, rows: int) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("people")
    sheet.append(_HEAD)
    for row in _people(rows):
        sheet.append(row)
    book.save(path)


def _plain_copy_rate(owner_dsn: str) -> float:
    """Rows a second of COPY alone: the holders that were just loaded, as text from memory, into a bare table."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        out = io.BytesIO()
        with connection.cursor().copy("COPY people_holder TO STDOUT") as source:
            for block in source:
                out.write(block)
        connection.execute("CREATE TABLE plain_copy (LIKE people_holder)")
        started = time.perf_counter()
        with connection.cursor().copy("COPY plain_copy FROM STDIN") as target:
            target.write(out.getvalue())
        seconds = time.perf_counter() - started
        row = connection.execute("SELECT count(*) FROM plain_copy").fetchone()
        assert row is not None
        return float(row[0]) / seconds


def _print(result: dict[str, object]) -> None:
    lines = (
        f"{result['name']}: {result['rows']:,} 行 rows, {result['file_mb']} MB",
        f"  读取 read {result['read_s']} s   核对 check {result['check_s']} s   写入 write {result['write_s']} s"
        f"   持卡人 holders {result['holders_s']} s: {result['rate']:,}/s",
        f"  开户 accounts with QR cards {result['accounts_s']} s   合计 total {result['total_s']} s"
        f"   内存 peak memory {result['peak_rss_mb']} MB",
        f"  基准 plain COPY of the same holders, no index, no rule: {result['baseline']:,}/s; {result['ratio']} x",
    )
    sys.stdout.write("\n".join(lines) + "\n")


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_kb() -> int:
    """The peak since `_reset_peak`, else since the start."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
