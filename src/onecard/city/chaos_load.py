"""The load of the chaos run: terminals that pay, lose answers and power, reverse, and write receipts of what they know."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from onecard.city.receipts import Receipt, Receipts, Verdict
from onecard.city.terminals import NativeTerminals
from onecard.city.world import SimTerminal, World
from onecard.kernel.codes import Operation, Result
from onecard.protocol.iso8583.messages import Balanced
from onecard.terminal.errors import TerminalError
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal, JournalRecord, State

_GIVES_BACK = (Operation.REFUND, Operation.VOID)


@dataclass(slots=True)
class Settled:
    """What a terminal could not settle at the end."""

    problems: list[str] = field(default_factory=list)


class Rider(Protocol):
    """One terminal of the run."""

    outcomes: Counter[str]

    async def ride(self, stop: asyncio.Event) -> None: ...
    async def settle(self, within_s: float) -> Settled: ...
    async def close(self) -> None: ...


class _Rider:
    """What both kinds have in common: pace, offline times, receipts, settling at the end."""

    def __init__(self, terminal: SimTerminal, world: World, journal: Journal, receipts: Receipts, *, rng: random.Random) -> None:
        self.outcomes: Counter[str] = Counter()
        self._terminal = terminal
        self._cards = world.cards_at(terminal)
        self._journal = journal
        self._receipts = receipts
        self._rng = rng
        self._told: dict[int, Verdict] = {}
        self._approved: list[JournalRecord] = []

    async def ride(self, stop: asyncio.Event) -> None:
        """Serve customers until `stop`."""
        while not stop.is_set():
            try:
                if self._rng.random() < 0.15:
                    await self._offline()
                else:
                    await self._online()
            except TerminalError as error:
                self.outcomes[type(error).__name__] += 1
                await asyncio.sleep(self._rng.uniform(0.05, 0.4))
            self._note()
            await asyncio.sleep(self._rng.uniform(0.0, 0.03))

    async def settle(self, within_s: float) -> Settled:
        """Reverse what is uncertain and upload what is stored, over and over, until nothing is owed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while True:
            self.recover()
            try:
                await self._settle_up()
            except TerminalError:
                await asyncio.sleep(0.2)
            self._note()
            owed = [*self._waiting(State.OPEN), *self._waiting(State.UNCERTAIN)]
            if not owed:
                return Settled()
            if loop.time() > deadline:
                return Settled([f"terminal {self._terminal.terminal_id}: {len(owed)} records not settled in {within_s:.0f} s"])

    def recover(self) -> None:
        """After a power cut what was under way is uncertain; offline records are simply still there."""
        for record in self._waiting(State.OPEN):
            if record.op != Operation.ADVICE:
                self._journal.mark(record.terminal_id, record.terminal_seq, State.UNCERTAIN)

    def _waiting(self, state: State) -> list[JournalRecord]:
        return self._journal.waiting(self._terminal.terminal_id, state)

    def _note(self) -> None:
        """Write receipts of everything decided since the last time."""
        for record in self._journal.records(self._terminal.terminal_id):
            if record.code is None or record.op == Operation.BALANCE:
                continue
            verdict = _verdict(record)
            if self._told.get(record.terminal_seq) == verdict:
                continue
            self._told[record.terminal_seq] = verdict
            self.outcomes[f"{Operation(record.op).name} {verdict}"] += 1
            fen = record.amount_fen if verdict in ("paid", "given back") else 0
            self._receipts.add(Receipt(record.terminal_id, record.terminal_seq, verdict, fen, record.transfer_id))
            if verdict == "paid" and record.op == Operation.PURCHASE:
                self._approved.append(record)

    def _customer(self) -> tuple[int, int]:
        return self._rng.choice(self._cards), self._rng.randint(*self._terminal.prices)

    async def _online(self) -> None:
        raise NotImplementedError

    async def _offline(self) -> None:
        raise NotImplementedError

    async def _settle_up(self) -> None:
        raise NotImplementedError


class NativeRider(_Rider):
    """A terminal of the native driver."""

    def __init__(
        self,
        terminal: SimTerminal,
        world: World,
        journal: Journal,
        receipts: Receipts,
        *,
        rng: random.Random,
        desk: NativeTerminals,
    ) -> None:
        super().__init__(terminal, world, journal, receipts, rng=rng)
        self._desk = desk

    async def close(self) -> None:
        """Close the line, which other terminals may have closed already."""
        await self._desk.client.close()

    async def _online(self) -> None:
        card, amount = self._customer()
        op, orig_seq = Operation.PURCHASE, 0
        if self._approved and self._rng.random() < 0.08:
            original = self._approved.pop()
            op, card, orig_seq = Operation.REFUND, original.card_no, original.terminal_seq
            amount = self._rng.randint(1, original.amount_fen)
        sale = self._desk.transact(
            op, self._terminal.terminal_id, card_no=card, amount_fen=amount, orig_seq=orig_seq, twice=self._rng.random() < 0.1
        )
        if self._rng.random() < 0.05:
            await self._with_power_cut(sale)
        else:
            await sale

    async def _with_power_cut(self, sale: Awaitable[JournalRecord]) -> None:
        """The terminal loses its power somewhere in the middle and finds its journal when it is back."""
        try:
            async with asyncio.timeout(self._rng.uniform(0.0, 0.02)):
                await sale
        except TimeoutError:
            self.outcomes["power cut"] += 1
            self.recover()

    async def _offline(self) -> None:
        await self._desk.begin()
        for _ in range(self._rng.randint(1, 5)):
            self._desk.store_offline(self._terminal.terminal_id, *self._customer())
        await self._desk.upload([self._terminal.terminal_id], twice=self._rng.random() < 0.3)

    async def _settle_up(self) -> None:
        await self._desk.reverse_pending(self._terminal.terminal_id)
        await self._desk.upload([self._terminal.terminal_id])


class IsoRider(_Rider):
    """A terminal of the ISO 8583 driver."""

    def __init__(
        self,
        terminal: SimTerminal,
        world: World,
        journal: Journal,
        receipts: Receipts,
        *,
        rng: random.Random,
        pos: Iso8583Terminal,
    ) -> None:
        super().__init__(terminal, world, journal, receipts, rng=rng)
        self._pos = pos

    async def close(self) -> None:
        """Close the line."""
        await self._pos.close()

    async def _online(self) -> None:
        chance = self._rng.random()
        if self._approved and chance < 0.08:
            original = self._approved.pop()
            if chance < 0.04:
                await self._pos.void(original.terminal_seq)
            else:
                await self._pos.refund(original.terminal_seq, self._rng.randint(1, original.amount_fen))
        elif chance < 0.1:
            await self._pos.sign_on()
        else:
            await self._pos.purchase(*self._customer())

    async def _offline(self) -> None:
        if not self._pos.batch_no:
            await self._pos.sign_on()
        for _ in range(self._rng.randint(1, 3)):
            self._pos.store_offline(*self._customer())
        await self._pos.upload_offline()

    async def settle(self, within_s: float) -> Settled:
        """As every terminal, and then the totals of the batch it is in have to agree with the platform's (0500)."""
        settled = await super().settle(within_s)
        if not settled.problems and self._pos.batch_no:
            balanced = await self._pos.settle()
            if balanced is not Balanced.YES:
                settled.problems.append(f"terminal {self._terminal.terminal_id}: batch {self._pos.batch_no} is {balanced.name}")
        return settled

    async def _settle_up(self) -> None:
        await self._pos.reverse_pending()
        await self._pos.upload_offline()


def _verdict(record: JournalRecord) -> Verdict:
    if record.code == Result.REVERSED:
        return "reversed"
    if record.code != Result.APPROVED:
        return "refused"
    return "given back" if record.op in _GIVES_BACK else "paid"
