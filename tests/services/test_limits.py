"""O1 and O2: the limits of the tree and the cap on cardholders hold in the database, whoever writes and however many at once."""

import psycopg
import pytest
from django.db import IntegrityError, transaction

from onecard.kernel.errors import RuleViolated
from onecard.services.operators import api
from onecard.services.operators.models import Operator, Unit
from onecard.services.people import api as people
from onecard.services.people.models import Holder
from tests.services.conftest import Tree
from tests.support.postgres import TestDatabase

ATTEMPTS = 100


def counters(operator_id: int) -> tuple[int, int, int]:
    operator = Operator.objects.get(pk=operator_id)
    return operator.child_count, operator.unit_count, operator.holder_count


def fill_units(dsn: str, operator_id: int, count: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO operators_unit (operator_id, code, name, state, purse_order, created_at)"
            " SELECT %s, 'U' || i, 'U', 'applied', 2, now() FROM generate_series(1, %s) i",
            (operator_id, count),
        )


def refused(results: list[object]) -> list[RuleViolated]:
    errors = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, RuleViolated) for error in errors), errors
    return errors  # type: ignore[return-value]


def test_a_hundred_at_once_create_exactly_64_second_level_operators(root, at_once) -> None:
    results = at_once(lambda i: api.create_operator(f"S{i}", f"二级{i}", parent_id=root, holder_cap=1), ATTEMPTS)
    errors = refused(results)
    assert len(errors) == ATTEMPTS - 64
    assert {(error.rule, error.limit) for error in errors} == {("O1", 64)}
    assert "64" in errors[0].zh and "64" in errors[0].en
    assert Operator.objects.filter(parent_id=root).count() == 64
    assert counters(root) == (64, 0, 0)


def test_a_hundred_at_once_create_exactly_one_root(django_database, at_once) -> None:
    results = at_once(lambda i: api.create_operator(f"R{i}", "根", parent_id=None, holder_cap=1), ATTEMPTS)
    assert {(error.rule, error.limit) for error in refused(results)} == {("O1", 1)}
    assert Operator.objects.count() == 1


def test_a_hundred_at_once_attach_exactly_255_units(root, django_database: TestDatabase, at_once) -> None:
    fill_units(django_database.app_dsn, root, 200)
    errors = refused(at_once(lambda i: api.create_unit(root, f"N{i}", name="单位"), ATTEMPTS))
    assert len(errors) == ATTEMPTS - 55
    assert {(error.rule, error.limit) for error in errors} == {("O1", 255)}
    assert Unit.objects.filter(operator_id=root).count() == 255
    assert counters(root) == (0, 255, 0)


def test_a_hundred_at_once_stop_exactly_at_the_holder_cap(django_database, at_once) -> None:
    operator = api.create_operator("ROOT", "根", parent_id=None, holder_cap=37).pk
    errors = refused(at_once(lambda i: people.create_holder(operator, people.NewHolder(name=f"持卡人{i}")), ATTEMPTS))
    assert len(errors) == ATTEMPTS - 37
    assert {(error.rule, error.limit) for error in errors} == {("O2", 37)}
    assert "37" in errors[0].zh and "37" in errors[0].en
    assert Holder.objects.count() == 37
    assert counters(operator) == (0, 0, 37)


def test_a_bulk_load_past_the_cap_leaves_nothing(django_database) -> None:
    operator = api.create_operator("ROOT", "根", parent_id=None, holder_cap=100).pk
    people.create_holders(operator, [people.NewHolder() for _ in range(60)])
    with pytest.raises(RuleViolated) as caught:
        people.create_holders(operator, [people.NewHolder() for _ in range(41)])
    assert (caught.value.rule, caught.value.limit) == ("O2", 100)
    assert (Holder.objects.count(), counters(operator)) == (60, (0, 0, 60))
    assert len(people.create_holders(operator, [people.NewHolder() for _ in range(40)])) == 40


def test_every_operator_the_root_included_has_255_units_of_its_own(tree: Tree, django_database: TestDatabase) -> None:
    fill_units(django_database.app_dsn, tree.root, 255)
    fill_units(django_database.app_dsn, tree.unified, 254)
    for operator in (tree.root, tree.unified):
        with pytest.raises(RuleViolated, match="255"):
            api.create_unit(operator, "ONE-MORE", name="第256个")
    assert (counters(tree.root)[1], counters(tree.unified)[1]) == (255, 255)


def test_a_closed_unit_gives_its_place_free_and_a_deleted_one_too(root, django_database: TestDatabase) -> None:
    fill_units(django_database.app_dsn, root, 255)
    first, second = Unit.objects.order_by("id")[:2]
    api.set_unit_state(first.pk, "closed")
    second.delete()
    assert counters(root)[1] == 253
    api.create_unit(root, "A", name="A")
    api.create_unit(root, "B", name="B")
    with pytest.raises(RuleViolated):
        api.create_unit(root, "C", name="C")


def test_a_moved_unit_counts_where_it_is_and_cannot_move_to_a_full_operator(tree: Tree, django_database: TestDatabase) -> None:
    api.move_unit(tree.unit, operator_id=tree.root)
    assert (counters(tree.root)[1], counters(tree.unified)[1]) == (1, 0)
    fill_units(django_database.app_dsn, tree.unified, 255)
    with pytest.raises(RuleViolated) as caught:
        api.move_unit(tree.unit, operator_id=tree.unified)
    assert (caught.value.rule, caught.value.limit) == ("O1", 255)
    assert (counters(tree.root)[1], counters(tree.unified)[1]) == (1, 255)


def test_a_unit_with_cardholders_is_not_moved(tree: Tree) -> None:
    people.create_holder(tree.unified, people.NewHolder(name="张三", unit_id=tree.unit))
    with pytest.raises(RuleViolated) as caught:
        api.move_unit(tree.unit, operator_id=tree.root)
    assert caught.value.rule == "O2"
    assert Unit.objects.get(pk=tree.unit).operator_id == tree.unified
    assert (counters(tree.root)[1], counters(tree.unified)[1]) == (0, 1)


def test_there_is_no_third_level(tree: Tree) -> None:
    with pytest.raises(RuleViolated) as caught:
        api.create_operator("DEEP", "三级", parent_id=tree.unified, holder_cap=1)
    assert caught.value.rule == "O1"
    assert counters(tree.unified)[0] == 0


def test_closing_an_operator_needs_it_empty_and_gives_its_place_free(tree: Tree) -> None:
    with pytest.raises(RuleViolated) as caught:
        api.set_operator_status(tree.unified, "closed")
    assert caught.value.rule == "O1"
    api.set_unit_state(tree.unit, "closed")
    api.set_operator_status(tree.unified, "closed")
    assert counters(tree.root)[0] == 1
    with pytest.raises(RuleViolated):
        api.create_unit(tree.unified, "LATE", name="迟到")
    with pytest.raises(RuleViolated):
        api.set_operator_status(tree.unified, "active")


def test_what_a_caller_writes_into_the_counters_is_ignored(tree: Tree) -> None:
    stale = Operator.objects.get(pk=tree.unified)
    api.create_unit(tree.unified, "NEW", name="新")
    stale.name = "改名"
    stale.save()
    Operator.objects.filter(pk=tree.unified).update(unit_count=0, holder_count=0)
    assert counters(tree.unified) == (0, 2, 0)
    forged = Operator.objects.create(code="F", name="F", parent_id=tree.root, holder_cap=1, unit_count=77, holder_count=1)
    assert counters(forged.pk) == (0, 0, 0)


def test_a_cap_below_the_cardholders_is_refused(tree: Tree) -> None:
    people.create_holders(tree.unified, [people.NewHolder() for _ in range(3)])
    with pytest.raises(RuleViolated) as caught:
        api.update_operator(tree.unified, holder_cap=2)
    assert (caught.value.rule, caught.value.limit) == ("O2", 2)
    assert api.update_operator(tree.unified, holder_cap=3).holder_cap == 3


def test_a_closed_holder_no_longer_counts(tree: Tree) -> None:
    first, _ = people.create_holders(tree.unified, [people.NewHolder(), people.NewHolder()])
    people.close_holder(first)
    assert counters(tree.unified)[2] == 1


def test_the_tables_that_are_counted_cannot_be_truncated(tree: Tree, django_database: TestDatabase) -> None:
    with psycopg.connect(django_database.owner_dsn) as connection, pytest.raises(psycopg.errors.RaiseException, match="counted"):
        connection.execute("TRUNCATE operators_unit CASCADE")


def test_a_refusal_leaves_the_callers_transaction_whole(tree: Tree) -> None:
    with transaction.atomic():
        kept = api.create_unit(tree.root, "KEPT", name="留下")
        with pytest.raises(RuleViolated):
            api.create_operator("ROOT2", "又一个根", parent_id=None, holder_cap=1)
    assert Unit.objects.filter(pk=kept.pk).exists()


def test_sql_of_anybody_meets_the_same_limit(root, django_database: TestDatabase) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="operator_unit_limit"):
        fill_units(django_database.app_dsn, root, 256)
    assert counters(root) == (0, 0, 0)
    with pytest.raises(IntegrityError):
        Operator.objects.create(code="X", name="X", parent_id=root, holder_cap=-1)
