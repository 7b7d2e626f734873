"""Making and changing operators, units, merchants, card types and meal periods; the limits are the database's (docs/units.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any, TypeVar

from django.db.models import Model

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.operators.choices import IssuingMode, MerchantState, OperatorStatus, PurseOrder, SettlementMode
from onecard.services.operators.errors import Refusal, refusals
from onecard.services.operators.lifecycle import lock_unit
from onecard.services.operators.models import CardType, MealPeriod, Merchant, Operator, OperatorCardType, Unit

_M = TypeVar("_M", bound=Model)
_DAY_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Meal:
    """A meal period to set, in local time, end excluded; one that ends before it starts runs over midnight."""

    no: int
    name: str
    start: time
    end: time


def create_operator(
    code: str,
    name: str,
    *,
    parent_id: int | None,
    holder_cap: int,
    name_en: str = "",
    settlement_mode: str = SettlementMode.UNIFIED,
) -> Operator:
    """The root (no parent) or a second-level operator. Raises RuleViolated (O1) and InvalidInput."""
    with refusals():
        return Operator.objects.create(
            code=code,
            name=name,
            name_en=name_en,
            parent_id=parent_id,
            holder_cap=holder_cap,
            settlement_mode=SettlementMode(settlement_mode),
        )


def update_operator(
    operator_id: int,
    *,
    name: str | None = None,
    name_en: str | None = None,
    settlement_mode: str | None = None,
    holder_cap: int | None = None,
) -> Operator:
    """Change what is given. Raises NotFound, RuleViolated (O2: a cap below the cardholders; P2: the mode)."""
    changes = {"name": name, "name_en": name_en, "settlement_mode": settlement_mode, "holder_cap": holder_cap}
    cap = Refusal("O2", f"现有持卡人超过 {holder_cap} 人", f"there are more than {holder_cap} cardholders", holder_cap)
    with refusals({"operator_holder_cap": cap}):
        return _change(Operator, operator_id, changes)


def set_operator_status(operator_id: int, status: str) -> Operator:
    """Suspend, resume or close an operator. Raises NotFound, RuleViolated (O1: a closed one stays closed, and is empty)."""
    target = OperatorStatus(status)
    with refusals():
        operator = Operator.objects.select_for_update(no_key=True).filter(pk=operator_id).first()
        if operator is None:
            raise _not_found(Operator, operator_id)
        if operator.status == OperatorStatus.CLOSED and target is not OperatorStatus.CLOSED:
            raise RuleViolated("O1：已撤销的运营单位不能恢复", "O1: a closed operator cannot come back", rule="O1")
        operator.status = target
        operator.save(update_fields=["status"])
    return operator


def create_card_type(
    code: str,
    name: str,
    *,
    name_en: str = "",
    limit_txn_fen: int = 0,
    limit_meal_fen: int = 0,
    limit_day_fen: int = 0,
    limit_balance_fen: int = 0,
) -> CardType:
    """A card type; a limit of 0 is none. Raises InvalidInput."""
    with refusals():
        return CardType.objects.create(
            code=code,
            name=name,
            name_en=name_en,
            limit_txn_fen=limit_txn_fen,
            limit_meal_fen=limit_meal_fen,
            limit_day_fen=limit_day_fen,
            limit_balance_fen=limit_balance_fen,
        )


def update_card_type(
    card_type_id: int,
    *,
    name: str | None = None,
    limit_txn_fen: int | None = None,
    limit_meal_fen: int | None = None,
    limit_day_fen: int | None = None,
    limit_balance_fen: int | None = None,
) -> CardType:
    """Change what is given; the ledger has it at the same commit. Raises NotFound, InvalidInput."""
    changes = {
        "name": name,
        "limit_txn_fen": limit_txn_fen,
        "limit_meal_fen": limit_meal_fen,
        "limit_day_fen": limit_day_fen,
        "limit_balance_fen": limit_balance_fen,
    }
    with refusals():
        return _change(CardType, card_type_id, changes)


def allow_card_type(operator_id: int, card_type_id: int, *, issuing_mode: str = IssuingMode.UNIFIED) -> OperatorCardType:
    """O2: let an operator use a card type, or change who issues its cards. Raises InvalidInput for unknown ids."""
    with refusals():
        allowed, _ = OperatorCardType.objects.update_or_create(
            operator_id=operator_id, card_type_id=card_type_id, defaults={"issuing_mode": IssuingMode(issuing_mode)}
        )
    return allowed


def create_unit(operator_id: int, code: str, *, name: str, purse_order: int = PurseOrder.PRIVATE) -> Unit:
    """An applied unit (O3). Raises RuleViolated (O1: 255; P2: purse order) and InvalidInput."""
    with refusals():
        return Unit.objects.create(operator_id=operator_id, code=code, name=name, purse_order=PurseOrder(purse_order))


def update_unit(unit_id: int, *, name: str | None = None, purse_order: int | None = None) -> Unit:
    """Change what is given. Raises NotFound, RuleViolated (P2)."""
    with refusals():
        return _change(Unit, unit_id, {"name": name, "purse_order": purse_order})


def move_unit(unit_id: int, *, operator_id: int) -> Unit:
    """Hand a unit and its merchants to another operator. Raises NotFound, RuleViolated (O1, P2; O2 while it has holders)."""
    stays = Refusal("O2", "有持卡人的接入单位不能换运营单位", "a unit with cardholders cannot change its operator")
    with refusals({"holder_unit_operator": stays}):
        lock_unit(unit_id)
        return _change(Unit, unit_id, {"operator_id": operator_id})


def create_merchant(
    name: str,
    *,
    unit_id: int | None = None,
    operator_id: int | None = None,
    public: bool = False,
    purse_order: int | None = None,
    fee_per_mille: int = 0,
    fee_per_item_fen: int = 0,
) -> Merchant:
    """A merchant of a unit, or a public one straight under an operator. Raises NotFound, InvalidInput, RuleViolated (P1, P2)."""
    if unit_id is None and operator_id is None:
        raise InvalidInput("商户须属于接入单位或运营单位", "a merchant belongs to a unit or an operator")
    with refusals():
        if unit_id is not None:
            owner = Unit.objects.filter(pk=unit_id).values_list("operator_id", flat=True).first()
            if owner is None or operator_id not in (None, owner):
                raise _not_found(Unit, unit_id)
            operator_id = owner
        assert operator_id is not None
        return Merchant.objects.create(
            name=name,
            unit_id=unit_id,
            operator_id=operator_id,
            public=public,
            purse_order=purse_order,
            fee_per_mille=fee_per_mille,
            fee_per_item_fen=fee_per_item_fen,
        )


def update_merchant(
    merchant_id: int,
    *,
    name: str | None = None,
    state: str | None = None,
    purse_order: int | None = None,
    fee_per_mille: int | None = None,
    fee_per_item_fen: int | None = None,
) -> Merchant:
    """Change what is given; `state` closes a merchant or takes it back. Raises NotFound, InvalidInput, RuleViolated."""
    changes = {
        "name": name,
        "state": None if state is None else MerchantState(state),
        "purse_order": purse_order,
        "fee_per_mille": fee_per_mille,
        "fee_per_item_fen": fee_per_item_fen,
    }
    with refusals():
        return _change(Merchant, merchant_id, changes)


def set_meal_periods(unit_id: int, meals: Sequence[Meal]) -> None:
    """Put a unit's meal periods in place of those it has. Raises NotFound, and InvalidInput when two overlap."""
    covered: list[tuple[int, int, Meal]] = []
    for meal in meals:
        for start_s, end_s in _spans(meal):
            clash = next((other for s, e, other in covered if start_s < e and s < end_s), None)
            if clash is not None:
                raise InvalidInput(f"餐次 {clash.no} 与 {meal.no} 重叠", f"meal periods {clash.no} and {meal.no} overlap")
            covered.append((start_s, end_s, meal))
    with refusals():
        lock_unit(unit_id)
        MealPeriod.objects.filter(unit_id=unit_id).delete()
        MealPeriod.objects.bulk_create(
            MealPeriod(unit_id=unit_id, no=meal.no, name=meal.name, start=meal.start, end=meal.end) for meal in meals
        )


def _spans(meal: Meal) -> list[tuple[int, int]]:
    start_s, end_s = (t.hour * 3600 + t.minute * 60 + t.second for t in (meal.start, meal.end))
    if start_s < end_s:
        return [(start_s, end_s)]
    return [(start_s, _DAY_S), (0, end_s)]


def _change(model: type[_M], pk: int, changes: dict[str, Any]) -> _M:
    given = {name: value for name, value in changes.items() if value is not None}
    manager = model._default_manager
    if given:
        manager.filter(pk=pk).update(**given)
    found = manager.filter(pk=pk).first()
    if found is None:
        raise _not_found(model, pk)
    return found


def _not_found(model: type[Model], pk: int) -> NotFound:
    meta = model._meta
    return NotFound(f"无此{meta.verbose_name}：{pk}", f"no such {meta.model_name}: {pk}")
