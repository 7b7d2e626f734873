"""A platform with a vault of its own; two terminals with journals, on lines through a real gateway and application server."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from onecard.datacenter import dj
from onecard.datacenter.home import Home
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import GatewaySettings, UplinkLimits
from onecard.kernel.clock import ManualClock
from onecard.kernel.codes import Result
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger import audit
from onecard.services.actors import Actor
from onecard.terminal.journal import Journal, JournalRecord, State, build_records
from onecard.terminal.native import NativeClient
from onecard.terminal.paycode import CodeAcceptor, CodeMemory
from onecard.terminal.tls import Backoff
from tests.gateway.pki import Authority
from tests.support.postgres import TestDatabase, TestServer, cloned_database

dj.setup()  # models cannot be imported before, and a conftest is read before pytest-django is ready

from onecard.services.keys import api as keys  # noqa: E402
from onecard.services.paycodes import api as codes  # noqa: E402

SYSTEM = Actor.system("test")
FAST = keys.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
OPENING_FEN = 20_000


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


@dataclass
class Platform:
    """The rows everything stands on; accounts are opened as tests ask."""

    database: TestDatabase
    operator: int
    card_type: int
    terminals: tuple[int, int]
    serial: int = 0

    def account(self, fen: int = OPENING_FEN) -> int:
        """An account with money, a card of plastic, and no QR card yet."""
        from onecard.services.purses import api as purses

        self.serial += 1
        account_no = build_account_no(lane=1, serial=self.serial)
        card_no = build_card_no(issuer=8800, lane=1, serial=self.serial)
        row = purses.AccountRow(account_no, card_no, self.operator, self.card_type, public_fen=fen)
        assert purses.open_accounts([row]).opened == 1
        return account_no

    def balance(self, account_no: int) -> int:
        from onecard.services.purses import api as purses

        return purses.purses(account_no)[0].balance_fen

    def execute(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.owner_dsn, autocommit=True) as connection:
            cursor = connection.execute(sql, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []


def make_platform(database: TestDatabase, fingerprints: tuple[bytes, bytes] = (b"\1" * 32, b"\2" * 32)) -> Platform:
    from onecard.services.devices.models import Line, LineKind, Terminal
    from onecard.services.operators.models import CardType, Merchant, Operator

    operator = Operator.objects.create(code="ROOT", name="市民卡公司", holder_cap=1000)
    merchant = Merchant.objects.create(operator=operator, name="公交", public=True)
    made = []
    for number, fingerprint in enumerate(fingerprints, 1):
        line = Line.objects.create(operator=operator, kind=LineKind.TERMINAL, name=f"线{number}", certificate_sha256=fingerprint)
        made.append(Terminal.objects.create(tid=f"BUS0000{number}", merchant=merchant, line=line).pk)
    card_type = CardType.objects.create(code="STD", name="普通卡")
    return Platform(database, operator.pk, card_type.pk, (made[0], made[1]))


@pytest.fixture(scope="module")
def vault_home(postgres: TestServer) -> Iterator[TestDatabase]:
    """A database of the file's own with an open vault."""
    home = Home(Path(tempfile.mkdtemp(prefix="codes-", dir=Path(os.environ["ONECARD_HOME"]).parent)))
    home.prepare()
    with cloned_database(postgres) as database, pytest.MonkeyPatch.context() as patch, dj.connected_as(database.app_dsn):
        patch.setenv("ONECARD_HOME", str(home.path))
        patch.setenv("ONECARD_DATABASE", database.owner_dsn)
        for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
            patch.delenv(name, raising=False)
        keys.init_demo(home, kdf=FAST)
        yield database
        keys.close_vault()


@dataclass
class Till:
    """A terminal with a journal, a memory of codes, and a line."""

    terminal_id: int
    client: NativeClient
    clock: ManualClock
    journal: Journal
    memory: CodeMemory
    acceptor: CodeAcceptor
    run: Any

    def upload(self) -> list[JournalRecord]:
        """Sends what waits; gives the records with their answers."""
        waiting = self.journal.waiting(self.terminal_id, State.OPEN)
        return self.send(*waiting)

    def send(self, *records: JournalRecord) -> list[JournalRecord]:
        answers = self.run(self.client.submit(build_records(records)))
        columns = zip(records, answers.code, answers.balance_fen, answers.transfer_id, strict=True)
        self.journal.answer(
            (r.terminal_id, r.terminal_seq, code, balance, transfer)
            for r, code, balance, transfer in columns
            if code not in (Result.BUSY, Result.UNAVAILABLE)
        )
        return [self.journal.find(r.terminal_id, r.terminal_seq) or r for r in records]


@dataclass
class City:
    """Everything started."""

    platform: Platform
    tills: tuple[Till, Till]

    def code(self, account_no: int) -> codes.IssuedPayCode:
        return codes.issue(account_no, actor=SYSTEM)


@pytest.fixture(scope="module")
def city(vault_home: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("codes")
    authority = Authority(folder / "tls")
    issued = [authority.issue(name) for name in ("one", "two")]
    platform = make_platform(vault_home, (issued[0].fingerprint, issued[1].fingerprint))
    with asyncio.Runner() as runner:
        memories = [CodeMemory(folder / f"codes-{number}.db") for number in platform.terminals]
        clients, stops = runner.run(_serve(platform, authority, [each.identity for each in issued], folder, memories))
        tills = [_till(*each, runner.run) for each in zip(platform.terminals, clients, memories, strict=True)]
        yield City(platform, (tills[0], tills[1]))
        for stop in reversed(stops):
            runner.run(stop())
        for till in tills:
            till.journal.close()
            till.memory.close()
    with psycopg.connect(vault_home.app_dsn, autocommit=True) as connection:
        report = audit.run(connection, full=True)
        assert report.ok, report.first_failure


def _till(terminal_id: int, client: NativeClient, memory: CodeMemory, run: Any) -> Till:
    clock = ManualClock(datetime.now(UTC))
    journal = Journal(":memory:")
    return Till(terminal_id, client, clock, journal, memory, CodeAcceptor(terminal_id, journal, memory, clock=clock), run)


async def _serve(
    platform: Platform, authority: Authority, identities: list[Any], folder: Path, memories: list[CodeMemory]
) -> tuple[Any, list[Any]]:
    from onecard.appserver.server import AppServer, AppSettings

    address = f"unix:{folder / 'app.sock'}"
    app = AppServer(AppSettings(listen=address, dsn=platform.database.app_dsn, name="test", pay_code_keys_every_s=0.2))
    await app.start()
    settings = GatewaySettings(
        name="gw", apps=(address,), tls_dir=authority.folder, host="127.0.0.1", metrics_port=0, drain_s=2.0,
        uplink=UplinkLimits(deadline_s=5.0),
    )  # fmt: skip
    gateway = Gateway(settings, {NativeDriver(): 0})
    await gateway.start()
    async with asyncio.timeout(20):
        while gateway.services.platform.pay_code_keys is None:  # noqa: ASYNC110 - the start does not wait for the vault
            await asyncio.sleep(0.01)
    port = gateway.ports["native"]
    clients = [
        NativeClient("127.0.0.1", port, identity, backoff=Backoff(), on_pay_code_keys=memory.set_keys)
        for identity, memory in zip(identities, memories, strict=True)
    ]
    for client in clients:
        await client.connect()
    return clients, [app.stop, gateway.stop, *(client.close for client in clients)]


@pytest.fixture(autouse=True)
def _now(request: pytest.FixtureRequest) -> None:
    """The tills' clocks go right when a test begins."""
    if "city" in request.fixturenames:
        for till in request.getfixturevalue("city").tills:
            till.clock.advance(datetime.now(UTC) - till.clock.now())
