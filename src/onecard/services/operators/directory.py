"""The directory the application server keeps in memory: terminal → merchant → unit → operator, flat, with all a purchase needs.

Read with psycopg straight (no ORM on the hot path). `LOAD_SQL` gives every terminal, `RELOAD_SQL` those that a list of changes
touches; `parse_change` reads the notices of channel `directory` (sql/notify.sql).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from onecard.kernel.codes import Result

CHANNEL = "directory"
MERCHANT_BOOK_BASE = 100_000_000
_DAY_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Change:
    """One notice: a table of the tree, and the id that changed, or None for many."""

    table: str
    id: int | None


@dataclass(frozen=True, slots=True)
class MealSpan:
    """A meal period in seconds of the local day, end excluded; `end_s` before `start_s` runs over midnight."""

    no: int
    start_s: int
    end_s: int

    def contains(self, second: int) -> bool:
        """Whether a second of the local day (0…86399) lies in it."""
        if self.start_s < self.end_s:
            return self.start_s <= second < self.end_s
        return second >= self.start_s or second < self.end_s


@dataclass(frozen=True, slots=True)
class TerminalEntry:
    """What the application server knows of one terminal.

    `unit_id` is the posting function's: 0 at a public merchant; `owner_unit_id` is the merchant's own unit (0: none).
    `valid_until_us` is the end of that unit's validity (0: no end). Meal periods are in local time of the platform.
    """

    terminal_id: int
    tid: str
    iso8583: bool
    line_id: int
    merchant_id: int
    merchant_book: int
    owner_unit_id: int
    unit_id: int
    operator_id: int
    purse_order: int
    precheck: Result
    valid_until_us: int
    meals: tuple[MealSpan, ...]

    @property
    def mid(self) -> str:
        """DE42: the merchant's number as 15 digits."""
        return f"{self.merchant_id:015d}"

    def precheck_at(self, at_us: int) -> Result:
        """The refusal that the tree alone decides at a moment, APPROVED when there is none (O4: it needs no tick to expire)."""
        if self.precheck is Result.APPROVED and self.valid_until_us and at_us >= self.valid_until_us:
            return Result.UNIT_EXPIRED
        return self.precheck

    def meal_at(self, local_second: int) -> int:
        """The meal period at a second of the local day, 0 when there is none."""
        assert 0 <= local_second < _DAY_S
        for meal in self.meals:
            if meal.contains(local_second):
                return meal.no
        return 0


@dataclass(slots=True)
class Reload:
    """What changes call for: everything anew, or these entries in place of the old ones and these terminals gone."""

    full: bool
    entries: list[TerminalEntry] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


# The order of the CASE is the order of precedence of kernel.codes.Result. Commissioning admits devices, not yet their money.
_SELECT = f"""
SELECT t.id, t.tid, t.driver = 'iso8583', coalesce(t.line_id, 0), m.id, coalesce(u.id, 0), m.public, o.id,
       CASE WHEN m.public THEN 1 WHEN o.settlement_mode = 'independent' THEN 2 ELSE coalesce(m.purse_order, u.purse_order) END,
       CASE WHEN t.state <> 'active' THEN {int(Result.TERMINAL_NOT_ALLOWED)}
            WHEN m.state <> 'active' OR (u.id IS NULL AND o.status <> 'active') THEN {int(Result.MERCHANT_CLOSED)}
            WHEN o.status <> 'active' THEN {int(Result.UNIT_SUSPENDED)}
            WHEN u.state = 'expired' THEN {int(Result.UNIT_EXPIRED)}
            WHEN u.state <> 'active' THEN {int(Result.UNIT_SUSPENDED)}
            ELSE {int(Result.APPROVED)} END,
       coalesce((extract(epoch FROM u.valid_until) * 1000000)::bigint, 0)
  FROM devices_terminal t
  JOIN operators_merchant m ON m.id = t.merchant_id
  JOIN operators_operator o ON o.id = m.operator_id
  LEFT JOIN operators_unit u ON u.id = m.unit_id
"""  # noqa: S608 - the only values put in are our own result codes
LOAD_SQL = _SELECT
# One branch an id list, each by its own index; an OR over four tables would read every terminal.
RELOAD_SQL = f"""
{_SELECT} WHERE t.id IN (
    SELECT unnest(%(terminals)s::bigint[])
    UNION SELECT id FROM devices_terminal WHERE merchant_id = ANY (%(merchants)s::int[])
    UNION SELECT x.id FROM devices_terminal x JOIN operators_merchant y ON y.id = x.merchant_id
           WHERE y.unit_id = ANY (%(units)s::int[])
    UNION SELECT x.id FROM devices_terminal x JOIN operators_merchant y ON y.id = x.merchant_id
           WHERE y.operator_id = ANY (%(operators)s::int[]))
"""  # noqa: S608
_MEALS = 'SELECT unit_id, no, extract(epoch FROM start)::int, extract(epoch FROM "end")::int FROM operators_mealperiod'
MEALS_SQL = f"{_MEALS} ORDER BY unit_id, no"
UNIT_MEALS_SQL = f"{_MEALS} WHERE unit_id = ANY (%(units)s::int[]) ORDER BY unit_id, no"
_OWNER_UNIT = 5
"""Where a row of `LOAD_SQL` has the merchant's unit."""

Meals = dict[int, tuple[MealSpan, ...]]


def parse_change(payload: str) -> Change:
    """The change that a notice names; the id of a `meal_period` is that of its unit. Raises ValueError on anything else."""
    table, _, text = payload.partition(":")
    return Change(table, None if text == "*" else int(text))


def reload_parameters(changes: Iterable[Change]) -> dict[str, list[int]] | None:
    """The id lists for `RELOAD_SQL`, or None when everything has to be loaded anew. Lines and card types touch no entry."""
    lists: dict[str, set[int]] = {"terminals": set(), "merchants": set(), "units": set(), "operators": set()}
    names = {"terminal": "terminals", "merchant": "merchants", "unit": "units", "meal_period": "units", "operator": "operators"}
    for change in changes:
        name = names.get(change.table)
        if name is None:
            continue
        if change.id is None:
            return None
        lists[name].add(change.id)
    return {name: sorted(ids) for name, ids in lists.items()}


def build_meals(rows: Iterable[Sequence[Any]]) -> Meals:
    """Rows of `MEALS_SQL` as the spans of each unit."""
    spans: dict[int, list[MealSpan]] = {}
    for unit_id, no, start_s, end_s in rows:
        spans.setdefault(unit_id, []).append(MealSpan(no, start_s, end_s))
    return {unit_id: tuple(meals) for unit_id, meals in spans.items()}


def build_entries(rows: Iterable[Sequence[Any]], meals: Meals) -> list[TerminalEntry]:
    """Rows of `LOAD_SQL` or `RELOAD_SQL` as entries."""
    results = {int(result): result for result in Result}
    return [
        TerminalEntry(
            terminal_id=terminal_id,
            tid=tid,
            iso8583=iso8583,
            line_id=line_id,
            merchant_id=merchant_id,
            merchant_book=MERCHANT_BOOK_BASE + merchant_id,
            owner_unit_id=owner_unit_id,
            unit_id=0 if public else owner_unit_id,
            operator_id=operator_id,
            purse_order=purse_order,
            precheck=results[precheck],
            valid_until_us=valid_until_us,
            meals=meals.get(owner_unit_id, ()),
        )
        for (
            terminal_id,
            tid,
            iso8583,
            line_id,
            merchant_id,
            owner_unit_id,
            public,
            operator_id,
            purse_order,
            precheck,
            valid_until_us,
        ) in rows
    ]


def load(conn: psycopg.Connection[Any]) -> list[TerminalEntry]:
    """Every terminal there is."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        meals = build_meals(cursor.execute(MEALS_SQL).fetchall())
        return build_entries(cursor.execute(LOAD_SQL).fetchall(), meals)


async def load_async(conn: psycopg.AsyncConnection[Any]) -> list[TerminalEntry]:
    """Every terminal there is."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(MEALS_SQL)
        meals = build_meals(await cursor.fetchall())
        await cursor.execute(LOAD_SQL)
        return build_entries(await cursor.fetchall(), meals)


def reload(conn: psycopg.Connection[Any], changes: Iterable[Change]) -> Reload:
    """What a list of changes calls for; with `full` set, `entries` is the whole directory."""
    changes = list(changes)
    parameters = reload_parameters(changes)
    if parameters is None:
        return Reload(full=True, entries=load(conn))
    if not any(parameters.values()):
        return Reload(full=False)
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(RELOAD_SQL, parameters).fetchall()
        meals = build_meals(cursor.execute(UNIT_MEALS_SQL, _units_of(rows)).fetchall())
    entries = build_entries(rows, meals)
    return _as_reload(parameters, entries)


async def reload_async(conn: psycopg.AsyncConnection[Any], changes: Iterable[Change]) -> Reload:
    """What a list of changes calls for; with `full` set, `entries` is the whole directory."""
    changes = list(changes)
    parameters = reload_parameters(changes)
    if parameters is None:
        return Reload(full=True, entries=await load_async(conn))
    if not any(parameters.values()):
        return Reload(full=False)
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(RELOAD_SQL, parameters)
        rows = await cursor.fetchall()
        await cursor.execute(UNIT_MEALS_SQL, _units_of(rows))
        meals = build_meals(await cursor.fetchall())
    entries = build_entries(rows, meals)
    return _as_reload(parameters, entries)


def _units_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[int]]:
    return {"units": sorted({row[_OWNER_UNIT] for row in rows})}


def _as_reload(parameters: dict[str, list[int]], entries: list[TerminalEntry]) -> Reload:
    found = {entry.terminal_id for entry in entries}
    return Reload(full=False, entries=entries, removed=[i for i in parameters["terminals"] if i not in found])
