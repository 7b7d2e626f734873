"""`onecard bench access`: the mission's whole tree of front-ends on one machine, and what the access tier does with it."""

import json as jsonlib
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from onecard.city.bench_report import baseline, say, say_json
from onecard.city.bench_run import Roles, running_roles
from onecard.city.bench_town import bench_home, open_bench_accounts
from onecard.datacenter import dj
from onecard.datacenter.home import Home
from onecard.kernel.errors import Unavailable

_HOLD_S = 60.0
_DENY_SHARE = 100
"""One card in so many is on the deny list."""
_CHANGES = 3


@dataclass(frozen=True, slots=True)
class _Size:
    operators: int
    units: int
    accounts: int
    hold_s: float
    front_ends: int
    """That catch up, with so many records each."""
    records: int


_WHOLE = _Size(operators=64, units=255, accounts=300_000, hold_s=_HOLD_S, front_ends=60, records=10_000)
_QUICK = _Size(operators=4, units=64, accounts=20_000, hold_s=10.0, front_ends=8, records=2_000)


@dataclass(frozen=True, slots=True)
class _Place:
    home: Home


def run(
    *,
    json: bool,
    quick: bool,
    readers: Annotated[bool, typer.Option(help="是否测量 OSDP 升级 Whether to measure the upgrade of readers.")] = True,
) -> None:
    """整棵树的前置机 64 operators × 255 units, a front-end each, towards one gateway: memory, restart, deny list, catch-up.

    Then what a front-end decides by itself (`bench fep`) and the upgrade of 32 readers on one bus (`driver bus --upgrade`).
    """
    size = _QUICK if quick else _WHOLE
    fields: dict[str, Any] = {"name": "access", "quick": quick}
    with bench_home() as home:
        dj.setup()
        fields |= _tree(home, size, quick=quick)
    fields["front_end"] = _command("bench", "fep", quick=quick)
    if readers:
        say("upgrade of 32 readers on one RS-485 bus, while people tap:")
        done = subprocess.run([sys.executable, "-m", "onecard", "driver", "bus", "--upgrade", "--readers", "32"], check=False)
        fields["readers_in_time"] = done.returncode == 0
    if json:
        say_json(fields)


def _tree(home: Home, size: _Size, *, quick: bool) -> dict[str, Any]:
    from onecard.city.access import parts
    from onecard.city.access.tree import build_tree
    from onecard.city.updates import prepare_repository
    from onecard.services.keys import api as keys

    keys.init_demo(home)
    prepare_repository(home)
    fleet = build_tree(home, operators=size.operators, units=size.units, say=say)
    cards = open_bench_accounts(home, size.accounts, operator=fleet.operator, card_type=fleet.card_type, say=say)
    parts.bar_cards(home, cards, every=_DENY_SHARE)
    yardstick = baseline(parts.admin_dsn(home), quick=quick)
    found: dict[str, Any] = {"front_ends": len(fleet.lines), "baseline": round(yardstick, 1)}
    with running_roles(_Place(home), worker=True) as roles:
        with parts.fleet_process(home, fleet, port=roles.native_port) as load:
            found["connect"] = parts.connect(roles, load, say=say)
            found["hold"] = parts.hold(roles, load, seconds=size.hold_s, say=say)
            found["deny"] = [parts.deny(home, load, cards, place=place, say=say) for place in range(_CHANGES)]
            found["restart"] = parts.restart(roles, load, say=say)
        found["catch_up"] = _catch_up(home, roles, fleet, size, yardstick=yardstick)
    return found


def _catch_up(home: Home, roles: Roles, fleet: Any, size: _Size, *, yardstick: float) -> dict[str, Any]:
    from onecard.city.access import parts

    found = parts.catch_up(home, roles, fleet, front_ends=size.front_ends, records=size.records, say=say)
    found["ratio"] = round(found["rate"] / yardstick, 3)
    say(f"  ratio to pgbench: {found['ratio']:.2f}")
    return found


def _command(*words: str, quick: bool) -> dict[str, Any]:
    """Another measurement of this program, its lines shown, its last one read."""
    command = [sys.executable, "-m", "onecard", *words, "--json", *(("--quick",) if quick else ())]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = line.rstrip()
            if not last.startswith("{"):
                say(last)
    if process.returncode:
        raise Unavailable(f"{' '.join(words)} 失败", f"{' '.join(words)} has failed")
    found: dict[str, Any] = jsonlib.loads(last)
    return found
