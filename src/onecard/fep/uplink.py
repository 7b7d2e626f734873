"""The way up for what waits in the journal: money in the order it was made, batch by batch, then events (G3, N2).

A row is dropped in the transaction that stores its answer, so that whatever is killed between two steps the batch goes up again,
and the platform answers it as the first time.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Callable, Sequence, Set
from functools import partial

from onecard.fep import book
from onecard.fep.book import Queued
from onecard.fep.events import Events
from onecard.fep.faults import Point, passed
from onecard.fep.journal import Journal, JournalFull
from onecard.fep.line import Line
from onecard.fep.records import UNKNOWN, Answer, Asked, join, split_answers
from onecard.kernel.codes import RESULT_TEXT, Operation, Result
from onecard.kernel.events import EventKind
from onecard.protocol.native import MAX_RECORDS, NativeViolationError, check_records
from onecard.protocol.proto.device_pb2 import DeviceEvent
from onecard.terminal.errors import LineDown, LineRefused

_log = logging.getLogger(__name__)
_AGAIN_S = (0.5, 1.5)
_REST_S = 2.0
_EVENTS = 500


class Upload:
    """`run` sends until cancelled. `waiting` is shared with the intake."""

    def __init__(
        self, journal: Journal, line: Line, events: Events, *, waiting: dict[int, int], terminals: Callable[[], Set[int]],
        now_us: Callable[[], int], on_answer: Callable[[], None],
        on_answers: Callable[[Sequence[Asked], Sequence[Answer]], None],
    ) -> None:  # fmt: skip
        """`terminals` are those the platform lets speak over this line now. `on_answers` is told what it says of each record."""
        self.sent = 0
        self.refused = 0
        self.stranded: set[int] = set()
        """Terminals that are not of this line any more and still have records here."""
        self._journal = journal
        self._line = line
        self._events = events
        self._waiting = waiting
        self._terminals = terminals
        self._now_us = now_us
        self._on_answer = on_answer
        self._on_answers = on_answers
        self._wanted = asyncio.Event()
        self._resting: dict[int, float] = {}
        self._unstorable: set[int] = set()

    def wake(self) -> None:
        """Something waits, or the line is up."""
        self._wanted.set()

    async def run(self) -> None:
        """Send what waits, now and later."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while self._line.is_up and await self._step():
                    pass
            except (LineDown, LineRefused) as error:
                _log.info("upload: %s", error.en)
            except JournalFull:
                _log.error("upload: the disk is full, answers can't be stored: the batch goes up again")
            except (sqlite3.Error, ValueError):
                _log.exception("upload")
            if self._waiting or self._events.waiting:
                asyncio.get_running_loop().call_later(random.uniform(*_AGAIN_S), self.wake)  # noqa: S311 - spreading

    async def _step(self) -> bool:
        """One batch of money, or of events when no money can go; False when nothing is left that can go now."""
        without = self._not_now()
        batch = await self._journal.run(lambda db: book.next_batch(db, MAX_RECORDS, without=without))
        if batch:
            await self._send_money(batch)
            return True
        return await self._send_events()

    def _not_now(self) -> set[int]:
        """Terminals whose records would break the line, or were left undecided a moment ago."""
        now = asyncio.get_running_loop().time()
        self._resting = {number: until for number, until in self._resting.items() if until > now}
        stranded = self._waiting.keys() - self._terminals()
        for terminal_id in stranded - self.stranded:
            text = f"terminal {terminal_id} is not of this line any more: {self._waiting[terminal_id]} records wait"
            _log.error("upload: %s", text)
            self._events.add(EventKind.ERROR, text)
        self.stranded = stranded
        return stranded | self._resting.keys()

    async def _send_money(self, batch: list[Queued]) -> None:
        good, bad = _checked(batch)
        answered: list[tuple[Queued, int]] = [(queued, int(Result.FORMAT)) for queued in bad]
        if good:
            passed(Point.UPLOAD_SENT)
            answers = split_answers(await self._line.ask.submit(join([queued.asked for queued in good])))
            passed(Point.UPLOAD_ANSWERED)
            if len(answers) != len(good):
                raise ValueError(f"{len(answers)} answers to {len(good)} records")
            self._on_answers([queued.asked for queued in good], answers)
            answered += [(queued, answer.code) for queued, answer in zip(good, answers, strict=True)]
        decided = [(queued, code) for queued, code in answered if code not in UNKNOWN]
        loop = asyncio.get_running_loop()
        for queued, code in answered:
            if code in UNKNOWN:
                self._resting[queued.asked.terminal_id] = loop.time() + _REST_S
        if decided:
            self._on_answer()
            await self._store(decided)

    async def _store(self, decided: list[tuple[Queued, int]]) -> None:
        now_us = self._now_us()
        try:
            refused = await self._journal.run(lambda db: _acknowledge(db, decided, now_us))
            passed(Point.UPLOAD_STORED)
        except JournalFull:
            raise
        except Exception:
            _log.exception("upload: %d answers can't be stored together; each is stored by itself", len(decided))
            await self._store_each(decided, now_us)
        else:
            self._count(decided, refused)

    async def _store_each(self, decided: list[tuple[Queued, int]], now_us: int) -> None:
        """Row by row, so that one answer that can't be stored holds back no other. Raises JournalFull."""
        works = [partial(_acknowledge, decided=[one], now_us=now_us) for one in decided]
        results = await asyncio.gather(*(self._journal.run(work) for work in works), return_exceptions=True)
        full = False
        for one, result in zip(decided, results, strict=True):
            if isinstance(result, int):
                self._count([one], result)
            elif isinstance(result, JournalFull):
                full = True
            else:
                self._cannot_store(one[0], result)
        if full:
            raise JournalFull

    def _cannot_store(self, queued: Queued, error: BaseException) -> None:
        """It stays and goes up again; people are told once. Its terminal waits a little, so that the others go on."""
        asked = queued.asked
        self._resting[asked.terminal_id] = asyncio.get_running_loop().time() + _REST_S
        if queued.place not in self._unstorable:
            self._unstorable.add(queued.place)
            text = f"the answer to {asked.terminal_seq} of terminal {asked.terminal_id} can't be stored: {error}"
            _log.error("upload: %s", text)
            self._events.add(EventKind.ERROR, text)

    def _count(self, decided: list[tuple[Queued, int]], refused: int) -> None:
        for queued, _ in decided:
            terminal_id = queued.asked.terminal_id
            left = self._waiting.get(terminal_id, 0) - 1
            if left > 0:
                self._waiting[terminal_id] = left
            else:
                self._waiting.pop(terminal_id, None)
        self.sent += len(decided)
        self.refused += refused
        self._events.waiting += refused

    async def _send_events(self) -> bool:
        rows = await self._journal.run(lambda db: book.next_events(db, _EVENTS))
        if not rows:
            self._events.waiting = 0
            return False
        passed(Point.EVENTS_SENT)
        code = await self._line.ask.send_events([DeviceEvent.FromString(body) for _, body in rows])
        passed(Point.EVENTS_ANSWERED)
        if code not in (Result.APPROVED, Result.FORMAT):
            return False
        if code == Result.FORMAT:
            _log.error("upload: the platform will never take %d events", len(rows))
        await self._journal.run(lambda db: book.drop_events(db, [place for place, _ in rows]))
        self._events.waiting = max(0, self._events.waiting - len(rows))
        return True


def _checked(batch: Sequence[Queued]) -> tuple[list[Queued], list[Queued]]:
    """What the gateway would take, and what would make it close the line."""
    asked = [queued.asked for queued in batch]
    if _is_good(asked):
        return list(batch), []
    good = [queued for queued in batch if _is_good([queued.asked])]
    kept = {queued.place for queued in good}
    return good, [queued for queued in batch if queued.place not in kept]


def _is_good(asked: Sequence[Asked]) -> bool:
    try:
        check_records(join(asked), {one.terminal_id for one in asked})
    except (NativeViolationError, ValueError):
        return False
    return True


def _acknowledge(db: sqlite3.Connection, decided: list[tuple[Queued, int]], now_us: int) -> int:
    """Store the answers; a refused record becomes an event in the same transaction. How many were refused."""
    refused = book.acknowledge(db, decided, now_us)
    events = []
    for asked, code in refused:
        text = RESULT_TEXT[Result(code)].en if code in Result._value2member_map_ else "unknown"
        name = Operation(asked.op).name if asked.op in Operation._value2member_map_ else f"operation {asked.op}"
        detail = f"{name} {asked.terminal_seq}, {asked.amount_fen} fen: {code} {text}"
        events.append(
            Events.build(EventKind.RECORD_REFUSED, detail, now_us, terminal_id=asked.terminal_id, card_no=asked.card_no)
        )
    book.add_events(db, [(event.event_id, event.SerializeToString()) for event in events])
    return len(refused)
