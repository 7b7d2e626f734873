"""`onecard bench clear`: a day of a million transactions, posted by the ledger itself, is cut, settled, proved and measured."""

import json as jsonlib
import sys
import time
from dataclasses import dataclass, field
from random import Random
from statistics import median

import psycopg

from onecard.services.settlement.bench_city import LANES, BenchCity, build, post_all
from onecard.services.settlement.bench_memory import BackendMemory, peak_rss_kb, reset_peak_rss

_SCRATCH = "onecard_bench_clear"
_FULL, _QUICK = 1_000_000, 100_000
_SEED = 20180901


@dataclass(slots=True)
class _Times:
    """When each step of the run ended, and which phase it belonged to."""

    at: float = field(default_factory=time.perf_counter)
    steps: list[tuple[str, float]] = field(default_factory=list)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.steps.append((name, now - self.at))
        self.at = now

    def phase(self, *names: str) -> float:
        return sum(seconds for name, seconds in self.steps if name in names)


def run(*, json: bool = False, quick: bool = False) -> None:
    """Make the day in a database of its own, settle it, and compare with pgbench on the same server."""
    from onecard.datacenter import dj, dsn, pgbench, prepared
    from onecard.datacenter.scratch import scratch_database

    prepared.start()
    owner = dsn.owner_dsn()
    _say("pgbench -M prepared (TPC-B) …")
    baseline = pgbench.best_tps(owner, seconds=2 if quick else 5)
    with scratch_database(owner, _SCRATCH) as (owner_dsn, app_dsn), dj.connected_as(app_dsn):
        _say("building the city …")
        city = build(owner_dsn, Random(_SEED))  # noqa: S311 (the same city every time)
        count = _QUICK if quick else _FULL
        started = time.perf_counter()
        post_all(owner_dsn, city, count, lambda done: _say(f"posted {done:,} of {count:,}", same_line=True))
        posted_s = time.perf_counter() - started
        result = _settle(owner_dsn, city, count)
    result |= {"post_per_s": round(count / posted_s), "baseline": round(baseline), "ratio": round(result["rate"] / baseline, 1)}
    _print(result)
    if json:
        sys.stdout.write(jsonlib.dumps(result, ensure_ascii=False) + "\n")


def _settle(owner_dsn: str, city: BenchCity, count: int) -> dict[str, float]:
    from django.db import connection

    from onecard.services.settlement import api

    connection.ensure_connection()
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE ledger.transfer")
    reset_peak_rss()
    cut_started = time.perf_counter()
    run_ = api.day_cut()
    cut_ms = (time.perf_counter() - cut_started) * 1000
    times = _Times()
    with BackendMemory(connection.connection.info.backend_pid) as backend:
        done = api.run_settlement(run_.pk, lambda at: times.lap(at.name))
    assert done.state == "balanced", done.failure
    total = times.phase("clear", "settle", "post", "sheets", "check")
    clear = times.phase("clear")
    laps = sorted(
        seconds * 1000 for name, seconds in times.steps if seconds > 0.001 and name != "audit"
    )  # without the empty lanes
    return {
        "name": "clear",  # type: ignore[dict-item]
        "rate": round(count / total),
        "p50_ms": round(median(laps), 1),
        "p99_ms": round(laps[-1], 1),  # a run has a dozen steps that do something: the longest is the tail
        "rows": done.transfer_count,
        "merchants": len(city.merchants),
        "terminals": city.terminals,
        "cut_ms": round(cut_ms, 1),
        "clear_s": round(clear, 2),
        "clear_rows_per_s": round(done.transfer_count / clear),
        "settle_s": round(times.phase("settle", "post"), 2),
        "sheets_s": round(times.phase("sheets"), 2),
        "check_s": round(times.phase("check"), 2),
        "audit_s": round(times.phase("audit"), 2),
        "total_s": round(total, 2),
        "rate_with_audit": round(count / (total + times.phase("audit"))),
        "peak_rss_mb": round(peak_rss_kb() / 1024),
        "postgres_peak_mb": round(backend.peak_kb / 1024),
    }


def _print(result: dict[str, float]) -> None:
    lines = (
        f"方法 Method: {result['rows']:,} transfers, {len(LANES)} lanes, {result['merchants']} merchants,"
        f" {result['terminals']} terminals;",
        "  day cut, clearing, fees, netting, postings, sheets and the run's checks, then the ledger's quick audit.",
        f"日切 Cut {result['cut_ms']} ms   清分 Clear {result['clear_s']} s ({result['clear_rows_per_s']:,} rows/s)"
        f"   结算 Settle {result['settle_s']} s",
        f"结算单 Sheets {result['sheets_s']} s   核对 Check {result['check_s']} s   审计 Audit {result['audit_s']} s",
        f"整批 Whole run {result['total_s']} s: {result['rate']:,}/s; pgbench {result['baseline']:,}/s; {result['ratio']} x;"
        f" 含审计 with the audit {result['rate_with_audit']:,}/s",
        f"内存 Peak memory: process {result['peak_rss_mb']} MB, PostgreSQL backend {result['postgres_peak_mb']} MB (private)",
    )
    sys.stdout.write("\n".join(lines) + "\n")


def _say(text: str, *, same_line: bool = False) -> None:
    sys.stderr.write(f"\r{text}" if same_line and sys.stderr.isatty() else f"{text}\n" if not same_line else "")
    sys.stderr.flush()
