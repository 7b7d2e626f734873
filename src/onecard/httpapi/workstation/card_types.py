"""Card types' rules (C5): those in force and to come, and setting the next."""

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from onecard.httpapi.identity import actor
from onecard.httpapi.workstation.directory import READ
from onecard.kernel.errors import NotFound
from onecard.ledger.codes import Medium
from onecard.services.cards import api
from onecard.services.cards.api import CardTypeRules
from onecard.services.cards.permissions import RULES
from onecard.services.operators.models import CardType

router = Router()


class _Rules(Schema):
    valid_from: date
    anonymous_allowed: bool = False
    real_name_allowed: bool = True
    members_only: bool = False
    public_purse: bool = True
    private_purse: bool = False
    chip_purse: bool = False
    deposit_fen: int = Field(0, ge=0)
    deposit_back_when_lost: bool = False
    issue_fee_fen: int = Field(0, ge=0)
    replace_fee_fen: int = Field(0, ge=0)
    exchange_fee_fen: int = Field(0, ge=0)
    return_fee_fen: int = Field(0, ge=0)
    validity_months: int = Field(0, ge=0)
    waiting_days: int = Field(0, ge=0)
    loss_needs_registration: bool = True
    max_per_holder: int = Field(0, ge=0)
    undo_minutes: int = Field(30, ge=0)


class RulesIn(_Rules):
    """Rules from a day on; money in fen, months 0 no end, `max_per_holder` 0 any number; media 1 CPU, 2 SIM, 3 QR, 4 UID."""

    media: list[Medium] = Field(..., min_length=1)


class RulesOut(_Rules):
    """Rules as they were set."""

    media: list[int]
    created_by: str


@router.get("/card-types/{card_type_id}/rules", response=list[RulesOut], operation_id="list_card_type_rules")
def rules(request: HttpRequest, card_type_id: int) -> list[CardTypeRules]:
    """The rules by day, newest first / 卡种规则."""
    actor(request, READ)
    _known(card_type_id)
    return list(CardTypeRules.objects.filter(card_type_id=card_type_id).order_by("-valid_from"))


@router.post("/card-types/{card_type_id}/rules", response={201: RulesOut}, operation_id="set_card_type_rules")
def set_rules(request: HttpRequest, card_type_id: int, body: RulesIn) -> Status[Any]:
    """Rules from a day on / 设置卡种规则."""
    who = actor(request, RULES)
    _known(card_type_id)
    given = body.dict(exclude={"valid_from", "media"})
    new = api.NewRules(media=frozenset(body.media), **given)
    return Status(201, api.set_rules(card_type_id, body.valid_from, rules=new, actor=who))


@router.delete("/card-types/{card_type_id}/rules/{valid_from}", response={204: None}, operation_id="drop_card_type_rules")
def drop_rules(request: HttpRequest, card_type_id: int, valid_from: date) -> Status[None]:
    """Take back rules that have not begun / 撤回未生效规则."""
    api.drop_rules(card_type_id, valid_from, actor=actor(request, RULES))
    return Status(204, None)


def _known(card_type_id: int) -> None:
    if not CardType.objects.filter(pk=card_type_id).exists():
        raise NotFound(f"无此卡种：{card_type_id}", f"no such card type: {card_type_id}")
