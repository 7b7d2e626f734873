"""What a gateway counts: plain integers on the hot path, turned into Prometheus families only when somebody asks."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

_BOUNDS_MS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 56, 80, 110, 160, 220, 320, 450, 640, 900, 1300, 2000, 4000, 8000)


class Latency:
    """A histogram of milliseconds; the last report interval separately, for p50 and p99 of now."""

    __slots__ = ("_interval", "counts", "total_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_MS) + 1)
        self.total_ms = 0.0
        self._interval = [0] * (len(_BOUNDS_MS) + 1)

    def observe(self, seconds: float, *, times: int = 1) -> None:
        """Count `times` answers that took so long."""
        ms = seconds * 1000
        bucket = bisect_left(_BOUNDS_MS, ms)
        self.counts[bucket] += times
        self._interval[bucket] += times
        self.total_ms += ms * times

    def take_interval(self) -> tuple[int, float, float]:
        """Count, p50 and p99 (upper bounds of their buckets) since the last call."""
        counts, self._interval = self._interval, [0] * (len(_BOUNDS_MS) + 1)
        return sum(counts), _quantile(counts, 0.5), _quantile(counts, 0.99)


class Counters:
    """All counters of one gateway. `refused`, `closed` and `results` are by reason."""

    def __init__(self) -> None:
        self.accepted = 0
        self.records = 0
        self.batches = 0
        self.frames: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.results: Counter[int] = Counter()
        self.loads: Counter[int] = Counter()
        self.enrolments: Counter[int] = Counter()
        self.web_requests = 0
        self.mac_wrong = 0
        self.app_failures = 0
        self.events = 0
        self.events_dropped = 0
        self.latency = Latency()
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def collect(self) -> Iterable[Metric]:
        """For a Prometheus registry."""
        yield CounterMetricFamily("onecard_gateway_accepted", "Connections accepted.", value=self.accepted)
        yield CounterMetricFamily("onecard_gateway_records", "Records sent to application servers.", value=self.records)
        yield CounterMetricFamily("onecard_gateway_batches", "Post calls answered.", value=self.batches)
        yield CounterMetricFamily("onecard_gateway_mac_wrong", "Messages with a wrong MAC.", value=self.mac_wrong)
        yield CounterMetricFamily("onecard_gateway_app_failures", "Failed calls to application servers.", value=self.app_failures)
        yield CounterMetricFamily("onecard_gateway_events", "Events of devices stored by the platform.", value=self.events)
        yield CounterMetricFamily(
            "onecard_gateway_events_dropped", "Events of ports lost for want of room.", value=self.events_dropped
        )
        yield _labelled("onecard_gateway_frames", "Frames received.", "driver", self.frames)
        yield _labelled("onecard_gateway_refused", "Connections refused before any business.", "reason", self.refused)
        yield _labelled("onecard_gateway_closed", "Lines closed by the gateway.", "reason", self.closed)
        yield _labelled("onecard_gateway_results", "Answers by result number.", "result", self.results)
        yield _labelled("onecard_gateway_chip_loads", "Steps of chip loads by result number.", "result", self.loads)
        yield _labelled("onecard_gateway_enrolments", "One-time codes tried, by result number.", "result", self.enrolments)
        yield CounterMetricFamily("onecard_gateway_web_requests", "Requests of workstations.", value=self.web_requests)
        yield self._latency_family()
        for name, (text, value) in self.gauges.items():
            yield GaugeMetricFamily(f"onecard_gateway_{name}", text, value=value())

    def _latency_family(self) -> Metric:
        buckets, running = [], 0
        for bound, count in zip((*_BOUNDS_MS, None), self.latency.counts, strict=True):
            running += count
            buckets.append((str(bound / 1000) if bound is not None else "+Inf", running))
        return HistogramMetricFamily(
            "onecard_gateway_answer_seconds",
            "From the request's last byte to its answer.",
            buckets=buckets,
            sum_value=self.latency.total_ms / 1000,
        )


def _labelled(name: str, text: str, label: str, counter: Counter[str] | Counter[int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in counter.items():
        family.add_metric([str(key)], value)
    return family


def _quantile(counts: list[int], share: float) -> float:
    total = sum(counts)
    if not total:
        return 0.0
    running = 0
    for bucket, count in enumerate(counts):
        running += count
        if running >= total * share:
            return float(_BOUNDS_MS[min(bucket, len(_BOUNDS_MS) - 1)])
    return float(_BOUNDS_MS[-1])
