"""`onecard replay` from the file to the verdict: stage, lay out, send through the gateway, cut the day, clear, settle, compare.

Where no city runs in the home, the application server and the gateway run for as long as it takes, as children of this process.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from onecard.city import roles
from onecard.city.lock import AlreadyRunning, HomeLock
from onecard.city.ports import Ports, accepts, free_ports, saved_ports
from onecard.city.replay import report as reports
from onecard.city.replay.layout import lay_out
from onecard.city.replay.send import CompanyLine, Sending, Sent
from onecard.city.replay.show import show_report, show_sent, show_staged
from onecard.city.replay.source import TapFile
from onecard.city.replay.staging import Staged, stage
from onecard.city.schema import Connection, ensure_tables
from onecard.city.supervisor import Supervisor
from onecard.datacenter import dj, dsn
from onecard.datacenter.home import Home
from onecard.kernel.errors import Unavailable
from onecard.services.settlement import api as settlement

_SETTLER_PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Options:
    """What `onecard replay` was asked for."""

    source: Path
    expected: dict[str, Any] | None = None
    chunk: int = 500
    seed: int = 1
    rejects: Path | None = None


def replay(home: Home, options: Options, console: Console) -> bool:
    """Replay a file; whether every figure agrees. Raises InvalidInput for a damaged file, Unavailable when a tier is."""
    owner = dsn.owner_dsn(home)
    with psycopg.connect(owner, autocommit=True) as connection, dj.connected_as(owner):
        ensure_tables(connection)
        staged = _stage(connection, home, options, console)
        with _only_replay(connection):
            before = _posted(connection)
            with console.status("") as status:
                lines = lay_out(home, staged.file_id, progress=lambda text: status.update(f"准备 preparing: {text}"))
            sent = _send_all(home, owner, options, staged, lines, console=console)
            show_sent(console, sent, posted=_posted(connection) - before, is_known=staged.is_known)
            run = _settle(console)
            found = reports.read_report(connection, staged.file_id)
    problems = [*reports.inner_differences(found)]
    if sent.doubled_differently:
        problems.append(f"重复上送应答不一致 second answers that differ: {sent.doubled_differently}")
    if run.state != settlement.RunState.BALANCED:
        problems.append(f"结算批次不平 run {run.pk} is {run.state}: {run.failure}")
    problems += reports.completeness(found, staged.rows)
    if options.expected is not None:
        problems += reports.differences(found, options.expected)
    show_report(console, found, problems, compared=options.expected is not None)
    return not problems


def _stage(connection: Connection, home: Home, options: Options, console: Console) -> Staged:
    source = TapFile(options.source)
    columns = (TextColumn("读取 reading"), BarColumn(), TimeElapsedColumn())
    rejects = options.rejects or home.spool / f"{options.source.name}.rejects.csv"
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=source.size_bytes)
        staged = stage(connection, source, rejects_path=rejects, progress=lambda position: bar.update(task, completed=position))
    show_staged(console, staged)
    return staged


def _send_all(home: Home, owner: str, options: Options, staged: Staged, lines: list[CompanyLine], *, console: Console) -> Sent:
    columns = (TextColumn("上送 sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with _servers(home, console) as (ports, supervisor), Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=staged.rows)
        sending = Sending(
            dsn=owner, file_id=staged.file_id, host="127.0.0.1", port=ports.native, chunk=options.chunk, seed=options.seed,
            progress=lambda count: bar.advance(task, count),
        )  # fmt: skip
        return asyncio.run(_send_watched(sending, lines, supervisor))


async def _send_watched(sending: Sending, lines: list[CompanyLine], supervisor: Supervisor | None) -> Sent:
    async def tend() -> None:
        while supervisor is not None:
            supervisor.tend()
            await asyncio.sleep(0.3)

    watching = asyncio.create_task(tend())
    try:
        return await sending.run(lines)
    except ExceptionGroup as group:
        raise _first(group) from group
    finally:
        watching.cancel()


@contextmanager
def _servers(home: Home, console: Console) -> Iterator[tuple[Ports, Supervisor | None]]:
    """The city that runs in this home, or an application server and a gateway of our own."""
    lock = HomeLock(home.path / "up.lock")
    try:
        lock.acquire()
    except AlreadyRunning:
        ports = saved_ports(home.run_dir / "up.json")
        if ports is None or not accepts(ports.native):
            raise Unavailable("本目录的城市正在启动或停止，请稍后再试", "the city of this home is starting or stopping") from None
        console.print(f"使用运行中的城市 using the running city (native port {ports.native})")
        yield ports, None
        return
    ports = free_ports()
    supervisor = Supervisor(log_dir=home.log_dir)
    try:
        with console.status("启动应用服务器与网关 starting application server and gateway …"):
            supervisor.start(roles.app_role(home))
            supervisor.start(roles.gateway_role(home, ports))
        yield ports, supervisor
    finally:
        supervisor.stop(order=roles.STOP_ORDER)
        lock.release()


@contextmanager
def _only_replay(connection: Connection) -> Iterator[None]:
    """One replay at a time: the figures of two could not be told apart in one settlement run."""
    row = connection.execute("SELECT pg_try_advisory_lock(hashtext('city replay'))").fetchone()
    if row != (True,):
        raise Unavailable("另一个 replay 正在进行", "another replay is under way")
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtext('city replay'))")


def _settle(console: Console) -> settlement.SettlementRun:
    """Cut the day and carry the run through; the worker of a running city may be settling too, so try again while it does."""
    with console.status("日切、清分、结算 cutting the day, clearing, settling …"):
        run = settlement.day_cut()
        deadline = time.monotonic() + _SETTLER_PATIENCE_S
        while True:
            try:
                return settlement.run_settlement(run.pk)
            except settlement.RunBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)


def _posted(connection: Connection) -> int:
    """How many records of replayed terminals have been posted, ever."""
    row = connection.execute(
        "SELECT count(*) FROM city.replay_terminal t JOIN ledger.posting_key k USING (terminal_id)"
        " WHERE k.phase = 0 AND k.code = 0"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
