"""`onecard bench purchase`: on-line purchases through every tier, load generator → TLS ISO 8583 → gateway → application server →
PostgreSQL and back, every tier a process of its own, all on this machine.
"""

from collections.abc import Sequence
from typing import Any

from onecard.city.bench_report import baseline, say, say_json, say_result
from onecard.city.bench_run import Roles, load_process, measured, plan_for, running_roles
from onecard.city.bench_town import BenchLine, bench_home, build_town

_FEW = 200
_SHARE = 0.7


def run(*, json: bool, quick: bool) -> None:
    """Peak with 200 and with 2,000 terminals in a closed loop, p99 at 70 % of the peak with payments falling due at a fixed rate,
    and what an idle TLS terminal costs the gateway; the ratio is against pgbench on the same server in the same run."""
    accounts, many, seconds = (20_000, 400, 4) if quick else (300_000, 2_000, 20)
    with bench_home() as home:
        town = build_town(home, accounts=accounts, terminals=many, front_ends=0, say=say)
        yardstick = baseline(town.admin_dsn, quick=quick)
        with running_roles(town) as roles:
            few, paced, cpu = _few(roles, town.iso_lines, seconds)
            crowd, idle_kb = _many(roles, town.iso_lines[:many], seconds)
    best = max(few["rate"], crowd["rate"])
    ratio = best / yardstick
    say(f"ratio to pgbench: {ratio:.2f} (must 1.5, aim 3); p99 at {_SHARE:.0%} of the peak {paced['p99_ms']} ms (must < 100)")
    say(f"an idle TLS terminal costs the gateway {idle_kb:.1f} KB (must < 100)")
    if json:
        say_json(
            {
                "name": "purchase",
                "rate": best,
                "baseline": round(yardstick, 1),
                "ratio": round(ratio, 3),
                "p50_ms": few["p50_ms"],
                "p99_ms": few["p99_ms"],
                "rate_200": few["rate"],
                f"rate_{many}": crowd["rate"],
                f"p50_ms_{many}": crowd["p50_ms"],
                f"p99_ms_{many}": crowd["p99_ms"],
                "rate_at_70": paced["rate"],
                "p50_ms_at_70": paced["p50_ms"],
                "p99_ms_at_70": paced["p99_ms"],
                "idle_terminal_kb": round(idle_kb, 1),
                "accounts": accounts,
                "processors_by_tier": cpu,
                "quick": quick,
            }
        )


def _few(roles: Roles, lines: Sequence[BenchLine], seconds: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    with load_process(roles, plan_for(roles, lines[:_FEW], driver="iso8583")) as load:
        peak, cpu = measured(roles, load, f"closed {seconds}")
        say_result(f"closed loop, {_FEW} terminals", peak, cpu)
        rate = peak["rate"] * _SHARE
        paced, paced_cpu = measured(roles, load, f"paced {rate:.0f} {seconds}")
        say_result(f"paced at {_SHARE:.0%} of it, {_FEW} terminals", paced, paced_cpu)
    return peak, paced, cpu


def _many(roles: Roles, lines: Sequence[BenchLine], seconds: int) -> tuple[dict[str, Any], float]:
    before = roles.resident_kb("gateway")
    with load_process(roles, plan_for(roles, lines, driver="iso8583")) as load:
        idle_kb = (roles.resident_kb("gateway") - before) / len(lines)
        crowd, cpu = measured(roles, load, f"closed {seconds}")
        say_result(f"closed loop, {len(lines)} terminals", crowd, cpu)
    return crowd, idle_kb
