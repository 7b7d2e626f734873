"""A worker's answers when the database refuses, fails or is away. A fake database; the real one is in test_posting.py."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
import pytest
from psycopg import errors

from onecard.appserver.calls import AMOUNT, CARD, PendingCall, Row, RowAnswers
from onecard.appserver.collector import Collector
from onecard.appserver.worker import WorkerLimits
from onecard.kernel.codes import Result
from tests.appserver.rows import row

pytestmark = pytest.mark.asyncio
Behaviour = Callable[[Sequence[Row]], Awaitable[RowAnswers]]


class _Connection:
    async def close(self) -> None: ...


async def _connect() -> psycopg.AsyncConnection[Any]:
    return cast("psycopg.AsyncConnection[Any]", _Connection())


def _approve(rows: Sequence[Row]) -> RowAnswers:
    size = len(rows)
    return RowAnswers([0] * size, [row[AMOUNT] for row in rows], list(range(1, size + 1)), [0] * size)


@asynccontextmanager
async def _collector(behaviour: Behaviour, *, queue_rows: int = 100, deadline_s: float = 5) -> AsyncIterator[Collector]:
    async def execute(connection: object, rows: Sequence[Row]) -> RowAnswers:
        return await behaviour(rows)

    collector = Collector(
        lambda lane: execute,
        enquire=execute,
        queue_rows=queue_rows,
        limits=WorkerLimits(batch_rows=10, deadline_s=deadline_s),
        connect=_connect,
        on_batch=lambda rows, answers, seconds: None,
    )
    try:
        yield collector
    finally:
        await collector.stop()


def _call(collector: Collector, cards: list[int]) -> PendingCall:
    call = PendingCall(len(cards))
    collector.post({0: [row(call, index, card_no=card, seq=card * 100 + index) for index, card in enumerate(cards)]})
    return call


async def test_what_is_in_flight_is_posted_as_one_call() -> None:
    batches: list[int] = []

    async def behave(rows: Sequence[Row]) -> RowAnswers:
        batches.append(len(rows))
        await asyncio.sleep(0)
        return _approve(rows)

    async with _collector(behave) as collector:
        calls = [_call(collector, [index + 1]) for index in range(7)]
        await asyncio.gather(*(call.done for call in calls))
    assert batches == [7]
    assert [(call.codes, call.balances) for call in calls] == [([0], [100])] * 7


async def test_a_row_that_the_database_cannot_take_does_not_fail_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def behave(rows: Sequence[Row]) -> RowAnswers:
        if any(row[CARD] == 5 for row in rows):
            raise errors.NumericValueOutOfRange("poison")
        return _approve(rows)

    async with _collector(behave) as collector:
        call = _call(collector, list(range(1, 9)))
        await call.done
    assert call.codes == [0, 0, 0, 0, Result.FORMAT, 0, 0, 0]
    assert "poison" in caplog.text


async def test_a_batch_in_doubt_is_posted_again_on_a_new_connection() -> None:
    attempts: list[list[int]] = []

    async def behave(rows: Sequence[Row]) -> RowAnswers:
        attempts.append([row[CARD] for row in rows])
        if len(attempts) == 1:
            raise errors.AdminShutdown("terminating connection")
        return _approve(rows)

    async with _collector(behave) as collector:
        call = _call(collector, [1, 2])
        await call.done
    assert attempts == [[1, 2], [1, 2]]
    assert call.codes == [0, 0]


async def test_a_deadlock_is_tried_again() -> None:
    attempts: list[int] = []

    async def behave(rows: Sequence[Row]) -> RowAnswers:
        attempts.append(len(rows))
        if len(attempts) < 3:
            raise errors.DeadlockDetected("deadlock")
        return _approve(rows)

    async with _collector(behave) as collector:
        call = _call(collector, [1])
        await call.done
    assert (attempts, call.codes) == ([1, 1, 1], [0])


async def test_unavailable_is_answered_when_the_database_stays_away() -> None:
    async def behave(rows: Sequence[Row]) -> RowAnswers:
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    async with _collector(behave, deadline_s=0.05) as collector:
        call = _call(collector, [1, 2])
        await call.done
    assert call.codes == [Result.UNAVAILABLE] * 2


async def test_records_over_the_bound_are_answered_busy_at_once() -> None:
    going_on = asyncio.Event()

    async def behave(rows: Sequence[Row]) -> RowAnswers:
        await going_on.wait()
        return _approve(rows)

    async with _collector(behave, queue_rows=3) as collector:
        call = _call(collector, [1, 2, 3, 4, 5])
        assert call.codes[3:] == [Result.BUSY, Result.BUSY]
        assert collector.busy_answers == 2
        going_on.set()
        await call.done
    assert call.codes == [0, 0, 0, Result.BUSY, Result.BUSY]


async def test_a_key_that_another_lane_has_just_used_is_looked_at_again() -> None:
    attempts: list[int] = []

    async def behave(rows: Sequence[Row]) -> RowAnswers:
        attempts.append(len(rows))
        if len(attempts) == 1:
            raise errors.UniqueViolation("posting_key_pkey")
        return RowAnswers([0, Result.KEY_CONFLICT], [100, 0], [1, 0], [0, 2])

    async with _collector(behave) as collector:
        call = _call(collector, [1, 2])
        await call.done
    assert (attempts, call.codes, call.fields) == ([2, 2], [0, Result.KEY_CONFLICT], [0, 2])


async def test_an_unexpected_error_does_not_take_the_lane_with_it(caplog: pytest.LogCaptureFixture) -> None:
    async def behave(rows: Sequence[Row]) -> RowAnswers:
        if rows[0][CARD] == 1:
            raise ZeroDivisionError
        return _approve(rows)

    async with _collector(behave) as collector:
        with caplog.at_level(logging.CRITICAL):
            first = _call(collector, [1])
            await first.done
        second = _call(collector, [2])
        await second.done
    assert (first.codes, second.codes) == ([Result.UNAVAILABLE], [0])


async def test_draining_waits_for_every_answer() -> None:
    going_on = asyncio.Event()

    async def behave(rows: Sequence[Row]) -> RowAnswers:
        await going_on.wait()
        return _approve(rows)

    async with _collector(behave) as collector:
        call = _call(collector, [1, 1, 1])
        assert not await collector.drain(timeout_s=0.01)
        going_on.set()
        assert await collector.drain(timeout_s=5)
        assert call.codes == [0, 0, 0]
