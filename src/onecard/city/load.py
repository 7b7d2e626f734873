"""Loads the demonstration city: the tree in one transaction, then people, accounts and cards in chunks, each a transaction.

What is loaded is marked in the same transaction (`city.loaded`), so an interrupted loading goes on with the chunk it had not
finished, and a loaded city is recognised. Numbers come from the plan's seed: a chunk done again would be the same rows.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

import psycopg
from django.db import connection, transaction
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from onecard.city.chips import setup as chips
from onecard.city.devices import enrol_lines
from onecard.city.fronts import find_front_end
from onecard.city.numbering import account_of, card_of
from onecard.city.plan import SEED, CityPlan, HolderPlan, holder_rows, make_plan
from onecard.city.room import prepare_room
from onecard.city.schema import ensure_tables
from onecard.city.tree import Tree, build_tree, read_tree
from onecard.city.updates import prepare_repository
from onecard.datacenter import dj, dsn
from onecard.datacenter.home import Home
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.services.devices import api as devices
from onecard.services.people import api as people

CHUNK = 20_000
_TREE, _PEOPLE = "tree", "people"
_MARK_PEOPLE = """
INSERT INTO city.loaded (what, seed, holders) VALUES (%s, %s, %s) ON CONFLICT (what) DO UPDATE SET holders = excluded.holders"""


def load_city(home: Home, *, holders: int, console: Console, seed: int = SEED) -> None:
    """Have the city loaded; quick where it is. The number of holders of a city that was begun stays what it was."""
    started = time.monotonic()
    owner = dsn.owner_dsn(home)
    dj.setup()
    with psycopg.connect(owner) as own:
        ensure_tables(own)
    with dj.connected_as(owner):
        plan = _load_tree(make_plan(holders=holders, seed=seed))
        tree = read_tree(plan)
        front = find_front_end(home)
        enrol_lines(home, [line for line in tree.lines if front is None or line != front.line_id])
        devices.ensure_gateway_files()
        chips.prepare(home, tree)
        prepare_repository(home)
        prepare_room()
        done = _loaded(_PEOPLE)
        if done < plan.holders:
            _load_people(plan, tree, done, console=console)
            seconds = time.monotonic() - started
            sizes = f"{plan.holders:,} 持卡人 cardholders，{len(plan.units)} 单位 units，{len(tree.terminals)} 终端 terminals"
            console.print(f"已装载 loaded: {sizes}  ({seconds:.1f} s)", soft_wrap=True)


def _load_tree(plan: CityPlan) -> CityPlan:
    """The tree and its marker in one transaction; gives the plan that is (now) the city's."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('city load'))")
        cursor.execute("SELECT seed, holders FROM city.loaded WHERE what = %s", [_TREE])
        row = cursor.fetchone()
        if row is not None:
            return make_plan(seed=int(row[0]), holders=int(row[1]))
        build_tree(plan)
        cursor.execute("INSERT INTO city.loaded (what, seed, holders) VALUES (%s, %s, %s)", [_TREE, plan.seed, plan.holders])
    return plan


def _loaded(what: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT holders FROM city.loaded WHERE what = %s", [what])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _load_people(plan: CityPlan, tree: Tree, done: int, *, console: Console) -> None:
    rows = holder_rows(plan)
    for _ in islice(rows, done):
        pass
    bar = Progress(
        TextColumn("持卡人 cardholders"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console, transient=True
    )
    with bar:
        task = bar.add_task("", total=plan.holders, completed=done)
        while chunk := list(islice(rows, CHUNK)):
            with transaction.atomic():
                _load_chunk(tree, chunk, first=done + 1, progress=partial(_advance, bar, task, done))
                done += len(chunk)
                with connection.cursor() as cursor:
                    cursor.execute(_MARK_PEOPLE, [_PEOPLE, plan.seed, done])
            bar.update(task, completed=done)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE people_holder, ledger.account, ledger.card, ledger.purse")


def _advance(bar: Progress, task: TaskID, base: int, count: int) -> None:
    bar.update(task, completed=base + count)


def _load_chunk(tree: Tree, chunk: list[HolderPlan], *, first: int, progress: Callable[[int], None]) -> None:
    """Serial numbers are places in the plan: `first` is that of the first row."""
    ids: dict[int, int] = {}
    by_operator: dict[str, list[int]] = {}
    for place, holder in enumerate(chunk):
        by_operator.setdefault(holder.operator, []).append(place)
    for operator, places in by_operator.items():
        new = [people.NewHolder(name=chunk[p].name, unit_id=tree.units.get(chunk[p].unit)) for p in places]
        ids.update(zip(places, people.create_holders(tree.operators[operator], new), strict=True))
    raw: psycopg.Connection[Any] = connection.connection
    open_accounts(raw, _account_rows(tree, chunk, ids, first=first), progress)


def _account_rows(tree: Tree, chunk: list[HolderPlan], ids: dict[int, int], *, first: int) -> Iterator[AccountRow]:
    unified = {operator.code for operator in tree.plan.operators if operator.unified}
    valid_until = (datetime.now(UTC) + timedelta(days=5 * 365)).date()
    for place, holder in enumerate(chunk):
        serial = first + place
        unit_id = tree.units.get(holder.unit, 0)
        yield AccountRow(
            account_no=account_of(serial),
            card_no=card_of(serial),
            operator_id=tree.operators[holder.operator],
            card_type_id=tree.card_types[holder.card_type],
            holder_id=ids[place],
            unit_id=unit_id,
            public_fen=holder.public_fen if holder.operator in unified else None,
            private_unit=unit_id or None,
            private_fen=holder.private_fen,
            valid_until=valid_until,
        )
