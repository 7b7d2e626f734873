"""What the simulated terminals know of their city: who they are, at whose merchant they stand, which cards come to them."""

from dataclasses import dataclass
from typing import Any

import psycopg

from onecard.city.plan import PUBLIC_MERCHANTS, MerchantPlan, make_plan
from onecard.services.devices.api import terminal_master_key

_TERMINALS = """
SELECT t.id, t.tid, lpad(m.id::text, 15, '0'), t.driver, t.line_id, coalesce(m.unit_id, 0), m.name, m.public
  FROM devices_terminal t JOIN operators_merchant m ON m.id = t.merchant_id
 WHERE t.name LIKE '#%%' AND t.state = 'active' AND t.line_id IS NOT NULL
 ORDER BY t.id"""
_SAMS = "SELECT terminal_id, id FROM keys_sam WHERE state = 'bound'"
_UNITS = "SELECT id, operator_id FROM operators_unit"
_OF_UNIT = """
SELECT c.card_no FROM ledger.account a JOIN ledger.card c USING (account_no)
 WHERE a.operator_id = %s AND a.unit_id = %s AND c.status = 1 ORDER BY a.account_no LIMIT %s"""
_PUBLIC = """
SELECT c.card_no FROM ledger.issuer i
 CROSS JOIN LATERAL (SELECT account_no FROM ledger.account a WHERE a.operator_id = i.operator_id
                      ORDER BY a.unit_id, a.account_no LIMIT %s) a
  JOIN ledger.card c USING (account_no)
 WHERE i.unified AND c.status = 1"""
CARDS_OF_UNIT, CARDS_OF_OPERATOR = 2_000, 4_000
_ANY = MerchantPlan("", 0)


@dataclass(frozen=True, slots=True)
class SimTerminal:
    """One simulated terminal."""

    terminal_id: int
    tid: str
    mid: str
    is_iso: bool
    line_id: int
    unit_id: int
    prices: tuple[int, int]
    is_metered: bool
    takes_topups: bool


@dataclass(frozen=True, slots=True)
class World:
    """The terminals, and the cards presented in each unit (0: at public merchants)."""

    terminals: list[SimTerminal]
    cards: dict[int, list[int]]
    sams: dict[int, int]
    """SAM numbers by terminal."""
    master_keys: dict[int, bytes]
    """Of ISO 8583 terminals, as they were loaded at the installation."""

    def cards_at(self, terminal: SimTerminal) -> list[int]:
        """The cards that come to a terminal."""
        return self.cards[terminal.unit_id]


def read_world(dsn: str) -> World:
    """Read it from the data centre, as the application may. Not from inside an event loop: the vault is asked for keys."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_TERMINALS).fetchall()
        cards = {0: [int(row[0]) for row in connection.execute(_PUBLIC, (CARDS_OF_OPERATOR,)).fetchall()]}
        for unit, operator in connection.execute(_UNITS).fetchall():
            found = connection.execute(_OF_UNIT, (operator, unit, CARDS_OF_UNIT)).fetchall()
            cards[int(unit)] = [int(row[0]) for row in found]
        sams = {int(terminal): int(sam) for terminal, sam in connection.execute(_SAMS).fetchall()}
    plans = _merchant_plans()
    terminals = [_terminal(row, plans.get(row[6], _ANY)) for row in rows]
    master_keys = {each.terminal_id: terminal_master_key(each.terminal_id) for each in terminals if each.is_iso}
    return World([each for each in terminals if cards.get(each.unit_id)], cards, sams, master_keys)


def read_unit_cards(dsn: str, code: str) -> list[int]:
    """Cards in use of a unit's people."""
    with psycopg.connect(dsn) as connection:
        unit, operator = connection.execute("SELECT id, operator_id FROM operators_unit WHERE code = %s", (code,)).fetchone() or (
            0,
            0,
        )
        return [int(row[0]) for row in connection.execute(_OF_UNIT, (operator, unit, CARDS_OF_UNIT)).fetchall()]


def _terminal(row: tuple[Any, ...], plan: MerchantPlan) -> SimTerminal:
    terminal_id, tid, mid, driver, line_id, unit_id, _, public = row
    is_iso = driver == "iso8583"
    return SimTerminal(
        terminal_id,
        tid,
        mid,
        is_iso,
        line_id,
        0 if public else unit_id,
        plan.prices,
        plan.metered,
        takes_topups=public and not is_iso,
    )


def _merchant_plans() -> dict[str, MerchantPlan]:
    """Prices by the name of the merchant; of two with one name either will do."""
    inside = (merchant for unit in make_plan(holders=0).units for merchant in unit.merchants)
    public = (merchant for merchants in PUBLIC_MERCHANTS.values() for merchant in merchants)
    return {merchant.name: merchant for merchant in (*inside, *public)}
