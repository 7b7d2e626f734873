"""services.purses: what pages and neighbours may do with accounts and cards, as the application and through Django."""

from datetime import date

import psycopg
import pytest

from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import NotFound, RuleViolated
from onecard.kernel.numbers import QR_ISSUER, build_account_no, build_card_no
from onecard.ledger.accounts import BookKind, book_id
from onecard.ledger.codes import AccountStatus, CardStatus, Medium
from tests.ledger.town import FUNDING, UNIFIED, Person, Town, prepare
from tests.support.postgres import TestDatabase


def test_accounts_are_opened_changed_and_read_through_the_api(django_database: TestDatabase) -> None:
    from onecard.services.purses import api
    from onecard.services.purses.models import Account, Purse, Transfer

    with (
        psycopg.connect(django_database.admin_dsn, autocommit=True) as admin,
        psycopg.connect(django_database.app_dsn, autocommit=True) as app,
    ):
        prepare(admin)
        town = Town(django_database, app, admin)
        someone = Person(build_account_no(lane=0, serial=1), build_card_no(issuer=9000, lane=0, serial=1))
        row = api.AccountRow(someone.account, someone.card, UNIFIED, 1, public_fen=900)
        assert api.open_accounts([row]) == api.Opened(1, 0)

        api.add_purse(someone.account, 7)
        code_card = build_card_no(issuer=QR_ISSUER, lane=0, serial=2)
        api.add_card(code_card, someone.account, medium=Medium.QR)
        assert town.post(Operation.PURCHASE, code_card, 400)[:2] == (Result.APPROVED, 500)
        assert [(p.unit_id, p.balance_fen) for p in api.purses(someone.account)] == [(0, 500), (7, 0)]
        assert [line.amount_fen for line in api.statement(someone.account)] == [-400, 900]
        assert api.book_balances([FUNDING, book_id(BookKind.MERCHANT, 1)]) == {FUNDING: -900, book_id(BookKind.MERCHANT, 1): 400}

        api.set_card_status(someone.card, CardStatus.LOST)
        assert town.post(Operation.PURCHASE, someone, 1).code == Result.CARD_LOST
        api.extend_card(someone.card, date(2026, 5, 3))
        assert town.post(Operation.PURCHASE, someone, 1).code == Result.CARD_EXPIRED
        api.set_account_status(someone.account, AccountStatus.FROZEN)
        assert town.post(Operation.PURCHASE, code_card, 1).code == Result.CARD_FROZEN

        account = Account.objects.get(pk=someone.account)
        assert account.cards.count() == 2
        assert Purse.objects.get(pk=(someone.account, 0)).balance_fen == 500
        assert list(Transfer.objects.filter(lane=0).order_by("id").values_list("amount_fen", flat=True)) == [900, 400]

        with pytest.raises(RuleViolated, match="not settled") as refused:
            api.set_account_status(someone.account, AccountStatus.CLOSED)
        assert refused.value.rule == "C3"
        with pytest.raises(NotFound, match="no such card"):
            api.set_card_status(9000_00_123456789_0, CardStatus.FROZEN)
        with pytest.raises(NotFound, match="no such account"):
            api.add_purse(1, 7)
