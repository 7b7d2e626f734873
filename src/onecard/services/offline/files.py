"""Makes the rules file and the cards file of a unit from what the database holds."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from onecard.protocol.cardindex import CardEntry, build_card_index
from onecard.protocol.offline import (
    DAY_MINUTES,
    EVERYBODY,
    CardTypeRule,
    DoorRule,
    MealTime,
    OfflineRules,
    TerminalRule,
    Window,
    build_rules,
)
from onecard.services.offline.models import CardLimit, DoorAccess, OfflinePolicy, TerminalLimit

_DAYS = range(1, 8)
# The operators are named so that the index (operator_id, unit_id, account_no) is used.
_CARDS = """
SELECT c.card_no, c.card_type_id, c.valid_until, h.department_id
  FROM ledger.account a
  JOIN ledger.card c ON c.account_no = a.account_no
  LEFT JOIN people_holder h ON h.id = a.holder_id AND h.unit_id = a.unit_id
 WHERE a.operator_id = ANY (ARRAY(SELECT id FROM operators_operator)) AND a.unit_id = %s AND a.status = 1 AND c.status = 1"""
_DEPARTMENTS = "SELECT id, parent_id FROM people_department WHERE unit_id = %s"
_MEALS = """
SELECT no, (extract(epoch FROM start) / 60)::int, (extract(epoch FROM "end") / 60)::int FROM operators_mealperiod
 WHERE unit_id = %s ORDER BY no"""
_CARD_TYPES = "SELECT id FROM operators_cardtype ORDER BY id"
# A terminal behind the unit's front-end, and whether private purses alone may pay there (P2).
_TERMINALS = """
SELECT t.id, NOT m.public AND (o.settlement_mode = 'independent' OR coalesce(m.purse_order, u.purse_order) = 2)
  FROM devices_terminal t
  JOIN devices_line l ON l.id = t.line_id AND l.kind = 'front_end' AND l.state = 'active'
  JOIN operators_merchant m ON m.id = t.merchant_id
  JOIN operators_operator o ON o.id = m.operator_id
  LEFT JOIN operators_unit u ON u.id = m.unit_id
 WHERE l.unit_id = %s ORDER BY t.id"""


def rules_file(unit_id: int, version: int) -> bytes:
    """The rules of a unit as they stand."""
    policy = OfflinePolicy.objects.get()
    card_types = [row[0] for row in _rows(_CARD_TYPES)]
    terminals = _rows(_TERMINALS, unit_id)
    limits = _terminal_limits(unit_id)
    return build_rules(
        OfflineRules(
            version=version,
            unit_id=unit_id,
            card_types={number: _card_rule(unit_id, card_type_id=number) for number in card_types},
            unknown_card=_card_rule(unit_id, others=True),
            terminals={number: _terminal_rule(limits, number, own_only) for number, own_only in terminals},
            any_terminal=_terminal_rule(limits, None, True),
            meals=tuple(MealTime(no, Window(start, end or DAY_MINUTES)) for no, start, end in _rows(_MEALS, unit_id)),
            doors=_doors([number for number, _ in terminals]),
            fallback_ms=policy.fallback_ms,
            guard_permille=policy.guard_permille,
        )
    )


def cards_file(unit_id: int, version: int) -> bytes:
    """The unit's cards that may be used, with their types, last days and the departments above their holders."""
    parents = dict(_rows(_DEPARTMENTS, unit_id))
    chains = {department: _chain(department, parents) for department in parents}
    nobody: frozenset[int] = frozenset()
    cards = {
        card_no: CardEntry(card_type_id, chains.get(department, nobody), valid_until)
        for card_no, card_type_id, valid_until, department in _rows(_CARDS, unit_id)
    }
    return build_card_index(cards, version=version, unit_id=unit_id)


def _card_rule(unit_id: int, *, card_type_id: int | None = None, others: bool = False) -> CardTypeRule:
    """The nearest row: the unit's of the type, the unit's of any type, everybody's of the type, everybody's of any."""
    rows = CardLimit.objects.filter(others=others, unit_id__in=(unit_id,)) | CardLimit.objects.filter(others=others, unit=None)
    fitting = [row for row in rows if row.card_type_id in (None, card_type_id)]
    if not fitting:
        return CardTypeRule()
    row = max(fitting, key=lambda r: (r.unit_id is not None, r.card_type_id is not None))
    return CardTypeRule(
        offline=row.offline,
        per_transaction_fen=row.per_transaction_fen,
        per_meal_fen=row.per_meal_fen,
        per_day_fen=row.per_day_fen,
        per_day_count=row.per_day_count,
        meals_only=row.meals_only,
    )


def _terminal_limits(unit_id: int) -> Mapping[int | None, TerminalLimit]:
    """By terminal; under None the unit's own, or everybody's."""
    rows = list(TerminalLimit.objects.filter(terminal__line__unit_id=unit_id))
    shared = (
        TerminalLimit.objects.filter(terminal=None, unit_id=unit_id).first()
        or TerminalLimit.objects.filter(terminal=None, unit=None).first()
    )
    return {row.terminal_id: row for row in rows} | ({None: shared} if shared else {})


def _terminal_rule(limits: Mapping[int | None, TerminalLimit], terminal_id: int | None, own_only: bool) -> TerminalRule:
    row = limits.get(terminal_id) or limits.get(None)
    if row is None:
        return TerminalRule(own_cards_only=own_only)
    whole_day = (row.start_minute, row.end_minute) == (0, DAY_MINUTES)
    hours = () if whole_day else (Window(row.start_minute, row.end_minute),)
    return TerminalRule(row.per_transaction_fen, row.total_fen, hours, own_only)


def _doors(terminals: Sequence[int]) -> dict[int, tuple[DoorRule, ...]]:
    doors: dict[int, list[DoorRule]] = defaultdict(list)
    for row in DoorAccess.objects.filter(terminal_id__in=terminals):
        days = tuple(day for day in _DAYS if row.days & 1 << (day - 1))
        group = row.department_id if row.department_id is not None else EVERYBODY
        doors[row.terminal_id].append(DoorRule(frozenset({group}), (Window(row.start_minute, row.end_minute, days),)))
    return {terminal: tuple(rules) for terminal, rules in doors.items()}


def _chain(department: int, parents: Mapping[int, int | None]) -> frozenset[int]:
    """A department and those above it: a rule for a faculty holds for its classes."""
    chain: list[int] = []
    at: int | None = department
    while at is not None and at not in chain:
        chain.append(at)
        at = parents.get(at)
    return frozenset(chain)


def _rows(statement: str, *parameters: int) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))
        return list(cursor.fetchall())
