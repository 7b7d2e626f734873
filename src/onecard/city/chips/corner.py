"""Terminals with a card reader and a SAM, and what happens there: purchases from chips, cards torn away, loads.

Purchases are made off line, whatever the line does, and go up with the line's other records. A card that leaves too early mostly
comes back and is settled by its proof; one that does not leaves a gray record.
"""

import asyncio
import random
from datetime import UTC, datetime, timedelta

from onecard.city.chips.folder import ChipFolder
from onecard.city.chips.wallet import Pocketed, Wallet
from onecard.city.terminals import NativeTerminals
from onecard.kernel.codes import Operation
from onecard.protocol.purse.apdu import Status
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.chip import ChipRefused, InDoubt, SamSlot, load, purchase
from onecard.terminal.chipjournal import ChipJournal, LoadState
from onecard.terminal.chipline import LineLoadHost, hand_over
from onecard.terminal.journal import Journal
from onecard.terminal.reader.errors import ReaderError
from onecard.terminal.reader.local import LocalReader

_TOPUP_FEN, _LOAD_FEN = 20_000, 8_000
_TORN, _COMES_BACK = 0.02, 0.75
_PATIENCE = timedelta(seconds=90)
_KEPT = timedelta(hours=1)
_TRIM_EVERY = 200


class ChipCorner:
    """The terminals of one line that have a SAM. Purchases run in the event loop: they take a millisecond and wait for nobody."""

    def __init__(
        self,
        folder: ChipFolder,
        desk: NativeTerminals,
        journal: Journal,
        sams: dict[int, int],
        *,
        wallet: Wallet,
        rng: random.Random,
    ) -> None:
        self._desk = desk
        self._journal = journal
        self._sams = sams
        self._folder = folder
        self._wallet = wallet
        self._rng = rng
        path = folder.sams / "journal.sqlite"
        self._chips = ChipJournal(path, durable=False)
        self._loads = ChipJournal(path, durable=False)  # loads run in a thread: a connection of their own
        self._slots: dict[int, SamSlot] = {}
        self._loading = asyncio.Lock()
        self._served = 0

    def __contains__(self, terminal_id: int) -> bool:
        return terminal_id in self._sams

    def close(self) -> None:
        """Power the SAMs down."""
        for slot in self._slots.values():
            slot.close()
        self._chips.close()
        self._loads.close()

    async def serve(self, terminal_id: int, amount_fen: int, *, online: bool) -> str:
        """One customer with a chip card; what came of it. Raises TerminalError when the line is down in the middle of a load."""
        with self._wallet.draw() as card:
            if card is None:
                return "chip: nobody"
            try:
                return self._buy(terminal_id, card, amount_fen)
            except ChipRefused as refused:
                if refused.sw != Status.INSUFFICIENT_BALANCE:
                    return f"chip: refused {refused.sw:04X}"
                return await self._load(terminal_id, card) if online else "chip: not enough"
            finally:
                self._settle(terminal_id)

    def _buy(self, terminal_id: int, card: Pocketed, amount_fen: int) -> str:
        slot = self._slot(terminal_id)
        sale_no = self._journal.next_seq(terminal_id)
        torn = self._rng.random() < _TORN
        chip = VirtualCard.open(card.path, durable=False)
        if torn:
            chip.tear_at_write(1, committed=self._rng.random() < 0.5)
        try:
            purchase(LocalReader(chip), slot, amount_fen, sale_no=sale_no, journal=self._chips)
            return "chip: paid"
        except (InDoubt, ReaderError):
            if self._rng.random() > _COMES_BACK:
                return "chip: torn away"
        again = LocalReader(VirtualCard.open(card.path, durable=False))
        purchase(again, slot, amount_fen, sale_no=sale_no, journal=self._chips)
        return "chip: torn, shown again"

    async def _load(self, terminal_id: int, card: Pocketed) -> str:
        """Cash into the account, then from the account into the chip."""
        topup = await self._desk.transact(Operation.TOPUP, terminal_id, card_no=card.card_no, amount_fen=_TOPUP_FEN)
        if not topup.is_approved and topup.code is None:
            return "chip: top-up ?"
        async with self._loading:
            number = self._journal.next_seq(terminal_id)
            host = LineLoadHost(self._desk.client.load_chip, asyncio.get_running_loop(), terminal_id=terminal_id)
            reader = LocalReader(VirtualCard.open(card.path, durable=False))
            terminal_no = self._slot(terminal_id).terminal_no
            try:
                report = await asyncio.to_thread(
                    load, reader, _LOAD_FEN, load_no=number, terminal_no=terminal_no, journal=self._loads, host=host
                )
            except InDoubt:
                return "chip: load in doubt"
        if report is None:
            return "chip: load refused"
        return "chip: loaded" if report.state is LoadState.WRITTEN else f"chip: load {report.state.name.lower()}"

    def _settle(self, terminal_id: int) -> None:
        """Sales that are sure go to the journal that is uploaded; those of cards that did not come back are gray."""
        now, number = datetime.now(UTC), self._slot(terminal_id).terminal_no
        self._chips.give_up(number, before=now - _PATIENCE)
        hand_over(self._chips, self._journal, terminal_id=terminal_id, terminal_no=number)
        self._served += 1
        if self._served % _TRIM_EVERY == 0:
            for slot in self._slots.values():
                self._chips.trim(slot.terminal_no, before=now - _KEPT)

    def _slot(self, terminal_id: int) -> SamSlot:
        if terminal_id not in self._slots:
            self._slots[terminal_id] = SamSlot(LocalReader(self._folder.sam(self._sams[terminal_id])))
        return self._slots[terminal_id]
