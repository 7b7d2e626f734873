"""Records on their way to the application server: what is waiting goes up as one batch, a few batches at a time.

The first batch leaves at once; while calls are in flight the next one waits for more records the more calls there are, or for two
milliseconds. So a quiet gateway adds no delay and a busy one shares the price of a call among many records.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from itertools import repeat

from onecard.gateway.apps import AppServers
from onecard.gateway.drivers.base import ManyDone, OneDone, Row
from onecard.gateway.errors import AppBusyError, AppUnavailableError
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import UplinkLimits
from onecard.kernel.codes import Result
from onecard.protocol.native import append_records, constant_answers
from onecard.protocol.proto.app_pb2 import PostBatch
from onecard.protocol.proto.records_pb2 import Answers, Records

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Group:
    line_id: int
    records: Records
    count: int
    done: ManyDone
    since: float


class Uplink:
    """The queue and the calls. Every record accepted gets exactly one answer, whatever happens."""

    def __init__(self, apps: AppServers, *, limits: UplinkLimits, counters: Counters, gateway: str) -> None:
        self._apps = apps
        self._limits = limits
        self._counters = counters
        self._gateway = gateway
        self._rows: list[Row] = []
        self._row_lines: list[int] = []
        self._row_done: list[OneDone] = []
        self._row_since: list[float] = []
        self._groups: deque[_Group] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._pump_set = False
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self.waiting = 0
        self.halted = True
        """Set while the authorised list is too old to trust: everything is answered UNAVAILABLE."""

    @property
    def calls(self) -> int:
        """Post calls in flight."""
        return len(self._calls)

    def submit_one(self, line_id: int, row: Row, done: OneDone) -> Result | None:
        """Take one record; `done` gets its answer. A Result when it is not taken, and then `done` is not called."""
        if (refusal := self._refusal()) is not None:
            return refusal
        self._rows.append(row)
        self._row_lines.append(line_id)
        self._row_done.append(done)
        self._row_since.append(self._loop.time())
        self.waiting += 1
        self._wake()
        return None

    def submit_many(self, line_id: int, records: Records, *, count: int, done: ManyDone) -> Result | None:
        """Take `count` records in columns; they stay together in one batch. Otherwise as `submit_one`."""
        if (refusal := self._refusal()) is not None:
            return refusal
        self._groups.append(_Group(line_id, records, count, done, self._loop.time()))
        self.waiting += count
        self._wake()
        return None

    def expire(self) -> None:
        """Answer BUSY to what has waited for the whole deadline without being sent: nothing was posted."""
        self._give_up(before=self._loop.time() - self._limits.deadline_s)

    async def drain(self, timeout_s: float) -> None:
        """Take nothing more, wait until everything taken is answered, at most so long; then give up what is left."""
        self._draining = True
        deadline = self._loop.time() + timeout_s
        while (self._calls or self.waiting) and self._loop.time() < deadline:
            self._pump()
            await asyncio.wait(self._calls or {asyncio.ensure_future(asyncio.sleep(0.01))}, timeout=0.1)
        self._give_up(before=float("inf"))
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()

    def _give_up(self, *, before: float) -> None:
        late = 0
        while late < len(self._row_since) and self._row_since[late] < before:
            late += 1
        if late:
            done, self._row_done = self._row_done[:late], self._row_done[late:]
            del self._rows[:late], self._row_lines[:late], self._row_since[:late]
            self.waiting -= late
            _answer_rows(done, None, Result.BUSY)
        while self._groups and self._groups[0].since < before:
            group = self._groups.popleft()
            self.waiting -= group.count
            _answer_groups([group], 0, None, code=Result.BUSY)

    def _refusal(self) -> Result | None:
        if self.halted:
            return Result.UNAVAILABLE
        full = self._draining or self.waiting >= self._limits.waiting_records
        return Result.BUSY if full else None

    def _wake(self) -> None:
        if not self._pump_set:
            self._pump_set = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Send as many batches as the rule of the module's first lines allows."""
        self._pump_set = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self.waiting and (calls := len(self._calls)) < self._limits.calls:
            if calls and self.waiting < calls * self._limits.records_per_call:
                self._timer = self._loop.call_later(self._limits.linger_s, self._send_lingering)
                return
            self._send()

    def _send_lingering(self) -> None:
        self._timer = None
        if self.waiting and len(self._calls) < self._limits.calls:
            self._send()

    def _send(self) -> None:
        size = self._limits.batch_records
        rows, self._rows = self._rows[:size], self._rows[size:]
        lines, self._row_lines = self._row_lines[:size], self._row_lines[size:]
        row_done, self._row_done = self._row_done[:size], self._row_done[size:]
        since, self._row_since = self._row_since[:size], self._row_since[size:]
        count = len(rows)
        oldest = since[0] if since else self._loop.time()
        batch = PostBatch(gateway=self._gateway, records=_columns(rows), line_id=lines)
        groups: list[_Group] = []
        # A group of 1000 beside many single records makes a batch of up to twice the size, so that neither kind starves.
        while self._groups and (not groups or count + self._groups[0].count <= size):
            group = self._groups.popleft()
            oldest = min(oldest, group.since)
            append_records(batch.records, group.records)
            batch.line_id.extend(repeat(group.line_id, group.count))
            count += group.count
            groups.append(group)
        self.waiting -= count
        call = self._loop.create_task(self._post(batch, row_done, groups, count=count, since=oldest))
        self._calls.add(call)
        call.add_done_callback(self._called)

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) is not None:
            _log.error("batch failed", exc_info=error)
        self._wake()

    async def _post(self, batch: PostBatch, row_done: list[OneDone], groups: list[_Group], *, count: int, since: float) -> None:
        answers: Answers | None = None
        failure = Result.UNAVAILABLE
        try:
            left = max(0.1, self._limits.deadline_s - (self._loop.time() - since))
            reply = await self._apps.post(batch, deadline_s=left)
            if all(len(column) == count for column in _answer_columns(reply.answers)):
                answers = reply.answers
                self._counters.records += count
                self._counters.batches += 1
            else:
                _log.error("application server answered %d of %d records", len(reply.answers.code), count)
        except AppBusyError:
            failure = Result.BUSY
        except AppUnavailableError:
            pass
        finally:
            _answer_rows(row_done, answers, failure)
            _answer_groups(groups, len(row_done), answers, code=failure)


def _columns(rows: list[Row]) -> Records:
    if not rows:
        return Records()
    op, terminal, seq, card, amount, occurred, orig_terminal, orig_seq = zip(*rows, strict=True)
    return Records(
        op=op,
        terminal_id=terminal,
        terminal_seq=seq,
        card_no=card,
        amount_fen=amount,
        occurred_at_us=occurred,
        orig_terminal_id=orig_terminal,
        orig_seq=orig_seq,
    )


def _answer_columns(answers: Answers) -> tuple[list[int], ...]:
    return answers.code, answers.balance_fen, answers.transfer_id, answers.conflict_field  # type: ignore[return-value]


def _answer_rows(done: list[OneDone], answers: Answers | None, failure: Result) -> None:
    """Hand out the answers of single records; one session's failure does not reach the next."""
    columns: zip[tuple[int, ...]] | repeat[tuple[int, ...]]
    columns = zip(*_answer_columns(answers)) if answers is not None else repeat((int(failure), 0, 0, 0))  # noqa: B905
    for one, answer in zip(done, columns):  # noqa: B905 - the groups' answers follow in the same columns
        try:
            one(*answer)
        except Exception:
            _log.exception("answer could not be delivered")


def _answer_groups(groups: list[_Group], start: int, answers: Answers | None, *, code: Result) -> None:
    for group in groups:
        end = start + group.count
        part = (
            constant_answers(group.count, code)
            if answers is None
            else Answers(
                code=answers.code[start:end],
                balance_fen=answers.balance_fen[start:end],
                transfer_id=answers.transfer_id[start:end],
                conflict_field=answers.conflict_field[start:end],
            )
        )
        start = end
        try:
            group.done(part)
        except Exception:
            _log.exception("answers could not be delivered")
