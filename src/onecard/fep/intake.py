"""Where the records of terminals come in (`UplinkPort`): up the line while it answers, else decided and kept here (G3).

Up: a request passes through with a deadline; without an answer the front-end decides. While records of a terminal wait in the
journal its later facts queue behind them, so that each terminal's records stay in order. A purchase under a number that may have
been passed on is never refused in so many words here: `UNAVAILABLE` makes the terminal reverse it or ask again.
"""

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from onecard.fep import desk
from onecard.fep.faults import Point, passed
from onecard.fep.journal import Journal, JournalFull
from onecard.fep.numbers import Numbers
from onecard.fep.passing import Passing
from onecard.fep.records import DECIDED, FACTS, KEPT, UNKNOWN, Answer, Asked, Key, join_answers, split
from onecard.gateway.drivers.base import ManyDone, OneDone, Row
from onecard.kernel.codes import Operation, Result
from onecard.protocol.native import NativeViolationError, check_records
from onecard.protocol.proto.records_pb2 import Records

_log = logging.getLogger(__name__)
_FOLLOWS = frozenset((Operation.VOID, Operation.REFUND))
_RECENT = 4096
_MAX_OPEN = 5000
_REST_AFTER, _REST_S = 3, 10.0


@dataclass(slots=True)
class Figures:
    """What the intake counts, for the status page."""

    passed: int = 0
    decided: int = 0
    kept: int = 0
    full: int = 0
    late: int = 0
    """Requests the platform did not answer in time."""


@dataclass(slots=True)
class _Part:
    """A row that is answered here, and whether the platform may know it."""

    at: int
    asked: Asked
    in_doubt: bool = False
    known: Answer | None = None
    """What the platform has answered under this number; the journal's answer comes before it."""


class Intake:
    """An UplinkPort (gateway/drivers/base.py). Used from the event loop only."""

    def __init__(
        self, journal: Journal, passing: Passing, numbers: Numbers, *, moment: Callable[[], desk.Moment],
        is_up: Callable[[], bool], on_queued: Callable[[dict[int, int]], None], on_tap: Callable[[int], None],
    ) -> None:  # fmt: skip
        """`on_queued` is told of records that wait now, by terminal; `on_tap` of each card that asks for something."""
        self.figures = Figures()
        self.waiting: dict[int, int] = {}
        """Records in the journal, by terminal; kept by this class and the upload."""
        self.holders: set[int] = set()
        """Terminals that have had a hold here."""
        self._journal = journal
        self._passing = passing
        self._numbers = numbers
        self._moment = moment
        self._is_up = is_up
        self._on_queued = on_queued
        self._on_tap = on_tap
        self._tasks: set[asyncio.Task[None]] = set()
        self._recent: OrderedDict[Key, tuple[Asked, Answer]] = OrderedDict()
        self._silences = 0
        self._rests_until = 0.0
        self._seen: set[int] = set()

    @property
    def halted(self) -> bool:
        """A front-end always has an answer."""
        return False

    @property
    def is_resting(self) -> bool:
        """Whether the platform has left so much unanswered that it is not waited for any more, for a while."""
        return asyncio.get_running_loop().time() < self._rests_until

    def submit_one(self, line_id: int, row: Row, done: OneDone) -> Result | None:
        """Take one record."""
        return self._take([Asked(*row)], lambda answers: done(*answers[0]), numbered=False)

    def submit_many(self, line_id: int, records: Records, *, count: int, done: ManyDone) -> Result | None:
        """Take records in columns; answered together."""
        try:
            check_records(records, set(records.terminal_id))
        except NativeViolationError as violation:
            _log.error("records of a port are refused: %s", violation.reason)
            return violation.code
        return self._take(split(records), lambda answers: done(join_answers(answers)), numbered=True)

    def take_seen(self) -> set[int]:
        """Cards approved by the platform since the last call, to be remembered."""
        seen, self._seen = self._seen, set()
        return seen

    def heard(self) -> None:
        """The platform has answered something: requests wait for it again."""
        self._silences = 0
        self._rests_until = 0.0

    async def stop(self) -> None:
        """Answer what is being served, then take no more."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
        for task in list(self._tasks):
            task.cancel()

    def _take(self, rows: list[Asked], done: Callable[[list[Answer]], None], *, numbered: bool) -> Result | None:
        if len(self._tasks) >= _MAX_OPEN:
            return Result.BUSY
        if numbered:
            now_us = self._moment().now_us
            for asked in rows:
                self._numbers.hear(asked, now_us)
        for asked in rows:
            if asked.op in DECIDED:
                self._on_tap(asked.card_no)
        task = asyncio.get_running_loop().create_task(self._serve(rows, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None

    async def _serve(self, rows: list[Asked], done: Callable[[list[Answer]], None]) -> None:
        answers: list[Answer | None] = [None] * len(rows)
        try:
            here, up = await self._sort(rows, answers)
            if up:
                here += await self._pass(up, answers)
            if here:
                await self._answer_here(here, answers)
        except Exception:
            _log.exception("records could not be served")
        done([answer or Answer(Result.UNAVAILABLE) for answer in answers])

    async def _sort(self, rows: list[Asked], answers: list[Answer | None]) -> tuple[list[_Part], list[_Part]]:
        """What is answered here at once, and what is passed on. A repeat of what was answered here gets that answer."""
        parts = [_Part(at, asked, self._in_doubt(asked)) for at, asked in enumerate(rows)]
        if not self._is_up() or self.is_resting:
            return parts, []
        here = [part for part in parts if self._stays(part.asked)]
        up = [part for part in parts if not self._stays(part.asked)]
        repeats = [part for part in up if self._numbers.was_answered_here(part.asked)]
        if repeats:
            found = await self._journal.run(lambda db: [desk.find_answer(db, part.asked) for part in repeats])
            for part, answer in zip(repeats, found, strict=True):
                answers[part.at] = answer
            up = [part for part in up if answers[part.at] is None]
        return here, up

    def _in_doubt(self, asked: Asked) -> bool:
        return asked.op in DECIDED and self._numbers.may_have_passed(asked)

    def _stays(self, asked: Asked) -> bool:
        """Whether a record is the front-end's own business although the line is up."""
        if asked.op in KEPT and self.waiting.get(asked.terminal_id):
            return True
        if asked.op in _FOLLOWS and self.waiting.get(asked.original[0]):
            return True  # its original may still be in the journal: answered UNAVAILABLE, asked again later
        if asked.op in (Operation.COMMIT, Operation.RELEASE):
            return asked.original[0] in self.holders
        return asked.op == Operation.REVERSAL and self._numbers.was_answered_here(asked)

    async def _pass(self, parts: list[_Part], answers: list[Answer | None]) -> list[_Part]:
        """Ask the platform; the parts that it did not decide, to be answered here."""
        rows = [part.asked for part in parts]
        asks = [asked for asked in rows if asked.op in DECIDED]
        if asks:
            # On the disk first: after a power cut these numbers are not refused here any more.
            try:
                await self._numbers.reserve(asks)
            except JournalFull:
                self.figures.full += len(parts)
                for part in parts:
                    answers[part.at] = Answer(Result.BUSY)
                return []
        passed(Point.PASS_SENT)
        replies = await self._passing.ask(rows, within_s=self._moment().lists.rules.fallback_ms / 1000)
        passed(Point.PASS_ANSWERED)
        if replies is None:
            self._silent()
            return [_Part(part.at, part.asked, in_doubt=part.asked.op in DECIDED) for part in parts]
        undecided = []
        for part, answer in zip(parts, replies, strict=True):
            if answer.code in UNKNOWN:
                undecided.append(_Part(part.at, part.asked, in_doubt=answer.code != Result.BUSY or part.in_doubt))
                continue
            answers[part.at] = answer
            self._answered_above(part.asked, answer)
        if len(undecided) < len(parts):
            self.heard()
        else:
            self._silent()
        await self._settle_twice_asked([part for part in parts if self._numbers.was_answered_here(part.asked)], answers)
        return undecided

    async def _settle_twice_asked(self, parts: list[_Part], answers: list[Answer | None]) -> None:
        """What was answered here meanwhile, under the same number, stays answered so: it is in the journal and goes up."""
        for part in parts:
            above, asked = answers[part.at], part.asked
            if above is None:
                continue
            if asked.op in DECIDED:
                here = await self._journal.run(partial(desk.find_answer, asked=asked))
                if here is not None and here.code not in (above.code, Result.KEY_CONFLICT):
                    answers[part.at] = here
            elif asked.op == Operation.REVERSAL and above.code == Result.APPROVED:
                with suppress(JournalFull):  # then only the limits of the day are less than they could be
                    await self._journal.run(partial(desk.undo_here, asked=asked, moment=self._moment()))

    def _answered_above(self, asked: Asked, answer: Answer) -> None:
        self.figures.passed += 1
        if answer.code != Result.KEY_CONFLICT or asked.key not in self._recent:
            self._recent[asked.key] = (asked, answer)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        if answer.code == Result.APPROVED and asked.card_no:
            self._seen.add(asked.card_no)

    def _silent(self) -> None:
        self.figures.late += 1
        self._silences += 1
        if self._silences >= _REST_AFTER:
            self._rests_until = asyncio.get_running_loop().time() + _REST_S

    async def _answer_here(self, parts: Sequence[_Part], answers: list[Answer | None]) -> None:
        moment = self._moment()
        left = []
        for part in parts:
            part.known = self._known(part.asked)
            if part.known is not None and not self._numbers.was_answered_here(part.asked):
                answers[part.at] = part.known
            else:
                left.append(part)
        if not left:
            return
        for part in left:
            self._numbers.answered_here(part.asked)
        try:
            given, effects = await self._journal.run(lambda db: _serve_all(db, left, moment))
        except JournalFull:
            self.figures.full += len(left)
            for part in left:
                # Nothing is stored. A fact stays with its terminal, which brings it again.
                answers[part.at] = Answer(Result.UNAVAILABLE if part.in_doubt else Result.BUSY)
            return
        passed(Point.LOCAL_STORED)
        for part, answer in zip(left, given, strict=True):
            answers[part.at] = answer
            self.figures.decided += part.asked.op in DECIDED
            self.figures.kept += part.asked.op in KEPT
        for terminal_id, count in effects.queued.items():
            self.waiting[terminal_id] = self.waiting.get(terminal_id, 0) + count
        self.holders |= effects.holds
        if effects.queued:
            self._on_queued(effects.queued)

    def _known(self, asked: Asked) -> Answer | None:
        """The platform's own answer to a record that is repeated now that the platform can't be asked."""
        undone = self._recent.get(asked.key._replace(is_reversal=True)) if asked.op in DECIDED else None
        if undone is not None and undone[1].code == Result.APPROVED:
            return Answer(Result.REVERSED)
        found = self._recent.get(asked.key)
        if found is None or asked.op == Operation.BALANCE:
            return None
        first, answer = found
        conflict = asked.differs_from(first)
        is_another = bool(conflict) or asked.chip != first.chip
        if asked.op in FACTS and (is_another or (asked.op != first.op and answer.code != Result.APPROVED)):
            return None  # what has been sold goes up, whatever the platform said under this number (docs/adr/0071)
        return Answer(Result.KEY_CONFLICT, conflict_field=int(conflict)) if conflict else answer


def _serve_all(db: sqlite3.Connection, parts: Sequence[_Part], moment: desk.Moment) -> tuple[list[Answer], desk.Effects]:
    effects = desk.Effects()
    given = [desk.serve(db, part.asked, moment, effects, in_doubt=part.in_doubt, known=part.known) for part in parts]
    return given, effects
