"""Cardholders: real name and anonymous, document numbers as keyed hashes, bulk loading."""

import psycopg
import pytest

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.people import api as people
from onecard.services.people.documents import DocumentHasher
from onecard.services.people.models import Holder
from tests.services.conftest import Tree

NUMBER = "11010519491231002X"


def test_a_document_number_is_found_again_but_stands_nowhere_in_the_database(tree: Tree, django_database) -> None:
    holder = people.create_holder(
        tree.unified, people.NewHolder(name="张三", unit_id=tree.unit, document_type="id_card", document_no=NUMBER)
    )
    assert holder.document_last4 == "002X"
    assert people.find_by_document(tree.unified, "id_card", " 11010519491231002x ") == holder.pk
    assert people.find_by_document(tree.unified, "passport", NUMBER) is None
    assert people.find_by_document(tree.root, "id_card", NUMBER) is None
    with psycopg.connect(django_database.owner_dsn) as connection:
        (text,) = connection.execute("SELECT h::text FROM people_holder h").fetchone() or ("",)
    assert NUMBER[:14] not in text


def test_the_hash_depends_on_the_key_and_the_kind_of_document() -> None:
    one, other = DocumentHasher("key"), DocumentHasher("another")
    assert one.hash("id_card", NUMBER) == one.hash("id_card", NUMBER.lower())
    assert len({one.hash("id_card", NUMBER), other.hash("id_card", NUMBER), one.hash("passport", NUMBER)}) == 3


def test_one_document_is_one_active_holder_of_an_operator(tree: Tree) -> None:
    person = people.NewHolder(name="张三", document_type="id_card", document_no=NUMBER)
    first = people.create_holder(tree.unified, person)
    with pytest.raises(InvalidInput, match="registered already"):
        people.create_holder(tree.unified, person)
    with pytest.raises(InvalidInput, match="registered already"):
        people.create_holders(tree.unified, [people.NewHolder(name="李四"), person])
    people.create_holder(tree.independent, person)
    people.close_holder(first.pk)
    people.create_holder(tree.unified, person)
    assert Holder.objects.count() == 3


def test_a_bulk_load_gives_ids_in_order_and_counts_once(tree: Tree) -> None:
    wanted = [
        people.NewHolder(name=f"学生{i}", unit_id=tree.unit, document_type="staff", document_no=f"S{i}") for i in range(2_000)
    ]
    ids = people.create_holders(tree.unified, wanted[:900])
    assert [Holder.objects.get(pk=ids[i]).name for i in (0, 450, 899)] == ["学生0", "学生450", "学生899"]
    assert people.create_holders(tree.unified, []) == []
    with pytest.raises(RuleViolated, match="1000"):
        people.create_holders(tree.unified, wanted[900:])
    assert Holder.objects.count() == 900


def test_who_has_no_name_is_anonymous_and_has_no_document(tree: Tree) -> None:
    assert people.create_holder(tree.unified, people.NewHolder()).anonymous
    for wrong in (
        people.NewHolder(document_type="id_card", document_no=NUMBER),
        people.NewHolder(name="张三", document_no=NUMBER),
        people.NewHolder(name="张三", document_type="id_card"),
    ):
        with pytest.raises(InvalidInput):
            people.create_holder(tree.unified, wrong)


def test_a_holder_belongs_to_the_operator_of_the_unit(tree: Tree) -> None:
    with pytest.raises(RuleViolated) as caught:
        people.create_holder(tree.root, people.NewHolder(name="张三", unit_id=tree.unit))
    assert caught.value.rule == "O2"
    with pytest.raises(NotFound):
        people.create_holder(4711, people.NewHolder(name="张三"))
    with pytest.raises(NotFound):
        people.close_holder(4711)
