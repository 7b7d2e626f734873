"""Cardholders one by one: registering an anonymous one, staff numbers, departments, photos."""

import struct
import zlib

import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.people import api as people
from onecard.services.people.models import Department, Holder
from onecard.services.people.photos import inspect_picture
from tests.people.conftest import ACTOR
from tests.services.conftest import Tree

ID_CARD = "11010519491231002X"
NOBODY = Actor("nobody")


def png(width: int = 3, height: int = 4) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(3 * width) for _ in range(min(height, 100)))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width: int = 5, height: int = 6, body: bytes = b"\0" * 20) -> bytes:
    application = b"\xff\xe0" + struct.pack(">H", 4) + b"ab"
    frame = b"\xff\xc0" + struct.pack(">HBHH", 11, 8, height, width) + b"\1\1\x11\0"
    return b"\xff\xd8" + application + frame + b"\xff\xda" + body + b"\xff\xd9"


def test_an_anonymous_holder_gets_a_name_once(tree: Tree) -> None:
    holder = people.create_holder(tree.unified, people.NewHolder(), actor=ACTOR)
    identity = people.Identity("张三", "id_card", ID_CARD, phone="13800138000", gender="m")
    with pytest.raises(Forbidden):
        people.register_holder(holder.pk, identity, actor=NOBODY)
    registered = people.register_holder(holder.pk, identity, actor=ACTOR)
    assert (registered.anonymous, registered.name, registered.document_last4) == (False, "张三", "002X")
    assert people.find_by_document(tree.unified, "id_card", ID_CARD) == holder.pk
    with pytest.raises(RuleViolated, match="has a name already"):
        people.register_holder(holder.pk, identity, actor=ACTOR)
    other = people.create_holder(tree.unified, people.NewHolder())
    with pytest.raises(InvalidInput, match="registered already"):
        people.register_holder(other.pk, identity, actor=ACTOR)
    assert Holder.objects.get(pk=other.pk).anonymous


def test_a_wrong_check_digit_is_no_identity(tree: Tree) -> None:
    holder = people.create_holder(tree.unified, people.NewHolder())
    for identity in (
        people.Identity("张三", "id_card", "110105194912310021"),
        people.Identity("张三", "driving_licence", "1234"),
        people.Identity("", "id_card", ID_CARD),
        people.Identity("张三", "", ""),
    ):
        with pytest.raises(InvalidInput):
            people.register_holder(holder.pk, identity, actor=ACTOR)
    with pytest.raises(InvalidInput, match="holder 1: the check digit"):
        people.create_holders(
            tree.unified, [people.NewHolder(name="李", document_type="id_card", document_no="110105194912310021")]
        )


def test_a_staff_number_is_one_active_holder_of_a_unit(tree: Tree) -> None:
    person = people.NewHolder(name="张三", unit_id=tree.unit, staff_no="S1")
    first = people.create_holder(tree.unified, person)
    with pytest.raises(InvalidInput, match="staff or student number"):
        people.create_holder(tree.unified, person)
    people.create_holder(tree.independent, people.NewHolder(name="张三", unit_id=tree.own_unit, staff_no="S1"))
    with pytest.raises(InvalidInput, match="is of a unit"):
        people.create_holder(tree.unified, people.NewHolder(name="李四", staff_no="S2"))
    people.close_holder(first.pk, actor=ACTOR)
    assert people.find_by_staff_no(tree.unit, "S1") is None
    people.create_holder(tree.unified, person)


def test_what_may_change_changes_and_nothing_else(tree: Tree) -> None:
    holder = people.create_holder(tree.unified, people.NewHolder(name="张三", unit_id=tree.unit))
    changed = people.change_holder(holder.pk, actor=ACTOR, name=" 张三丰 ", staff_no="T1", gender="f")
    assert (changed.name, changed.staff_no, changed.gender) == ("张三丰", "T1", "f")
    with pytest.raises(InvalidInput, match="document_hash"):
        people.change_holder(holder.pk, actor=ACTOR, document_hash=b"")
    with pytest.raises(Forbidden):
        people.change_holder(holder.pk, actor=NOBODY, name="x")
    with pytest.raises(RuleViolated, match="same operator"):
        people.change_holder(holder.pk, actor=ACTOR, unit_id=tree.own_unit)
    people.close_holder(holder.pk, actor=ACTOR)
    with pytest.raises(NotFound):
        people.change_holder(holder.pk, actor=ACTOR, name="x")


def test_departments_are_a_tree_inside_their_unit(tree: Tree) -> None:
    top = people.create_department(tree.unit, "信息学院", actor=ACTOR, code="10")
    below = people.create_department(tree.unit, "一班", actor=ACTOR, parent_id=top.pk)
    assert people.paths_of([tree.unit]) == {
        (tree.unit, "10"): top.pk,
        (tree.unit, "信息学院"): top.pk,
        (tree.unit, "信息学院/一班"): below.pk,
    }
    with pytest.raises(RuleViolated, match="below itself"):
        people.move_department(top.pk, below.pk, actor=ACTOR)
    with pytest.raises(RuleViolated, match="below itself"):
        people.move_department(top.pk, top.pk, actor=ACTOR)
    foreign = people.create_department(tree.own_unit, "车间", actor=ACTOR)
    with pytest.raises(RuleViolated, match="same unit"):
        people.move_department(foreign.pk, top.pk, actor=ACTOR)
    for name, code in (("信息学院", ""), ("其他", "10"), ("a/b", ""), (" ", "")):
        with pytest.raises(InvalidInput):
            people.create_department(tree.unit, name, actor=ACTOR, code=code)
    with pytest.raises(Forbidden):
        people.change_department(
            top.pk, actor=Actor("x", frozenset({"people.department"}), frozenset({tree.independent})), name="x"
        )
    people.create_holder(tree.unified, people.NewHolder(name="张三", unit_id=tree.unit, department_id=below.pk))
    with pytest.raises(RuleViolated, match="holder's unit"):
        people.create_holder(tree.unified, people.NewHolder(name="李四", unit_id=tree.unit, department_id=foreign.pk))
    for department in (top, below):
        with pytest.raises(InvalidInput, match="in it"):
            people.remove_department(department.pk, actor=ACTOR)
    people.remove_department(foreign.pk, actor=ACTOR)
    assert Department.objects.count() == 2


def test_a_photo_is_what_its_content_says(tree: Tree) -> None:
    holder = people.create_holder(tree.unified, people.NewHolder(name="张三"))
    assert people.photo(holder.pk) is None
    assert people.set_photo(holder.pk, png(), actor=ACTOR) == people.Picture("image/png", 3, 4)
    assert people.set_photo(holder.pk, jpeg(), actor=ACTOR) == people.Picture("image/jpeg", 5, 6)
    assert people.photo(holder.pk) == (jpeg(), "image/jpeg")
    with pytest.raises(Forbidden):
        people.set_photo(holder.pk, png(), actor=NOBODY)
    with pytest.raises(NotFound):
        people.set_photo(0, png(), actor=ACTOR)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + bytes(50),
        b"<svg onload='alert(1)'></svg>",
        png()[:-5],
        png() + b"<script>",
        png(width=0),
        png(width=6000),
        jpeg()[:-2],
        jpeg() + b"PK",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\xff\xe0\0\0" * 9 + b"\xff\xd9",
        jpeg(body=bytes(200 * 1024)),
    ],
)
def test_what_is_no_whole_picture_or_too_large_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        inspect_picture(content)
