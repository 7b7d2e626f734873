"""On-line requests of many terminals on one line: those that wait go up in one Submit, within the window the platform gives.

Every request keeps its own deadline. One that is given up stays in flight; its answer comes too late, and is dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onecard.fep.line import Line
from onecard.fep.records import Answer, Asked, join, split_answers
from onecard.protocol.native import MAX_RECORDS
from onecard.terminal.errors import LineDown, LineRefused

_IN_FLIGHT = 4
"""Of the window of eight; the rest is for the upload, loads of chips, files and leases."""
_MAX_WAITING = 20_000


@dataclass(slots=True)
class _Group:
    rows: Sequence[Asked]
    answer: "asyncio.Future[list[Answer]]"


class Passing:
    """The queue of requests that wait for the line."""

    def __init__(self, line: Line, *, on_answers: Callable[[Sequence[Asked], Sequence[Answer]], None]) -> None:
        """`on_answers` is told of what the platform says, too late or not."""
        self._line = line
        self._on_answers = on_answers
        self._waiting: deque[_Group] = deque()
        self._rows = 0
        self._flying: set[asyncio.Task[None]] = set()

    async def ask(self, rows: Sequence[Asked], *, within_s: float) -> list[Answer] | None:
        """The platform's answers; None when they did not come in time, so that nothing is known."""
        if not self._line.is_up or self._rows + len(rows) > _MAX_WAITING:
            return None
        group = _Group(rows, asyncio.get_running_loop().create_future())
        self._waiting.append(group)
        self._rows += len(rows)
        self._pump()
        try:
            async with asyncio.timeout(within_s):
                return await group.answer
        except TimeoutError:
            self._line.doubt()
            return None
        except (LineDown, LineRefused, ValueError):
            return None

    async def stop(self) -> None:
        """Give up what is in flight."""
        for task in list(self._flying):
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)

    def _pump(self) -> None:
        while self._waiting and len(self._flying) < _IN_FLIGHT:
            groups = [self._take()]
            size = len(groups[0].rows)
            while self._waiting and size + len(self._waiting[0].rows) <= MAX_RECORDS:
                groups.append(self._take())
                size += len(groups[-1].rows)
            task = asyncio.get_running_loop().create_task(self._send([group for group in groups if not group.answer.done()]))
            self._flying.add(task)
            task.add_done_callback(self._landed)

    def _take(self) -> _Group:
        group = self._waiting.popleft()
        self._rows -= len(group.rows)
        return group

    def _landed(self, task: "asyncio.Task[None]") -> None:
        self._flying.discard(task)
        self._pump()

    async def _send(self, groups: list[_Group]) -> None:
        rows = [row for group in groups for row in group.rows]
        if not rows:
            return
        try:
            answers = split_answers(await self._line.ask.submit(join(rows)))
            if len(answers) != len(rows):
                raise ValueError(f"{len(answers)} answers to {len(rows)} records")
        except (LineDown, LineRefused, ValueError) as error:
            for group in groups:
                if not group.answer.done():
                    group.answer.set_exception(error)
            return
        self._on_answers(rows, answers)
        at = 0
        for group in groups:
            if not group.answer.done():
                group.answer.set_result(answers[at : at + len(group.rows)])
            at += len(group.rows)
