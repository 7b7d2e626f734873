"""What happens at a simulated ISO 8583 terminal: purchases, voids, refunds, offline sales, and the settlement of its batch."""

import asyncio
import random

from onecard.city.world import SimTerminal, World
from onecard.protocol.iso8583.messages import build_terminal_seq
from onecard.terminal.iso8583 import Iso8583Terminal, Outcome
from onecard.terminal.journal import Journal

_BATCH_SIZE = 150


class IsoPost:
    """One POS and the customers that come to it."""

    def __init__(self, pos: Iso8583Terminal, journal: Journal, world: World, *, rng: random.Random) -> None:
        self._pos = pos
        self._journal = journal
        self._world = world
        self._rng = rng
        self._busy = asyncio.Lock()
        self._in_batch = 0
        self._last: tuple[int, int] | None = None
        self._offline_left = 0

    async def close(self) -> None:
        """Close the line."""
        await self._pos.close()

    async def pay(self, terminal: SimTerminal) -> str:
        """One customer; what came of it, for the counters. Raises TerminalError when the line is down."""
        card, amount = self._rng.choice(self._world.cards_at(terminal)), self._rng.randint(*terminal.prices)
        async with self._busy:
            if self._offline_left:
                return await self._offline(card, amount)
            self._in_batch += 1
            if self._in_batch > _BATCH_SIZE:
                return await self._settle()
            return await self._act(card, amount)

    async def _act(self, card: int, amount: int) -> str:
        chance = self._rng.random()
        if chance < 0.01 and self._pos.batch_no:
            self._offline_left = self._rng.randint(5, 15)
            await self._pos.close()
            return await self._offline(card, amount)
        if chance < 0.04 and self._last is not None:
            (seq, fen), self._last = self._last, None
            if chance < 0.02:
                return _outcome("VOID", await self._pos.void(seq))
            return _outcome("REFUND", await self._pos.refund(seq, self._rng.randint(1, fen)))
        if chance < 0.06:
            return _outcome("BALANCE", await self._pos.balance(card))
        outcome = await self._pos.purchase(card, amount)
        if outcome.is_approved:
            self._last = outcome.terminal_seq, amount
        return _outcome("PURCHASE", outcome)

    async def _offline(self, card: int, amount: int) -> str:
        self._pos.store_offline(card, amount)
        self._offline_left -= 1
        if not self._offline_left:
            await self._pos.upload_offline()
            return "ISO upload"
        return "ISO offline"

    async def _settle(self) -> str:
        """Compare totals, then sign on into the next batch; records of batches before the one closed are forgotten."""
        balanced = await self._pos.settle()
        closed = self._pos.batch_no
        self._journal.trim(self._pos.terminal_id, build_terminal_seq(batch_no=closed, stan=0))
        await self._pos.sign_on()
        self._in_batch, self._last = 0, None
        return f"ISO settled {balanced.name}"


def _outcome(what: str, outcome: Outcome) -> str:
    return f"ISO {what} {'?' if outcome.result is None else outcome.result.name}"
