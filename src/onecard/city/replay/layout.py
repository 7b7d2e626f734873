"""Makes what a replayed file needs on the platform: a unit, public merchant and line for each company, its terminals, accounts.

Everything is found again by the working tables (`city.replay_*`), so a second file only adds what is new. One transaction makes
the companies and terminals; accounts are opened in chunks that are the same when done again.
"""

from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection, transaction

from onecard.city.devices import enrol_lines, identity
from onecard.city.numbering import REPLAY_FIRST_SERIAL, REPLAY_ISSUER, account_of, card_of
from onecard.city.replay.send import CompanyLine
from onecard.city.tree import ensure_root, open_unit_fully
from onecard.datacenter.home import Home
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.services.devices import api as devices
from onecard.services.operators import api as operators
from onecard.services.operators.models import CardType, Unit

OPENING_FEN = 10_000
FEE_PER_MILLE = 3
CARD_CHUNK = 20_000
_CARD_TYPE = "TRANSIT"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NEW_COMPANIES = """
SELECT DISTINCT t.company FROM city.replay_terminal t LEFT JOIN city.replay_company c USING (company)
 WHERE c.company IS NULL ORDER BY 1"""
_NEW_TERMINALS = """
SELECT t.terminal_ref, c.merchant_id, c.line_id FROM city.replay_terminal t JOIN city.replay_company c USING (company)
 WHERE t.terminal_id IS NULL ORDER BY 1"""
_KEEP_TERMINALS = """
UPDATE city.replay_terminal t SET terminal_id = n.id
  FROM unnest(%s::bigint[], %s::bigint[]) AS n (ref, id) WHERE t.terminal_ref = n.ref"""
_NEW_CARDS = "SELECT card_ref, serial FROM city.replay_card WHERE card_no IS NULL ORDER BY serial LIMIT %s"
_KEEP_CARDS = """
UPDATE city.replay_card c SET card_no = n.card_no
  FROM unnest(%s::text[], %s::bigint[]) AS n (ref, card_no) WHERE c.card_ref = n.ref"""
_COMPANIES = """
SELECT c.company, c.line_id, count(t.terminal_id) FROM city.replay_company c JOIN city.replay_terminal t USING (company)
 WHERE EXISTS (SELECT FROM city.replay_record r WHERE r.terminal_ref = t.terminal_ref AND r.file_id = %s)
 GROUP BY 1, 2 ORDER BY 1"""


def lay_out(home: Home, file_id: int, *, progress: Callable[[str], None]) -> list[CompanyLine]:
    """Have everything in place; gives the lines of the companies that occur in the file. Django is connected as the owner."""
    progress("单位、商户与终端 units, merchants and terminals")
    with transaction.atomic():
        _make_companies()
        _make_terminals()
    with connection.cursor() as cursor:
        cursor.execute(_COMPANIES, [file_id])
        found = [(str(company), int(line), int(count)) for company, line, count in cursor.fetchall()]
    enrol_lines(home, [line for _, line, _ in found])
    devices.ensure_gateway_files()
    _open_cards(progress)
    return [CompanyLine(company, count, identity(home, line)) for company, line, count in found]


def build_tid(terminal_ref: int) -> str:
    """The eight characters of a terminal (DE41) for its number in the file: R and the number to the base of 36."""
    digits = ""
    while terminal_ref:
        terminal_ref, digit = divmod(terminal_ref, 36)
        digits = _ALPHABET[digit] + digits
    return "R" + digits.rjust(7, "0")


def _make_companies() -> None:
    root = ensure_root()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('city replay layout'))")
        cursor.execute(_NEW_COMPANIES)
        names = [row[0] for row in cursor.fetchall()]
        base = Unit.objects.filter(operator_id=root, code__startswith="T").count()
        for number, name in enumerate(names, base + 1):
            unit = operators.create_unit(root, f"T{number:03d}", name=name, purse_order=operators.PurseOrder.PUBLIC)
            open_unit_fully(unit.pk)
            merchant = operators.create_merchant(name, unit_id=unit.pk, public=True, fee_per_mille=FEE_PER_MILLE)
            line = devices.create_line(devices.NewLine(f"{name} 前置机", devices.LineKind.FRONT_END, unit_id=unit.pk))
            cursor.execute("INSERT INTO city.replay_company VALUES (%s, %s, %s, %s)", [name, unit.pk, merchant.pk, line])


def _make_terminals() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NEW_TERMINALS)
        rows = cursor.fetchall()
        if rows:
            new = (devices.NewTerminal(merchant, line_id=line, name=str(ref), tid=build_tid(ref)) for ref, merchant, line in rows)
            cursor.execute(_KEEP_TERMINALS, [[row[0] for row in rows], devices.create_terminals(new)])


def _open_cards(progress: Callable[[str], None]) -> None:
    root, card_type = ensure_root(), _card_type()
    done = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_NEW_CARDS, [CARD_CHUNK])
            refs = [(str(ref), REPLAY_FIRST_SERIAL + int(serial)) for ref, serial in cursor.fetchall()]
            if not refs:
                return
            rows = [
                AccountRow(account_of(serial), card_of(serial, issuer=REPLAY_ISSUER), root, card_type, public_fen=OPENING_FEN)
                for _, serial in refs
            ]
            raw: psycopg.Connection[Any] = connection.connection
            open_accounts(raw, rows)
            cursor.execute(_KEEP_CARDS, [[ref for ref, _ in refs], [row.card_no for row in rows]])
        done += len(refs)
        progress(f"账户 accounts {done:,}")


def _card_type() -> int:
    kind = CardType.objects.filter(code=_CARD_TYPE).first()
    return (kind or operators.create_card_type(_CARD_TYPE, "交通卡", name_en="Transit card")).pk
