"""Counts and latencies of the application server, per batch and per call and never per record, and their Prometheus form."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from operator import itemgetter, not_
from time import monotonic_ns
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector as PrometheusCollector

from onecard.appserver.calls import MERCHANT, OP, PendingCall, Row, RowAnswers
from onecard.kernel.codes import Operation, Result

_op_of = itemgetter(OP)
_merchant_of = itemgetter(MERCHANT)
_LATENCY_BOUNDS_US = tuple(round(100 * 1.3**step) for step in range(52))
_SIZE_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Histogram:
    """Counts by bucket of whole numbers, with weights."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0

    def add(self, value: int, weight: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += weight
        self.total += value * weight

    def since(self, earlier: Sequence[int]) -> list[int]:
        """Counts by bucket since an earlier copy of `counts`."""
        return [now - before for now, before in zip(self.counts, earlier, strict=True)]

    def quantile(self, counts: Sequence[int], per_cent: int) -> int:
        """The upper bound of the bucket in which the quantile of `counts` lies; 0 when there is nothing."""
        rank, seen = sum(counts) * per_cent, 0
        for bound, count in zip((*self.bounds, self.bounds[-1] * 2), counts, strict=True):
            seen += count * 100
            if count and seen >= rank:
                return bound
        return 0

    def prometheus(self, scale: int) -> tuple[list[tuple[str, float]], float]:
        """Cumulative buckets and sum for Prometheus, values divided by `scale`."""
        buckets, running = [], 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            running += count
            buckets.append((str(bound / scale), float(running)))
        buckets.append(("+Inf", float(running + self.counts[-1])))
        return buckets, self.total / scale


class Gauges(Protocol):
    """What is read at the moment of asking."""

    def depth(self) -> int: ...
    def oldest_age_s(self) -> float: ...
    @property
    def busy_answers(self) -> int: ...


class Meter:
    """What happened since the start."""

    def __init__(self) -> None:
        self.latency_us = Histogram(_LATENCY_BOUNDS_US)
        self.post_us = Histogram(_LATENCY_BOUNDS_US)
        self.batch_rows = Histogram(_SIZE_BOUNDS)
        self.operations: Counter[int] = Counter()
        self.results: Counter[int] = Counter()
        self.approved_by_merchant: Counter[int] = Counter()

    def on_batch(self, rows: Sequence[Row], answers: RowAnswers, seconds: float) -> None:
        """Counts a batch that the database answered."""
        self.batch_rows.add(len(rows))
        self.post_us.add(int(seconds * 1e6))
        self.operations.update(map(_op_of, rows))
        self.results.update(answers.code)
        self.approved_by_merchant.update(compress(map(_merchant_of, rows), map(not_, answers.code)))

    def on_chips(self, merchants: Iterable[int], codes: Sequence[int]) -> None:
        """Counts a batch of chip purchases that was taken in."""
        self.operations[Operation.CHIP_PURCHASE] += len(codes)
        self.results.update(codes)
        self.approved_by_merchant.update(compress(merchants, map(not_, codes)))

    def on_call(self, call: PendingCall) -> None:
        """Takes the time of a call that is answered; it counts for each of its records."""
        self.latency_us.add((monotonic_ns() - call.arrived_ns) // 1000, len(call.codes))


class MeterCollector(PrometheusCollector):
    """Hands the figures to Prometheus when it asks."""

    def __init__(self, meter: Meter, gauges: Gauges, *, directory_age_s: Callable[[], float]) -> None:
        self._meter = meter
        self._gauges = gauges
        self._directory_age_s = directory_age_s

    def collect(self) -> Iterator[Metric]:
        meter, gauges = self._meter, self._gauges
        operations, results = _named(meter.operations, Operation), _named(meter.results, Result)
        yield _counter("onecard_app_records", "Records answered by the ledger, by operation.", "operation", operations)
        yield _counter("onecard_app_results", "Answers of the ledger, by result.", "result", results)
        yield CounterMetricFamily("onecard_app_busy", "Records answered BUSY.", value=gauges.busy_answers)
        yield GaugeMetricFamily("onecard_app_queue_rows", "Records queued or being posted.", value=gauges.depth())
        yield GaugeMetricFamily(
            "onecard_app_oldest_unposted_seconds", "Age of the oldest record not answered yet.", value=gauges.oldest_age_s()
        )
        age_s = min(self._directory_age_s(), 1e9)
        yield GaugeMetricFamily("onecard_app_directory_age_seconds", "Since the directory was known to be current.", value=age_s)
        yield _histogram(
            "onecard_app_latency_seconds", "Arrival of a call to its answer, per record.", meter.latency_us, 1_000_000
        )
        yield _histogram("onecard_app_post_seconds", "One call of the posting function.", meter.post_us, 1_000_000)
        yield _histogram("onecard_app_batch_rows", "Rows a batch.", meter.batch_rows, 1)


def build_registry(meter: Meter, gauges: Gauges, *, directory_age_s: Callable[[], float]) -> CollectorRegistry:
    """A registry with the figures of one application server."""
    registry = CollectorRegistry()
    registry.register(MeterCollector(meter, gauges, directory_age_s=directory_age_s))
    return registry


def _named(counts: Counter[int], names: type[Operation] | type[Result]) -> dict[str, int]:
    return {names(number).name: count for number, count in counts.items()}


def _counter(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _histogram(name: str, text: str, histogram: Histogram, scale: int) -> Metric:
    buckets, total = histogram.prometheus(scale)
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=total)
