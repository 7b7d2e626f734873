"""`onecard bench advice`: offline records in batches, from front-ends by the native driver through every tier to the journal."""

import time

from onecard.city.bench_report import baseline, say, say_json, say_result
from onecard.city.bench_run import load_process, measured, plan_for, running_roles
from onecard.city.bench_town import bench_home, build_town

_FRONT_ENDS = 8
_BATCH = 500
_SLOTS = 2


def run(*, json: bool, quick: bool) -> None:
    """Front-ends send batches of 500 advices, two at a time each, in a closed loop; every record is committed before it is
    answered. The ratio is against pgbench on the same server in the same run."""
    accounts, seconds = (20_000, 4) if quick else (300_000, 20)
    with bench_home() as home:
        town = build_town(home, accounts=accounts, terminals=0, front_ends=_FRONT_ENDS, say=say)
        yardstick = baseline(town.admin_dsn, quick=quick)
        with running_roles(town) as roles:
            first_seq = int(time.time()) * 1_000_000
            plan = plan_for(roles, town.native_lines, driver="native", batch=_BATCH, slots=_SLOTS, first_seq=first_seq)
            with load_process(roles, plan) as load:
                result, cpu = measured(roles, load, f"closed {seconds}")
    say_result(f"{_FRONT_ENDS} front-ends, {_BATCH} records a batch", result, cpu)
    ratio = result["rate"] / yardstick
    say(f"ratio to pgbench: {ratio:.2f} (must 4, aim 10)")
    if json:
        say_json(
            {
                "name": "advice",
                "rate": result["rate"],
                "baseline": round(yardstick, 1),
                "ratio": round(ratio, 3),
                "p50_ms": result["p50_ms"],
                "p99_ms": result["p99_ms"],
                "accounts": accounts,
                "batch_records": _BATCH,
                "processors_by_tier": cpu,
                "quick": quick,
            }
        )
