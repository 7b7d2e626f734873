"""The whole way: virtual cards and a SAM with the platform's own keys, a gateway, an application server, a terminal on a line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import GatewaySettings, UplinkLimits
from onecard.kernel.clock import SystemClock, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.services.actors import Actor
from onecard.services.keys import api as keys
from onecard.services.keys.sams import perso, stock
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.chip import purchase
from onecard.terminal.chipcard import SamSlot
from onecard.terminal.chipjournal import ChipJournal, LoadReport
from onecard.terminal.chipline import LineLoadHost, hand_over
from onecard.terminal.chipload import load
from onecard.terminal.journal import Journal, JournalRecord, State, build_records
from onecard.terminal.native import NativeClient
from onecard.terminal.reader.local import LocalReader
from onecard.terminal.sam.virtual import VirtualSam
from onecard.terminal.tls import Backoff
from tests.gateway.pki import Authority
from tests.issuing.conftest import City

SAM_NO = 0xA1
SYSTEM = Actor.system("test")
Run = Callable[[Any], Any]


@dataclass
class Terminal:
    """A terminal with a SAM, a reader, its two journals and a line."""

    terminal_id: int
    line_id: int
    sam: SamSlot
    client: NativeClient
    journal: Journal = field(default_factory=lambda: Journal(":memory:"))
    chips: ChipJournal = field(default_factory=lambda: ChipJournal(":memory:"))

    def close(self) -> None:
        self.sam.close()
        self.journal.close()
        self.chips.close()

    def buy(self, card: VirtualCard, amount: int) -> int:
        """Off line; the sequence number of the sale."""
        seq = self.journal.next_seq(self.terminal_id)
        purchase(LocalReader(card), self.sam, amount, sale_no=seq, journal=self.chips)
        return seq

    async def upload(self) -> list[JournalRecord]:
        """Hands settled sales over and sends everything that waits."""
        hand_over(self.chips, self.journal, terminal_no=self.sam.terminal_no, terminal_id=self.terminal_id)
        waiting = self.journal.waiting(self.terminal_id, State.OPEN)
        answers = await self.client.submit(build_records(waiting))
        columns = zip(waiting, answers.code, answers.balance_fen, answers.transfer_id, strict=True)
        self.journal.answer(
            (record.terminal_id, record.terminal_seq, code, balance, transfer)
            for record, code, balance, transfer in columns
            if code not in (Result.BUSY, Result.UNAVAILABLE)
        )
        return [found for record in waiting if (found := self.journal.find(record.terminal_id, record.terminal_seq))]

    async def top_up(self, card_no: int, amount: int) -> None:
        at = to_epoch_us(SystemClock().now())
        record = JournalRecord(self.terminal_id, self.journal.next_seq(self.terminal_id), Operation.TOPUP, card_no, amount, at)
        answers = await self.client.submit(build_records([record]))
        assert list(answers.code) == [0]

    async def load(
        self, card: VirtualCard, amount: int, *, send: Callable[..., Any] | None = None
    ) -> tuple[LoadReport | None, int]:
        """What became of a load, and the platform's result."""
        seq = self.journal.next_seq(self.terminal_id)
        host = LineLoadHost(send or self.client.load_chip, asyncio.get_running_loop(), terminal_id=self.terminal_id)

        def work() -> LoadReport | None:
            return load(LocalReader(card), amount, load_no=seq, terminal_no=self.sam.terminal_no, journal=self.chips, host=host)

        report = await asyncio.to_thread(work)
        return report, host.refused


@dataclass
class House:
    """Everything started."""

    run: Run
    terminal: Terminal
    cards: dict[int, VirtualCard]
    cleanups: list[Callable[[], Awaitable[None]]]

    def take_cards(self, count: int) -> list[tuple[int, VirtualCard]]:
        """Cards that no test has used."""
        return [self.cards.popitem() for _ in range(count)]

    def stop(self) -> None:
        for cleanup in reversed(self.cleanups):
            self.run(cleanup())
        self.terminal.close()


def make_cards(city: City, transport: bytes, count: int) -> dict[int, VirtualCard]:
    """Personalised cards by number, the way the issuing desk makes them."""
    batch, made = city.batch(count), {}
    for _ in range(count):
        card = VirtualCard.in_memory(transport_key=transport)
        report = city.touch(card, batch)
        assert report.result is not None, report.en
        made[report.result.card_no] = card
    return made


def make_sam(transport: bytes, tid: str) -> SamSlot:
    """A security module with the platform's keys, bound to a terminal."""
    stock.order_sams(1, order_ref="PO-1", first_no=SAM_NO, actor=SYSTEM)
    stock.receive_sams([f"CHIP{SAM_NO:08X}"], order_ref="PO-1", actor=SYSTEM)
    sam = VirtualSam.in_memory(transport_key=transport)
    sam.power_on()
    perso.personalise_sam(SAM_NO, sam.transmit, actor=SYSTEM)
    sam.power_off()
    stock.bind_sam(SAM_NO, tid, actor=SYSTEM)
    return SamSlot(LocalReader(sam))


def make_terminal_rows(city: City, authority: Authority) -> tuple[int, int, Any]:
    """A public merchant's terminal on a line of its own."""
    from onecard.services.devices.models import Line, LineKind
    from onecard.services.devices.models import Terminal as TerminalRow
    from onecard.services.operators.models import Merchant

    issued = authority.issue("bus")
    merchant = Merchant.objects.create(operator_id=city.operator, name="公交", public=True)
    line = Line.objects.create(
        operator_id=city.operator, kind=LineKind.TERMINAL, name="公交一号", certificate_sha256=issued.fingerprint
    )
    return TerminalRow.objects.create(tid="BUS00001", merchant=merchant, line=line).pk, line.pk, issued.identity


def start(run: Run, city: City, home: Any, folder: Path) -> House:
    """Cards, SAM and terminal made, servers up, the terminal connected. `run` runs a coroutine on the one loop of them all."""
    authority = Authority(folder / "tls")
    transport = bytes(keys.demo_maker_key(home, keys.KeyAlgorithm.DES3))
    terminal_id, line_id, identity = make_terminal_rows(city, authority)
    cards, sam = make_cards(city, transport, 9), make_sam(transport, "BUS00001")
    client, *servers = run(_serve(city, authority, identity, folder))
    return House(run, Terminal(terminal_id, line_id, sam, client), cards, [*servers, client.close])


async def _serve(city: City, authority: Authority, identity: Any, folder: Path) -> tuple[Any, ...]:
    from onecard.appserver.server import AppServer, AppSettings

    app = AppServer(AppSettings(listen=f"unix:{folder / 'app.sock'}", dsn=city.database.app_dsn, name="test"))
    await app.start()
    settings = GatewaySettings(
        name="gw", apps=(f"unix:{folder / 'app.sock'}",), tls_dir=authority.folder, host="127.0.0.1", metrics_port=0, drain_s=2.0,
        uplink=UplinkLimits(deadline_s=5.0),
    )  # fmt: skip
    gateway = Gateway(settings, {NativeDriver(): 0})
    await gateway.start()
    client = NativeClient("127.0.0.1", gateway.ports["native"], identity, backoff=Backoff())
    await client.connect()
    return client, app.stop, gateway.stop
