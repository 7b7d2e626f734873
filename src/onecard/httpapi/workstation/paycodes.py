"""Payment codes (C4): a fresh code for an account, to be shown at once."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from onecard.httpapi.identity import actor
from onecard.httpapi.workstation.scope import one
from onecard.services.paycodes import api
from onecard.services.purses.models import Account

router = Router()


class PayCodeOut(Schema):
    """A code to show: `text` is what the QR code holds; good until a moment, off line up to an amount."""

    text: str
    card_no: int
    expires_at: datetime
    offline_limit_fen: int


@router.post("/accounts/{account_no}/pay-codes", response=PayCodeOut, operation_id="issue_pay_code")
def issue(request: HttpRequest, account_no: int) -> Any:
    """A fresh payment code / 生成付款码."""
    who = actor(request, "paycodes.issue")
    one(Account.objects.filter(pk=account_no), who)
    return api.issue(account_no, actor=who)
