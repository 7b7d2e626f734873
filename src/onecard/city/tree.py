"""Builds the tree of the planned city through the services' own functions, and reads its ids back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from onecard.city.plan import CARD_TYPES, MEALS, ROOT, CardTypePlan, CityPlan, MerchantPlan, OperatorPlan, UnitPlan
from onecard.services.devices import api as devices
from onecard.services.devices.models import Terminal
from onecard.services.operators import api as operators
from onecard.services.operators.models import CardType, Operator, Unit
from onecard.services.settlement.models import FeeShare

_VALIDITY = timedelta(days=3 * 365)
_CARD_TYPES = {"school": ("STU", "STF"), "tower": ("STF",), "firm": ("STF",), "hospital": ("STF",)}


@dataclass(frozen=True, slots=True)
class Tree:
    """The ids of the planned city, by code."""

    plan: CityPlan
    operators: dict[str, int]
    card_types: dict[str, int]
    units: dict[str, int]
    lines: list[int]
    terminals: list[int]


def build_tree(plan: CityPlan) -> None:
    """Make everything but people; the caller's transaction makes it whole."""
    card_types = {kind.code: _make_card_type(kind) for kind in CARD_TYPES}
    ids: dict[str, int] = {}
    root: int | None = None
    for place, operator in enumerate(plan.operators):
        ids[operator.code] = _make_operator(operator, root, card_types, holder_cap=max(1_000_000, plan.holders * 2))
        root = root or ids[operator.code]
        if place:
            FeeShare.objects.create(operator_id=ids[operator.code], per_mille=400 + 50 * place)
    for unit in plan.units:
        _make_unit(unit, ids[unit.operator])
    for code, merchants in plan.public_merchants.items():
        for merchant in merchants:
            _make_merchant(merchant, operator_id=ids[code])


def read_tree(plan: CityPlan) -> Tree:
    """The ids of a city that has been built."""
    codes = [operator.code for operator in plan.operators]
    ids = dict(Operator.objects.filter(code__in=codes).values_list("code", "id"))
    unit_ids = dict(Unit.objects.filter(code__in=[unit.code for unit in plan.units]).values_list("code", "id"))
    card_types = dict(CardType.objects.values_list("code", "id"))
    found = Terminal.objects.filter(merchant__operator_id__in=ids.values(), name__startswith="#").values_list("id", "line_id")
    rows = list(found.order_by("id"))
    return Tree(plan, ids, card_types, unit_ids, sorted({line for _, line in rows if line}), [terminal for terminal, _ in rows])


def open_unit_fully(unit_id: int) -> None:
    """From applied to active: what the operator, the installers and the unit do one after another (O3)."""
    now = datetime.now(UTC)
    operators.open_unit(unit_id, valid_from=now, valid_until=now + _VALIDITY)
    operators.set_unit_state(unit_id, operators.UnitState.COMMISSIONING)
    operators.set_unit_state(unit_id, operators.UnitState.ACTIVE)


def _make_card_type(plan: CardTypePlan) -> int:
    made = operators.create_card_type(
        plan.code,
        plan.name,
        name_en=plan.name_en,
        limit_txn_fen=plan.limit_txn_fen,
        limit_meal_fen=plan.limit_meal_fen,
        limit_day_fen=plan.limit_day_fen,
        limit_balance_fen=plan.limit_balance_fen,
    )
    return made.pk


def ensure_root(*, holder_cap: int = 1_000_000) -> int:
    """The root operator; a replay into an empty home has made it already."""
    found = Operator.objects.filter(parent=None).values_list("id", flat=True).first()
    if found is None:
        found = operators.create_operator(ROOT.code, ROOT.name, parent_id=None, holder_cap=holder_cap, name_en=ROOT.name_en).pk
    return found


def _make_operator(plan: OperatorPlan, root: int | None, card_types: dict[str, int], *, holder_cap: int) -> int:
    if root is None:
        made = ensure_root(holder_cap=holder_cap)
    else:
        mode = operators.SettlementMode.UNIFIED if plan.unified else operators.SettlementMode.INDEPENDENT
        made = operators.create_operator(
            plan.code, plan.name, parent_id=root, holder_cap=holder_cap, name_en=plan.name_en, settlement_mode=mode
        ).pk
    kinds = {code for kind in plan.unit_kinds for code in _CARD_TYPES[kind]} | ({"STD", "SEN"} if plan.unified else set())
    for code in sorted(kinds):
        issuing = operators.IssuingMode.UNIFIED if plan.unified else operators.IssuingMode.LOCAL
        operators.allow_card_type(made, card_types[code], issuing_mode=issuing)
    return made


def _make_unit(plan: UnitPlan, operator_id: int) -> None:
    unit = operators.create_unit(operator_id, plan.code, name=plan.name, purse_order=plan.purse_order)
    open_unit_fully(unit.pk)
    operators.set_meal_periods(unit.pk, [operators.Meal(no, name, start, end) for no, name, start, end in MEALS])
    line = devices.create_line(devices.NewLine(f"{plan.name} 前置机", devices.LineKind.FRONT_END, unit_id=unit.pk))
    for merchant in plan.merchants:
        _make_merchant(merchant, unit_id=unit.pk, line=line)


def _make_merchant(
    plan: MerchantPlan, *, operator_id: int | None = None, unit_id: int | None = None, line: int | None = None
) -> None:
    """A merchant with its terminals: ISO 8583 ones each on a line of its own, native ones behind a front-end."""
    merchant = operators.create_merchant(
        plan.name, operator_id=operator_id, unit_id=unit_id, public=plan.public, fee_per_mille=plan.fee_per_mille,
        fee_per_item_fen=plan.fee_per_item_fen,
    )  # fmt: skip
    names = [f"#{number} {plan.name}" for number in range(1, plan.terminals + 1)]
    if plan.driver == "iso8583":
        lines = devices.create_lines(
            devices.NewLine(f"POS {name}", devices.LineKind.TERMINAL, unit_id=unit_id, operator_id=operator_id) for name in names
        )
    else:
        if line is None:
            new = devices.NewLine(f"{plan.name} 前置机", devices.LineKind.FRONT_END, operator_id=operator_id)
            line = devices.create_line(new)
        lines = [line] * len(names)
    _make_terminals(merchant.pk, zip(names, lines, strict=True), driver=plan.driver)


def _make_terminals(merchant_id: int, named_lines: Iterable[tuple[str, int]], *, driver: str) -> None:
    devices.create_terminals(
        devices.NewTerminal(merchant_id, line_id=line, driver=driver, name=name) for name, line in named_lines
    )
