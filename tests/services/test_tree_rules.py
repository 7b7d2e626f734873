"""P1, P2 and what the ledger is told: purse order by settlement mode, merchants, meal periods, card types, book accounts."""

from datetime import time
from typing import Any

import psycopg
import pytest

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.operators import api
from onecard.services.operators.models import MealPeriod, Merchant, Operator, OperatorCardType, Unit
from tests.services.conftest import Tree
from tests.support.postgres import TestDatabase


def rows(database: TestDatabase, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner_dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def violated(rule: str, work: Any, *args: Any, **kwargs: Any) -> None:
    with pytest.raises(RuleViolated) as caught:
        work(*args, **kwargs)
    assert caught.value.rule == rule


def test_under_independent_settlement_only_the_private_purse_can_be_chosen(tree: Tree) -> None:
    for order in (1, 3, 4):
        violated("P2", api.create_unit, tree.independent, f"X{order}", name="X", purse_order=order)
        violated("P2", api.update_unit, tree.own_unit, purse_order=order)
        violated("P2", api.create_merchant, "食堂", unit_id=tree.own_unit, purse_order=order)
        assert api.create_unit(tree.unified, f"X{order}", name="X", purse_order=order).purse_order == order
    assert api.create_merchant("食堂", unit_id=tree.own_unit, purse_order=2).operator_id == tree.independent
    assert Unit.objects.filter(operator_id=tree.independent).count() == 1


def test_public_merchants_stand_under_unified_operators_only_and_take_the_public_purse(tree: Tree) -> None:
    violated("P2", api.create_merchant, "公交", operator_id=tree.independent, public=True)
    violated("P2", api.create_merchant, "公交", unit_id=tree.own_unit, public=True)
    violated("P1", api.create_merchant, "公交", operator_id=tree.unified, public=True, purse_order=2)
    violated("P1", api.create_merchant, "小卖部", operator_id=tree.unified)
    assert api.create_merchant("公交", operator_id=tree.unified, public=True).unit_id is None
    assert api.create_merchant("地铁", unit_id=tree.unit, public=True).operator_id == tree.unified
    assert Merchant.objects.count() == 2


def test_a_unit_that_takes_the_public_purse_cannot_be_moved_under_independent_settlement(tree: Tree) -> None:
    violated("P2", api.move_unit, tree.unit, operator_id=tree.independent)
    api.update_unit(tree.unit, purse_order=2)
    merchant = api.create_merchant("地铁", unit_id=tree.unit, public=True)
    violated("P2", api.move_unit, tree.unit, operator_id=tree.independent)
    merchant.delete()
    kept = api.create_merchant("食堂", unit_id=tree.unit)
    api.move_unit(tree.unit, operator_id=tree.independent)
    assert Merchant.objects.get(pk=kept.pk).operator_id == tree.independent


def test_an_operator_turns_independent_only_when_nothing_takes_the_public_purse(tree: Tree, django_database) -> None:
    violated("P2", api.update_operator, tree.unified, settlement_mode="independent")
    api.update_unit(tree.unit, purse_order=2)
    merchant = api.create_merchant("公交", operator_id=tree.unified, public=True)
    violated("P2", api.update_operator, tree.unified, settlement_mode="independent")
    merchant.delete()
    query = f"SELECT unified FROM ledger.issuer WHERE operator_id = {tree.unified}"
    assert rows(django_database, query) == [(True,)]
    api.update_operator(tree.unified, settlement_mode="independent")
    assert rows(django_database, query) == [(False,)]


def test_turning_independent_and_choosing_the_public_purse_at_once_never_both_succeed(root, at_once) -> None:
    operators = [api.create_operator(f"S{i}", "二级", parent_id=root, holder_cap=1).pk for i in range(10)]

    def work(number: int) -> None:
        operator = operators[number // 2]
        if number % 2:
            api.update_operator(operator, settlement_mode="independent")
        else:
            api.create_merchant("公交", operator_id=operator, public=True)

    results = at_once(work, 20)
    for i, operator in enumerate(operators):
        assert sum(isinstance(result, RuleViolated) for result in results[2 * i : 2 * i + 2]) == 1
        independent = Operator.objects.get(pk=operator).settlement_mode == "independent"
        assert independent != Merchant.objects.filter(operator_id=operator).exists()


def test_a_merchant_belongs_to_the_operator_of_its_unit(tree: Tree) -> None:
    with pytest.raises(NotFound):
        api.create_merchant("食堂", unit_id=tree.unit, operator_id=tree.root)
    with pytest.raises(NotFound):
        api.create_merchant("食堂", unit_id=4711)
    with pytest.raises(InvalidInput):
        api.create_merchant("食堂")
    with pytest.raises(InvalidInput, match="1000"):
        api.create_merchant("食堂", unit_id=tree.unit, fee_per_mille=1001)
    merchant = api.create_merchant("食堂", unit_id=tree.unit, fee_per_mille=6, fee_per_item_fen=1)
    assert merchant.mid == f"{merchant.pk:015d}" and len(merchant.mid) == 15
    assert api.update_merchant(merchant.pk, state="closed", fee_per_mille=0).state == "closed"
    assert Merchant.objects.get(pk=merchant.pk).fee_per_item_fen == 1


def test_each_operator_unit_and_merchant_has_its_book_accounts(tree: Tree, django_database) -> None:
    merchant = api.create_merchant("食堂", unit_id=tree.unit).pk
    made = rows(django_database, "SELECT id, kind, ref_id, name FROM ledger.book_account ORDER BY id")
    expected = [(100_000_000 + merchant, 1, merchant, "食堂")]
    units, operators = [(tree.unit, "一中"), (tree.own_unit, "工厂")], [(tree.root, "根运营单位")]
    operators += [(tree.unified, "统一运营"), (tree.independent, "独立运营")]
    expected += [(kind * 10**8 + i, kind, i, name) for kind in (2, 9) for i, name in units]
    expected += [(kind * 10**8 + i, kind, i, name) for kind in (3, 4, 5, 6, 7, 8, 10, 11, 12) for i, name in operators]
    assert made == sorted(expected)


def test_a_new_name_reaches_the_book_accounts(tree: Tree, django_database) -> None:
    merchant = api.create_merchant("食堂", unit_id=tree.unit).pk
    api.update_merchant(merchant, name="一食堂")
    api.update_unit(tree.unit, name="第一中学")
    api.update_operator(tree.unified, name="新名")
    query = "SELECT DISTINCT name FROM ledger.book_account WHERE (kind, ref_id) IN ((1, {}), (2, {}), (9, {}), (3, {}), (11, {}))"
    names = rows(django_database, query.format(merchant, tree.unit, tree.unit, tree.unified, tree.unified))
    assert {name for (name,) in names} == {"一食堂", "第一中学", "新名"}


def test_card_type_limits_reach_the_ledger_and_operators_say_who_issues(tree: Tree, django_database) -> None:
    card_type = api.create_card_type("STUDENT", "学生卡", limit_txn_fen=5_000, limit_day_fen=20_000).pk
    columns = "limit_txn_fen, limit_meal_fen, limit_day_fen, limit_balance_fen"
    query = f"SELECT {columns} FROM ledger.card_type WHERE card_type_id = {card_type}"
    assert rows(django_database, query) == [(5_000, 0, 20_000, 0)]
    api.update_card_type(card_type, limit_txn_fen=0, limit_meal_fen=1_500)
    assert rows(django_database, query) == [(0, 1_500, 20_000, 0)]
    with pytest.raises(InvalidInput):
        api.update_card_type(card_type, limit_day_fen=-1)
    api.allow_card_type(tree.unified, card_type)
    api.allow_card_type(tree.unified, card_type, issuing_mode="local")
    assert list(OperatorCardType.objects.values_list("operator_id", "issuing_mode")) == [(tree.unified, "local")]
    with pytest.raises(InvalidInput):
        api.allow_card_type(tree.unified, 4711)


def test_meal_periods_are_set_whole_and_may_run_over_midnight(tree: Tree) -> None:
    breakfast, night = api.Meal(1, "早餐", time(6), time(9)), api.Meal(2, "夜宵", time(22), time(1))
    api.set_meal_periods(tree.unit, [breakfast, night])
    for clash in (api.Meal(3, "加餐", time(8), time(10)), api.Meal(3, "加餐", time(0, 30), time(2))):
        with pytest.raises(InvalidInput, match="overlap"):
            api.set_meal_periods(tree.unit, [breakfast, night, clash])
    assert MealPeriod.objects.filter(unit_id=tree.unit).count() == 2
    api.set_meal_periods(tree.unit, [api.Meal(1, "早餐", time(9), time(10))])
    assert list(MealPeriod.objects.values_list("no", "start")) == [(1, time(9))]


def test_a_duplicate_code_is_refused_by_name(tree: Tree) -> None:
    with pytest.raises(InvalidInput, match="code is taken"):
        api.create_unit(tree.unified, "SCHOOL", name="又一个")
    assert api.create_unit(tree.root, "SCHOOL", name="另一单位的一中").code == "SCHOOL"
    with pytest.raises(InvalidInput):
        api.create_unit(4711, "X", name="X")
