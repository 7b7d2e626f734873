"""The load generator's two ways of putting a load on."""

import asyncio
from time import perf_counter_ns

from onecard.city.loadgen_pace import Driver, percentile_ms


class _Payer:
    """Is answered by its test's platform after `delay_s`."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s = delay_s
        self.driver: Driver | None = None
        self.paying = False

    def pay(self, due_ns: int) -> None:
        assert not self.paying, "a terminal makes one payment at a time"
        self.paying = True
        asyncio.get_running_loop().call_later(self.delay_s, self._answer, due_ns)

    def _answer(self, due_ns: int) -> None:
        assert self.driver is not None
        self.paying = False
        self.driver.answered(self, due_ns, ("00",))


def _driver(payers: list[_Payer], rate: float | None) -> Driver:
    driver = Driver(payers, rate=rate)
    for payer in payers:
        payer.driver = driver
    return driver


async def test_in_a_closed_loop_each_terminal_pays_again_when_it_is_answered() -> None:
    payers = [_Payer(0.01) for _ in range(4)]
    recorder = await _driver(payers, None).run(warm_up_s=0.02, seconds=0.3)
    summary = recorder.summary()
    assert isinstance(summary["count"], int)
    assert 40 <= summary["count"] <= 124
    assert not any(payer.paying for payer in payers)


async def test_paced_payments_count_from_the_moment_they_fell_due() -> None:
    begin = perf_counter_ns()
    recorder = await _driver([_Payer(0.05)], 100).run(warm_up_s=0, seconds=0.3)
    # A hundred a second fall due and twenty can be made: those that wait for the one terminal show it.
    assert max(recorder.times_ns) > 100_000_000
    assert max(recorder.times_ns) < perf_counter_ns() - begin


def test_percentiles_are_values_that_occurred() -> None:
    times = [number * 1_000_000 for number in range(1, 101)]
    assert [percentile_ms(times, share) for share in (1, 50, 99, 100)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile_ms([], 50) == 0.0
