"""The two ways to put a load on: closed loop (each terminal pays again as soon as it has its answer) and paced (payments fall due
at a fixed rate, whatever the answers do), and the times they take. No protocol in here.

In paced mode a payment's time starts when it falls due, not when a terminal is free to send it: a platform that stalls can't
hide the payments that it kept waiting.
"""

import asyncio
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from time import perf_counter_ns
from typing import Protocol

_TICK_S = 0.002
_APPROVED = ("00", 0)


class Payer(Protocol):
    """Something that can make one payment at a time, and says so to its driver when it is answered."""

    def pay(self, due_ns: int) -> None: ...


class Recorder:
    """Times and results of one measured stretch."""

    def __init__(self) -> None:
        self.times_ns = array("q")
        self.results: Counter[str | int] = Counter()
        self.begin_ns = 0
        self.end_ns = 0

    def summary(self) -> dict[str, float | int | dict[str, int]]:
        """Rate of approved records, percentiles in milliseconds of all, and counts by result."""
        ordered = sorted(self.times_ns)
        count = sum(number for result, number in self.results.items() if result in _APPROVED)
        seconds = (self.end_ns - self.begin_ns) / 1e9
        return {
            "count": count,
            "seconds": round(seconds, 3),
            "rate": round(count / seconds, 1) if seconds else 0,
            "p50_ms": percentile_ms(ordered, 50),
            "p99_ms": percentile_ms(ordered, 99),
            "max_ms": percentile_ms(ordered, 100),
            "results": {str(result): number for result, number in self.results.items()},
        }


def percentile_ms(ordered_ns: Sequence[int], per_cent: int) -> float:
    """A percentile (nearest rank) of sorted nanoseconds, in milliseconds."""
    if not ordered_ns:
        return 0.0
    rank = max(-(-len(ordered_ns) * per_cent // 100), 1)
    return round(ordered_ns[rank - 1] / 1e6, 2)


class Driver:
    """Keeps payers paying. `rate` None: closed loop."""

    def __init__(self, payers: Sequence[Payer], *, rate: float | None = None) -> None:
        self._payers = payers
        self._rate = rate
        self._free: deque[Payer] = deque()
        self._due: deque[int] = deque()
        self._running = False
        self._busy = 0
        self._quiet = asyncio.Event()
        self.recorder: Recorder | None = None

    async def run(self, *, warm_up_s: float, seconds: float) -> Recorder:
        """Loads for a while, measures after the warm-up, and returns when the last answer is in."""
        recorder = Recorder()
        self._running = True
        feeder = asyncio.create_task(self._feed()) if self._rate is not None else None
        if feeder is None:
            now = perf_counter_ns()
            for payer in self._payers:
                self._send(payer, now)
        else:
            self._free.extend(self._payers)
        await asyncio.sleep(warm_up_s)
        recorder.begin_ns = perf_counter_ns()
        self.recorder = recorder
        await asyncio.sleep(seconds)
        recorder.end_ns = perf_counter_ns()
        self.recorder = None
        self._running = False
        if feeder is not None:
            feeder.cancel()
        async with asyncio.timeout(30):
            while self._busy:
                self._quiet.clear()
                await self._quiet.wait()
        return recorder

    def answered(self, payer: Payer, due_ns: int, results: Iterable[str | int]) -> None:
        """A payer has its answer: one result for each record that it sent, one time for all of them."""
        now = perf_counter_ns()
        recorder = self.recorder
        if recorder is not None:
            recorder.results.update(results)
            recorder.times_ns.append(now - due_ns)
        self._busy -= 1
        if not self._running:
            if not self._busy:
                self._quiet.set()
        elif self._rate is None:
            self._send(payer, now)
        elif self._due:
            self._send(payer, self._due.popleft())
        else:
            self._free.append(payer)

    def _send(self, payer: Payer, due_ns: int) -> None:
        self._busy += 1
        payer.pay(due_ns)

    async def _feed(self) -> None:
        assert self._rate is not None
        begin, released = perf_counter_ns(), 0
        interval_ns = 1e9 / self._rate
        while True:
            await asyncio.sleep(_TICK_S)
            owed = int((perf_counter_ns() - begin) / interval_ns)
            while released < owed:
                due = begin + int(released * interval_ns)
                released += 1
                if self._free:
                    self._send(self._free.popleft(), due)
                else:
                    self._due.append(due)
