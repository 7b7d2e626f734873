"""The departments of a unit: making, renaming, moving, removing, and reading a path of names."""

from collections.abc import Iterable, Sequence

from django.db import connection

from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.operators.api import refusals
from onecard.services.people.errors import build_refusals
from onecard.services.people.models import Department, Holder

SEPARATOR = "/"


def create_department(unit_id: int, name: str, *, actor: Actor, parent_id: int | None = None, code: str = "") -> Department:
    """A department of a unit, below another or at the top. Raises Forbidden, NotFound, RuleViolated (O5), InvalidInput."""
    actor.require("people.department", operator_of_unit(unit_id))
    with refusals(build_refusals(None)):
        return Department.objects.create(unit_id=unit_id, parent_id=parent_id, name=name.strip(), code=code.strip())


def change_department(department_id: int, *, actor: Actor, name: str | None = None, code: str | None = None) -> Department:
    """Another name or code. Raises Forbidden, NotFound, InvalidInput."""
    with refusals(build_refusals(None)):
        found = _get(department_id, actor)
        found.name = found.name if name is None else name.strip()
        found.code = found.code if code is None else code.strip()
        found.save()
    return found


def move_department(department_id: int, parent_id: int | None, *, actor: Actor) -> Department:
    """Put it below another department of the unit, or at the top. Raises Forbidden, NotFound, RuleViolated (O5)."""
    with refusals(build_refusals(None)):
        found = _get(department_id, actor)
        found.parent_id = parent_id
        found.save()
    return found


def remove_department(department_id: int, *, actor: Actor) -> None:
    """Only where it has no departments below it and nobody in it. Raises Forbidden, NotFound, InvalidInput."""
    with refusals(build_refusals(None)):
        found = _get(department_id, actor)
        if found.children.exists() or Holder.objects.filter(department=found).exists():
            raise InvalidInput("部门下还有部门或人员", "the department still has departments or people in it")
        found.delete()


def paths_of(unit_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """(unit, path) → id of every department of these units; a department is also found by its code."""
    rows = list(Department.objects.filter(unit_id__in=list(unit_ids)).values_list("id", "unit_id", "parent_id", "name", "code"))
    by_id = {row[0]: row for row in rows}
    found: dict[tuple[int, str], int] = {(row[1], row[4]): row[0] for row in rows if row[4]}
    for row in rows:
        names, at = [row[3]], row[2]
        while at is not None:
            names.append(by_id[at][3])
            at = by_id[at][2]
        found[row[1], SEPARATOR.join(reversed(names))] = row[0]
    return found


def ensure_paths(unit_ids: Sequence[int], paths: Sequence[str]) -> list[int]:
    """The ids of the departments at these paths, made with all that is missing above them. In the caller's transaction."""
    known: dict[tuple[int, str], int] = {}
    return [_ensure(unit_id, path, known) for unit_id, path in zip(unit_ids, paths, strict=True)]


def _ensure(unit_id: int, path: str, known: dict[tuple[int, str], int]) -> int:
    if (unit_id, path) not in known:
        above, _, name = path.rpartition(SEPARATOR)
        parent = _ensure(unit_id, above, known) if above else None
        made, _ = Department.objects.get_or_create(unit_id=unit_id, parent_id=parent, name=name)
        known[unit_id, path] = made.pk
    return known[unit_id, path]


def operator_of_unit(unit_id: int) -> int:
    """The operator a unit is attached to. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT operator_id FROM operators_unit WHERE id = %s", [unit_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此接入单位：{unit_id}", f"no such unit: {unit_id}")
    return int(row[0])


def _get(department_id: int, actor: Actor) -> Department:
    found = Department.objects.filter(pk=department_id).first()
    if found is None:
        raise NotFound(f"无此部门：{department_id}", f"no such department: {department_id}")
    actor.require("people.department", operator_of_unit(found.unit_id))
    return found
