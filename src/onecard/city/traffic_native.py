"""What happens at simulated terminals of the native driver: payments of every kind, and times without a line."""

import asyncio
import random
from collections import deque
from collections.abc import Sequence

from onecard.city.chips.corner import ChipCorner
from onecard.city.terminals import NativeTerminals
from onecard.city.world import SimTerminal, World
from onecard.kernel.codes import Operation, Result
from onecard.terminal.journal import Journal, JournalRecord

_KEPT = 1_000
_TRIM_EVERY = 500
_TOPUP_FEN = 10_000
_CHIP_SHARE = 0.6


class NativeLine:
    """The terminals behind one line, and the customers that come to them."""

    def __init__(
        self, desk: NativeTerminals, journal: Journal, world: World, terminals: Sequence[SimTerminal], *,
        rng: random.Random, corner: ChipCorner | None = None,
    ) -> None:  # fmt: skip
        self._desk = desk
        self._journal = journal
        self._world = world
        self._ids = [terminal.terminal_id for terminal in terminals]
        self._rng = rng
        self._corner = corner
        self._busy = {terminal: asyncio.Lock() for terminal in self._ids}
        self._bought: dict[int, deque[JournalRecord]] = {terminal: deque(maxlen=20) for terminal in self._ids}
        self._away_until = 0.0
        self._uploading = asyncio.Lock()
        self._paid = 0

    async def close(self) -> None:
        """Close the line."""
        if self._corner is not None:
            self._corner.close()
        await self._desk.client.close()

    async def pay(self, terminal: SimTerminal) -> str:
        """One customer; what came of it, for the counters. Raises TerminalError when the line is down."""
        await self._desk.begin()
        now = asyncio.get_running_loop().time()
        cards = self._world.cards_at(terminal)
        card, amount = self._rng.choice(cards), self._rng.randint(*terminal.prices)
        if self._corner is not None and terminal.terminal_id in self._corner and self._rng.random() < _CHIP_SHARE:
            return await self._pay_by_chip(self._corner, terminal.terminal_id, amount, online=now >= self._away_until)
        if now < self._away_until:
            self._desk.store_offline(terminal.terminal_id, card, amount)
            return "offline"
        await self._come_back()
        if self._rng.random() < 0.002:
            self._away_until = now + self._rng.uniform(10, 40)
            await self._desk.client.close()
            return "line goes away"
        async with self._busy[terminal.terminal_id]:
            self._trim(terminal.terminal_id)
            return await self._act(terminal, card, amount)

    async def _pay_by_chip(self, corner: ChipCorner, terminal: int, amount: int, *, online: bool) -> str:
        async with self._busy[terminal]:
            if online:
                self._trim(terminal)
            outcome = await corner.serve(terminal, amount, online=online)
            if online:
                await self._desk.upload([terminal])
        return outcome

    async def _act(self, terminal: SimTerminal, card: int, amount: int) -> str:
        bought = self._bought[terminal.terminal_id]
        chance = self._rng.random()
        if terminal.is_metered:
            return await self._metered(terminal, card, amount)
        if terminal.takes_topups and chance < 0.04:
            return await self._ask(Operation.TOPUP, terminal, card, _TOPUP_FEN)
        if chance < 0.07 and bought:
            original = bought.popleft()
            part = self._rng.randint(1, original.amount_fen)
            return await self._ask(Operation.REFUND, terminal, original.card_no, part, orig_seq=original.terminal_seq)
        if chance < 0.09 and bought:
            await self._desk.reverse(bought.pop())  # the customer has left: the till takes back its last sale
            return "reversed"
        if chance < 0.11:
            return await self._ask(Operation.BALANCE, terminal, card, 0)
        return await self._ask(Operation.PURCHASE, terminal, card, amount, twice=chance > 0.95)

    async def _ask(
        self, op: Operation, terminal: SimTerminal, card: int, amount: int, *, orig_seq: int = 0, twice: bool = False
    ) -> str:
        record = await self._desk.transact(
            op, terminal.terminal_id, card_no=card, amount_fen=amount, orig_seq=orig_seq, twice=twice
        )
        if op is Operation.PURCHASE and record.is_approved:
            self._bought[terminal.terminal_id].append(record)
        return _outcome(op, record)

    async def _metered(self, terminal: SimTerminal, card: int, amount: int) -> str:
        """Water: a hold of the most it may cost, then what has run."""
        hold = await self._desk.transact(Operation.HOLD, terminal.terminal_id, card_no=card, amount_fen=amount)
        if not hold.is_approved:
            return _outcome(Operation.HOLD, hold)
        op, used = (Operation.RELEASE, 0) if self._rng.random() < 0.05 else (Operation.COMMIT, self._rng.randint(1, amount))
        return await self._ask(op, terminal, card, used, orig_seq=hold.terminal_seq)

    async def _come_back(self) -> None:
        """Upload what was made off line, one upload at a time a line; now and then a whole batch goes up twice."""
        if not self._away_until or self._uploading.locked():
            return
        async with self._uploading:
            if self._desk.offline_count(self._ids):
                await self._desk.upload(self._ids, twice=self._rng.random() < 0.2)
            self._away_until = 0.0

    def _trim(self, terminal: int) -> None:
        self._paid += 1
        if self._paid % _TRIM_EVERY == 0:
            for each in self._ids:
                self._journal.trim(each, self._journal.read_setting(each, "seq") - _KEPT)


def _outcome(op: Operation, record: JournalRecord) -> str:
    return f"{op.name} {'?' if record.code is None else Result(record.code).name}"
