"""A small town in a real database, and an application server on it that tests reach over its unix socket."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import grpc
import psycopg
import pytest

from onecard.appserver.worker import WorkerLimits
from onecard.kernel.clock import SystemClock, to_epoch_us
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.protocol.proto import app_pb2, app_pb2_grpc, records_pb2
from tests.support.postgres import TestDatabase

if TYPE_CHECKING:  # what imports Django models waits until pytest-django has set it up
    from onecard.appserver.server import AppServer, Tls

OPENING_FEN = 10_000
CARDS = 40
LANES = (0, 1)
T = TypeVar("T")
_sequences = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Town:
    """One operator with a public merchant and a unit with its own; a terminal and a line for each."""

    database: TestDatabase
    operator: int
    unit: int
    public_merchant: int
    unit_merchant: int
    terminal: int
    line: int
    unit_terminal: int
    unit_line: int
    cards: tuple[int, ...]

    def execute(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """One statement as the owner."""
        with psycopg.connect(self.database.owner_dsn, autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def is_blocked(self) -> bool:
        """Whether somebody waits for a lock."""
        return self.execute("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1") != []

    def end_backends(self, application_name: str) -> int:
        """Ends connections as an administrator would, and returns how many there were."""
        with psycopg.connect(self.database.admin_dsn, autocommit=True) as connection:
            cursor = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND datname = %s",
                (application_name, self.database.name),
            )
            return len(cursor.fetchall())


@pytest.fixture
def town(django_database: TestDatabase) -> Iterator[Town]:
    from onecard.services.devices.models import Line, LineKind, Terminal
    from onecard.services.operators.models import CardType, Merchant, Operator, Unit, UnitState

    now = datetime.now(UTC)
    operator = Operator.objects.create(code="ROOT", name="市民卡公司", holder_cap=1000)
    unit = Unit.objects.create(
        operator=operator, code="U1", name="一中", state=UnitState.ACTIVE, valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=1), purse_order=3,
    )  # fmt: skip
    public = Merchant.objects.create(operator=operator, name="公交", public=True)
    private = Merchant.objects.create(operator=operator, unit=unit, name="食堂")
    line = Line.objects.create(operator=operator, kind=LineKind.TERMINAL, name="公交一号", certificate_sha256=b"\1" * 32)
    unit_line = Line.objects.create(unit=unit, kind=LineKind.FRONT_END, name="一中前置机", certificate_sha256=b"\2" * 32)
    terminal = Terminal.objects.create(tid="BUS00001", merchant=public, line=line)
    unit_terminal = Terminal.objects.create(tid="EAT00001", merchant=private, line=unit_line)
    card_type = CardType.objects.create(code="STD", name="普通卡")
    rows = [
        AccountRow(
            build_account_no(lane=LANES[serial % len(LANES)], serial=serial),
            build_card_no(issuer=6212, lane=LANES[serial % len(LANES)], serial=serial),
            operator.pk, card_type.pk, unit_id=unit.pk, public_fen=OPENING_FEN, private_unit=unit.pk, private_fen=500,
        )
        for serial in range(1, CARDS + 1)
    ]  # fmt: skip
    with psycopg.connect(django_database.owner_dsn, autocommit=True) as connection:
        open_accounts(connection, rows)
    yield Town(
        database=django_database,
        operator=operator.pk,
        unit=unit.pk,
        public_merchant=public.pk,
        unit_merchant=private.pk,
        terminal=terminal.pk,
        line=line.pk,
        unit_terminal=unit_terminal.pk,
        unit_line=unit_line.pk,
        cards=tuple(row.card_no for row in rows),
    )


async def in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Calls Django beside the event loop, on a connection of its own that ends with it."""
    from django.db import connections

    def run() -> T:
        try:
            return work(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


async def until(condition: Callable[[], bool], *, within_s: float = 10) -> None:
    """Waits for a condition; fails after `within_s`."""
    begin = monotonic()
    while not condition():
        assert monotonic() - begin < within_s, f"not within {within_s} s"
        await asyncio.sleep(0.01)


class Client:
    """Posts records as a gateway would."""

    def __init__(self, town: Town, server: "AppServer", stub: app_pb2_grpc.ApplicationStub) -> None:
        self.town = town
        self.server = server
        self.stub = stub

    def record(self, card_no: int, **changes: int) -> dict[str, int]:
        """An ordinary purchase at the public terminal under a new sequence number."""
        return {
            "op": 1,
            "terminal_id": self.town.terminal,
            "terminal_seq": next(_sequences),
            "card_no": card_no,
            "amount_fen": 100,
            "occurred_at_us": to_epoch_us(SystemClock().now()),
            **changes,
        }

    async def post(self, *records: dict[str, int], line_id: int | None = None) -> records_pb2.Answers:
        lines = {self.town.terminal: self.town.line, self.town.unit_terminal: self.town.unit_line}
        batch = app_pb2.PostBatch(gateway="test")
        columns = batch.records
        for record in records:
            columns.op.append(record["op"])
            columns.terminal_id.append(record["terminal_id"])
            columns.terminal_seq.append(record["terminal_seq"])
            columns.card_no.append(record["card_no"])
            columns.amount_fen.append(record["amount_fen"])
            columns.occurred_at_us.append(record["occurred_at_us"])
            columns.orig_terminal_id.append(record.get("orig_terminal_id", 0))
            columns.orig_seq.append(record.get("orig_seq", 0))
            batch.line_id.append(lines.get(record["terminal_id"], 0) if line_id is None else line_id)
        reply: app_pb2.PostReply = await self.stub.Post(batch, timeout=20)
        return reply.answers

    async def codes(self, *records: dict[str, int]) -> list[int]:
        return list((await self.post(*records)).code)


StartApp = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start_app(town: Town) -> AsyncIterator[StartApp]:
    """Starts application servers on the town; they are stopped at the end of the test."""
    from onecard.appserver.server import AppServer, AppSettings

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))

        async def start(
            *, queue_rows: int = 1000, deadline_s: float = 10, batch_rows: int = 1000, listen: str = "", tls: "Tls | None" = None
        ) -> Client:
            listen = listen or f"unix:{folder / 'app.sock'}"
            settings = AppSettings(
                listen=listen,
                dsn=town.database.app_dsn,
                name="test",
                tls=tls,
                metrics_port=0,
                queue_rows=queue_rows,
                drain_s=10,
                limits=WorkerLimits(batch_rows=batch_rows, deadline_s=deadline_s),
                figures_every_s=0.2,
            )
            server = AppServer(settings)
            stack.push_async_callback(server.stop)
            await server.start()
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(listen))
            return Client(town, server, app_pb2_grpc.ApplicationStub(channel))  # type: ignore[no-untyped-call]

        yield start


@pytest.fixture
async def client(start_app: StartApp) -> Client:
    return await start_app()
