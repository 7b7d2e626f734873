"""Accounts with their purses and cards, to read (P1)."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.scope import one, seen
from onecard.services.purses import api as purses
from onecard.services.purses.models import Account, Card

router = Router()
READ = "accounts.read"


class AccountOut(Schema):
    """An account: status 1 active, 2 frozen, 3 closed."""

    account_no: int
    holder_id: int | None
    operator_id: int
    unit_id: int
    card_type_id: int
    status: int
    debt_fen: int
    opened_at: datetime


class PurseOut(Schema):
    """A purse; unit 0 is the public one."""

    unit_id: int
    balance_fen: int


class CardOut(Schema):
    """A card of an account."""

    card_no: int
    status: int
    medium: int
    denied: bool
    valid_until: date | None


class AccountWhole(AccountOut):
    """An account with its purses and cards."""

    purses: list[PurseOut]
    cards: list[CardOut]


class AccountQuery(PageQuery):
    """Which accounts."""

    operator_id: int | None = None
    unit_id: int | None = None
    holder_id: int | None = None


@router.get("/accounts", response=Page[AccountOut], operation_id="list_accounts")
def accounts(request: HttpRequest, query: Query[AccountQuery]) -> dict[str, Any]:
    """Accounts / 账户."""
    asked = {"operator_id": query.operator_id, "unit_id": query.unit_id, "holder_id": query.holder_id}
    found = seen(Account.objects.all(), actor(request, READ))
    return take(found.filter(**{name: value for name, value in asked.items() if value is not None}), query, key="account_no")


@router.get("/accounts/{account_no}", response=AccountWhole, operation_id="get_account")
def account(request: HttpRequest, account_no: int) -> dict[str, Any]:
    """One account with its purses and cards / 一个账户及其钱包与卡."""
    found = one(Account.objects.filter(pk=account_no), actor(request, READ))
    return {
        **AccountOut.from_orm(found).dict(),
        "purses": [{"unit_id": purse.unit_id, "balance_fen": purse.balance_fen} for purse in purses.purses(account_no)],
        "cards": list(Card.objects.filter(account_id=account_no).order_by("card_no")),
    }
