"""A terminal in a test: a card, a SAM, a journal on disk, and ways to cut it off at any APDU or write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onecard.kernel.clock import ManualClock
from onecard.protocol.purse import proofs
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.perso import CardKey
from onecard.protocol.purse.proofs import Load, Purchase, bcd_moment
from onecard.terminal.chip import ChipJournal, ChipRecord, LoadGrant, PurchaseTerms, SamSlot, purchase
from onecard.terminal.chipjournal import LoadReport, LoadRequest, LoadState
from onecard.terminal.reader.local import LocalReader
from tests.card.support import Keys, card_keys, make_card, make_sam

NOW = datetime(2026, 8, 23, 2, 15, 30, tzinfo=UTC)


class Killed(BaseException):
    """The terminal's process ends here."""


@dataclass
class Cut:
    """Where the terminal is killed: at the n-th APDU to card or SAM, before it is sent or after the chip did it."""

    count: int = 0
    kill_at: tuple[int, str] | None = None


class CuttingReader:
    """A reader that kills the terminal where its Cut says."""

    def __init__(self, inner: LocalReader, cut: Cut) -> None:
        self.inner = inner
        self.cut = cut

    def connect(self) -> bytes:
        return self.inner.connect()

    def disconnect(self) -> None:
        self.inner.disconnect()

    def transmit(self, command: bytes) -> bytes:
        self.cut.count += 1
        if self.cut.kill_at == (self.cut.count, "before"):
            raise Killed
        answer = self.inner.transmit(command)
        if self.cut.kill_at == (self.cut.count, "after"):
            raise Killed
        return answer


class CuttingJournal(ChipJournal):
    """A journal whose process dies around its n-th write."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, durable=False)
        self.count = 0
        self.kill_at: tuple[int, str] | None = None

    def _cut(self, write: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        if self.kill_at == (self.count, "before"):
            raise Killed
        result = write(*args, **kwargs)
        if self.kill_at == (self.count, "after"):
            raise Killed
        return result

    def arm(self, *args: Any, **kwargs: Any) -> Any:
        return self._cut(super().arm, *args, **kwargs)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        return self._cut(super().finish, *args, **kwargs)

    def forget(self, *args: Any, **kwargs: Any) -> Any:
        return self._cut(super().forget, *args, **kwargs)

    def ask(self, *args: Any, **kwargs: Any) -> Any:
        return self._cut(super().ask, *args, **kwargs)

    def grant(self, *args: Any, **kwargs: Any) -> Any:
        return self._cut(super().grant, *args, **kwargs)

    def settle(self, *args: Any, **kwargs: Any) -> Any:
        return self._cut(super().settle, *args, **kwargs)


@dataclass
class FakeHost:
    """The platform's side of loads: takes money once a load, checks MAC1 and TAC, gives back what was not written."""

    keys: Keys = field(default_factory=card_keys)
    taken: dict[int, int] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    undone: set[int] = field(default_factory=set)
    unproven: set[int] = field(default_factory=set)
    cut: str = ""
    refuse: bool = False

    def request(self, request: LoadRequest) -> LoadGrant | None:
        if self.refuse:
            return None
        if self.cut == "before request":
            raise Killed
        load = self._load(request)
        algorithm = Algorithm(request.algorithm)
        session = proofs.load_session(
            algorithm,
            self.keys.key(CardKey.LOAD),
            random=request.random.to_bytes(4, "big"),
            online_counter=request.online_counter,
        )
        assert proofs.mac4(algorithm, session, load.mac1_data()) == request.mac1.to_bytes(4, "big")
        assert request.load_no not in self.taken
        self.taken[request.load_no] = request.amount_fen
        if self.cut == "after request":
            raise Killed
        return LoadGrant(proofs.mac4(algorithm, session, load.mac2_data()), NOW)

    def report(self, report: LoadReport) -> None:
        if self.cut == "report":
            raise Killed
        number = report.request.load_no
        if report.state is LoadState.WRITTEN:
            tac = proofs.tac(
                Algorithm(report.request.algorithm), self.keys.key(CardKey.TAC), self._load(report.request).tac_data()
            )
            assert tac == report.tac.to_bytes(4, "big")
            self.confirmed.add(number)
        elif report.state is LoadState.NOT_WRITTEN:
            assert number not in self.confirmed
            self.undone.add(number)
        else:
            self.unproven.add(number)

    @property
    def net_fen(self) -> int:
        """Taken from the account and not given back."""
        return sum(amount for number, amount in self.taken.items() if number not in self.undone)

    @staticmethod
    def _load(request: LoadRequest) -> Load:
        return Load(
            request.amount_fen,
            request.transaction_type,
            request.sam_terminal_no,
            request.old_balance_fen,
            request.online_counter,
            bcd_moment(NOW),
        )


class Terminal:
    """Card, SAM and journal file of one terminal; `restart` is what happens after a power cut."""

    def __init__(self, folder: Path, *, balance: int = 10_000, algorithm: Algorithm = Algorithm.DES3, card=None) -> None:
        self.keys = card_keys(algorithm=algorithm)
        self.card = card or make_card(algorithm=algorithm)
        set_balance(self.card, balance)
        self.chip = make_sam(algorithm)
        self.clock = ManualClock(NOW)
        self.host = FakeHost(self.keys)
        self._path = folder / "chip.db"
        self.restart()

    def restart(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
        self.cut = Cut()
        self.reader = CuttingReader(LocalReader(self.card), self.cut)
        self.journal = CuttingJournal(self._path)
        self.sam = SamSlot(CuttingReader(LocalReader(self.chip), self.cut))
        self.cut.count = 0

    def purchase(self, amount: int = 200, sale_no: int = 1, terms: PurchaseTerms | None = None) -> ChipRecord:
        return purchase(self.reader, self.sam, amount, sale_no=sale_no, journal=self.journal, terms=terms, clock=self.clock)

    @property
    def balance(self) -> int:
        self.card.power_on()
        self.card.power_off()
        return self.card.state.directories[1].purses[0].balance

    def tac_of(self, record: ChipRecord) -> int:
        data = Purchase(
            record.amount_fen,
            record.transaction_type,
            record.sam_terminal_no,
            record.sam_seq,
            bcd_moment(record.occurred_at),
        ).tac_data()
        return int.from_bytes(proofs.tac(Algorithm(record.algorithm), self.keys.key(CardKey.TAC), data), "big")


def set_balance(card, balance: int) -> None:
    card.state.directories[1].purses[0].balance = balance
    card._store.commit(card.state.image())
