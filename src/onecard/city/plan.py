"""The plan of the demonstration city: operators, units, merchants, terminals and holders, all from one seed and nothing else.

Pure values: the same seed and number of holders give the same city, row for row, so that an interrupted loading can be redone.
Rules shown by it: O1-O3, P1 and P2 (operators of both settlement modes, units of every purse order), P4 (limits, meal periods).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import time
from random import Random

from onecard.city import names

CITY_ZH, CITY_EN = "澜城市", "Lancheng (invented)"
SEED = 20180901


@dataclass(frozen=True, slots=True)
class OperatorPlan:
    code: str
    name: str
    name_en: str
    unified: bool
    unit_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CardTypePlan:
    code: str
    name: str
    name_en: str
    limit_txn_fen: int = 0
    limit_meal_fen: int = 0
    limit_day_fen: int = 0
    limit_balance_fen: int = 0


@dataclass(frozen=True, slots=True)
class MerchantPlan:
    name: str
    terminals: int
    driver: str = "native"
    public: bool = False
    fee_per_mille: int = 0
    fee_per_item_fen: int = 0
    prices: tuple[int, int] = (100, 2000)
    metered: bool = False


@dataclass(frozen=True, slots=True)
class UnitPlan:
    code: str
    operator: str
    kind: str
    name: str
    purse_order: int
    merchants: tuple[MerchantPlan, ...]


@dataclass(frozen=True, slots=True)
class HolderPlan:
    """One person with one account and one card; `unit` is "" for the general public."""

    name: str
    anonymous: bool
    operator: str
    unit: str
    card_type: str
    public_fen: int
    private_fen: int


@dataclass(frozen=True, slots=True)
class CityPlan:
    seed: int
    holders: int
    operators: tuple[OperatorPlan, ...] = field(repr=False)
    card_types: tuple[CardTypePlan, ...] = field(repr=False)
    units: tuple[UnitPlan, ...] = field(repr=False)
    public_merchants: dict[str, tuple[MerchantPlan, ...]] = field(repr=False)


ROOT = OperatorPlan("LC", f"{CITY_ZH}一卡通运营中心", "City One-Card Centre", True, ("school", "hospital"))
SECOND_LEVEL = (
    OperatorPlan("TEL", "澜讯通信一卡通事业部", "Lanxun Telecom", True, ("tower", "tower", "firm", "firm", "firm", "firm")),
    OperatorPlan("BNK", "澜城商业银行一卡通部", "Lancheng Merchants Bank", True, ("firm", "firm", "hospital", "school", "tower")),
    OperatorPlan("UNI", "大学城校园卡运营公司", "University Town Cards", False, ("school",) * 6),
    OperatorPlan("HTP", "高新区园区服务公司", "High-Tech Park Services", True, ("firm",) * 5 + ("tower", "tower")),
    OperatorPlan("PRT", "临港产业区运营公司", "Harbour Industry Zone", False, ("firm",) * 4 + ("hospital",)),
)
CARD_TYPES = (
    CardTypePlan("STD", "普通卡", "Standard", limit_txn_fen=100_000, limit_day_fen=300_000, limit_balance_fen=500_000),
    CardTypePlan(
        "STU", "学生卡", "Student", limit_txn_fen=20_000, limit_meal_fen=8_000, limit_day_fen=50_000, limit_balance_fen=200_000
    ),
    CardTypePlan(
        "STF", "员工卡", "Staff", limit_txn_fen=50_000, limit_meal_fen=10_000, limit_day_fen=100_000, limit_balance_fen=500_000
    ),
    CardTypePlan("SEN", "敬老卡", "Senior", limit_txn_fen=20_000, limit_day_fen=50_000, limit_balance_fen=100_000),
)
MEALS = ((1, "早餐", time(6, 0), time(10, 0)), (2, "午餐", time(10, 30), time(14, 0)), (3, "晚餐", time(16, 30), time(20, 30)))
PUBLIC_MERCHANTS = {
    "LC": (
        MerchantPlan("澜城公交集团", 40, public=True, fee_per_mille=3, prices=(100, 400)),
        MerchantPlan("澜城地铁", 24, public=True, fee_per_mille=3, prices=(200, 900)),
        MerchantPlan("澜城轮渡", 4, public=True, fee_per_mille=4, prices=(200, 600)),
    ),
    "TEL": (MerchantPlan("澜讯营业厅", 4, "iso8583", public=True, fee_per_mille=5, fee_per_item_fen=5, prices=(1000, 10000)),),
    "BNK": (
        MerchantPlan("澜惠超市", 8, "iso8583", public=True, fee_per_mille=6, prices=(300, 15000)),
        MerchantPlan("邻里鲜超市", 6, "iso8583", public=True, fee_per_mille=6, prices=(300, 9000)),
    ),
    "HTP": (MerchantPlan("园区停车场", 4, public=True, fee_per_mille=5, fee_per_item_fen=2, prices=(500, 3000)),),
}
_CANTEEN_PRICES, _SHOP_PRICES, _WATER_PRICES = (300, 2500), (200, 5000), (20, 300)


def make_plan(*, holders: int, seed: int = SEED) -> CityPlan:
    """The city of a seed. `holders` changes the number of people, never the tree."""
    rng = Random(f"{seed}:tree")  # noqa: S311 (a demonstration that must be repeatable)
    taken: set[str] = set()
    units = [
        _unit(rng, operator, kind, number, taken)
        for operator in (ROOT, *SECOND_LEVEL)
        for number, kind in enumerate(operator.unit_kinds, 1)
    ]
    return CityPlan(seed, holders, (ROOT, *SECOND_LEVEL), CARD_TYPES, tuple(units), PUBLIC_MERCHANTS)


def holder_rows(plan: CityPlan) -> Iterator[HolderPlan]:
    """The people, one after another: a little more than half belong to a unit."""
    rng = Random(f"{plan.seed}:people")  # noqa: S311
    unified = {operator.code: operator.unified for operator in plan.operators}
    issuers = [operator.code for operator in plan.operators if operator.unified]
    weights = [{"school": 6, "firm": 3, "hospital": 2, "tower": 2}[unit.kind] for unit in plan.units]
    owners = rng.choices(plan.units, weights, k=plan.holders)
    for unit in owners:
        if rng.random() < 0.55:
            yield _member(rng, unit, unified=unified[unit.operator])
        else:
            yield _citizen(rng, rng.choice(issuers))


def _member(rng: Random, unit: UnitPlan, *, unified: bool) -> HolderPlan:
    card_type = "STU" if unit.kind == "school" and rng.random() < 0.85 else "STF"
    public = rng.randrange(1_000, 40_000, 10) if unified else 0  # P2: independent settlement knows no public purse
    return HolderPlan(names.person(rng), False, unit.operator, unit.code, card_type, public, rng.randrange(2_000, 60_000, 10))


def _citizen(rng: Random, operator: str) -> HolderPlan:
    anonymous = rng.random() < 0.25
    card_type = "SEN" if rng.random() < 0.12 else "STD"
    return HolderPlan("" if anonymous else names.person(rng), anonymous, operator, "", card_type, rng.randrange(0, 50_000, 10), 0)


def _unit(rng: Random, operator: OperatorPlan, kind: str, number: int, taken: set[str]) -> UnitPlan:
    name = names.organisation(rng, kind)
    while name in taken:
        name = names.organisation(rng, kind)
    taken.add(name)
    order = rng.choice((1, 3, 4)) if operator.unified and kind == "tower" else rng.choice((2, 3, 3)) if operator.unified else 2
    return UnitPlan(f"{operator.code}{number:02d}", operator.code, kind, name, order, _unit_merchants(rng, kind))


def _unit_merchants(rng: Random, kind: str) -> tuple[MerchantPlan, ...]:
    canteens = {"school": 3, "firm": 1, "hospital": 2, "tower": 1}[kind]
    made = [
        MerchantPlan(f"第{'一二三四'[place]}食堂", rng.randint(3, 6), fee_per_mille=2, prices=_CANTEEN_PRICES)
        for place in range(canteens)
    ]
    shop = rng.choice(names.SHOPS)
    driver = "iso8583" if rng.random() < 0.3 else "native"
    made.append(MerchantPlan(shop, 1, driver, fee_per_mille=5, fee_per_item_fen=1, prices=_SHOP_PRICES))
    if kind in ("school", "firm"):
        made.append(MerchantPlan("水控", 2, prices=_WATER_PRICES, metered=True))
    return tuple(made)
