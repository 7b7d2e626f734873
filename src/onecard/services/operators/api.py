"""What other areas call of the operator tree. What changes something is a transaction, or a savepoint in the caller's.

A refusal is kernel.errors.RuleViolated (with `rule` and `limit`), bad input is InvalidInput, an unknown id NotFound.
"""

from onecard.services.operators.choices import (
    Application,
    IssuingMode,
    MerchantState,
    OperatorStatus,
    PurseOrder,
    SettlementMode,
    UnitState,
)
from onecard.services.operators.directory import Change
from onecard.services.operators.errors import Refusal, constraint_of, refusals
from onecard.services.operators.lifecycle import (
    OpenedUnit,
    check_unit_credential,
    expire_units,
    extend_unit,
    open_unit,
    renew_credential,
    set_unit_state,
)
from onecard.services.operators.models import MAX_CHILDREN, MAX_UNITS
from onecard.services.operators.tree import (
    Meal,
    allow_card_type,
    create_card_type,
    create_merchant,
    create_operator,
    create_unit,
    move_unit,
    set_meal_periods,
    set_operator_status,
    update_card_type,
    update_merchant,
    update_operator,
    update_unit,
)

__all__ = [
    "MAX_CHILDREN",
    "MAX_UNITS",
    "Application",
    "Change",
    "IssuingMode",
    "Meal",
    "MerchantState",
    "OpenedUnit",
    "OperatorStatus",
    "PurseOrder",
    "Refusal",
    "SettlementMode",
    "UnitState",
    "allow_card_type",
    "check_unit_credential",
    "constraint_of",
    "create_card_type",
    "create_merchant",
    "create_operator",
    "create_unit",
    "expire_units",
    "extend_unit",
    "move_unit",
    "open_unit",
    "refusals",
    "renew_credential",
    "set_meal_periods",
    "set_operator_status",
    "set_unit_state",
    "update_card_type",
    "update_merchant",
    "update_operator",
    "update_unit",
]
