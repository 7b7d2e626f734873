"""Cardholders one by one and many at once by COPY: registering, changing, closing, and finding by document."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.operators.api import refusals
from onecard.services.people.documents import DocumentHasher, normalize
from onecard.services.people.errors import build_refusals
from onecard.services.people.identity import DocumentType, fault_of
from onecard.services.people.models import Gender, Holder, HolderState

_COPY = """
COPY people_holder (id, operator_id, unit_id, department_id, name, anonymous, document_type, document_hash, document_last4,
                   staff_no, gender, phone, state, created_at, registered_at) FROM STDIN (FORMAT binary)"""
_TYPES = (
    "int8", "int4", "int4", "int4", "text", "bool", "text", "bytea", "text", "text", "text", "text", "text", "timestamptz",
    "timestamptz",
)  # fmt: skip
# Locked before a row is written, not only by the counting trigger: two writers of one document would else wait for each other.
_CAP_SQL = "SELECT holder_cap FROM operators_operator WHERE id = %s FOR NO KEY UPDATE"
_CHANGEABLE = frozenset({"name", "unit_id", "department_id", "staff_no", "gender", "phone"})


@dataclass(frozen=True, slots=True)
class NewHolder:
    """A cardholder to make; without a name he is anonymous."""

    name: str = ""
    unit_id: int | None = None
    document_type: str = ""
    document_no: str = ""
    phone: str = ""
    department_id: int | None = None
    staff_no: str = ""
    gender: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is: what turns an anonymous holder into one by name."""

    name: str
    document_type: str
    document_no: str
    phone: str = ""
    gender: str = ""


def create_holder(operator_id: int, holder: NewHolder, *, actor: Actor | None = None) -> Holder:
    """One cardholder of an operator; without an actor it is the platform itself that makes him.

    Raises Forbidden, RuleViolated (O2), InvalidInput, NotFound.
    """
    _require(actor, "people.create", operator_id)
    with transaction.atomic(), refusals(build_refusals(_cap(operator_id))):
        (row,) = _rows(operator_id, [1], [holder])
        (
            _,
            _,
            unit_id,
            department_id,
            name,
            anonymous,
            document_type,
            document_hash,
            last4,
            staff_no,
            gender,
            phone,
            _,
            _,
            at,
        ) = row
        return Holder.objects.create(
            operator_id=operator_id,
            unit_id=unit_id,
            department_id=department_id,
            name=name,
            anonymous=anonymous,
            document_type=document_type,
            document_hash=document_hash,
            document_last4=last4,
            staff_no=staff_no,
            gender=gender,
            phone=phone,
            registered_at=at,
        )


def create_holders(operator_id: int, holders: Iterable[NewHolder], *, actor: Actor | None = None) -> list[int]:
    """Many cardholders of one operator in one COPY, all or none; gives their ids in the order given.

    Raises Forbidden, RuleViolated (O2), InvalidInput and NotFound, as for one.
    """
    _require(actor, "people.create", operator_id)
    wanted = list(holders)
    if not wanted:
        return []
    with transaction.atomic(), refusals(build_refusals(_cap(operator_id))), connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('people_holder', 'id')) FROM generate_series(1, %s)", [len(wanted)])
        ids = [row[0] for row in cursor.fetchall()]
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in _rows(operator_id, ids, wanted):
                copy.write_row(row)
    return ids


def register_holder(holder_id: int, identity: Identity, *, actor: Actor) -> Holder:
    """An anonymous holder gets his name and document (不记名转实名); from then on the cap for registered purses holds.

    Raises Forbidden, NotFound, RuleViolated where he has a name already, InvalidInput.
    """
    with refusals(build_refusals(None)):
        holder = _locked(holder_id)
        actor.require("people.register", holder.operator_id)
        if not holder.anonymous:
            raise RuleViolated("该持卡人已实名", "the cardholder has a name already", rule="C3")
        if not identity.name.strip() or not identity.document_type:
            raise InvalidInput("实名须有姓名和证件", "a name and a document are needed")
        kind, number = _document(identity.document_type, identity.document_no)
        holder.name = identity.name.strip()
        holder.anonymous = False
        holder.document_type = kind.value
        holder.document_hash = DocumentHasher.of_home().hash(kind.value, number)
        holder.document_last4 = number[-4:]
        holder.phone = identity.phone or holder.phone
        holder.gender = _gender(identity.gender) or holder.gender
        holder.registered_at = datetime.now(UTC)
        holder.save()
    return holder


def change_holder(holder_id: int, *, actor: Actor, **changes: Any) -> Holder:
    """Change name, unit_id, department_id, staff_no, gender or phone; for another document a holder is closed and made anew.

    Raises Forbidden, NotFound, RuleViolated, InvalidInput.
    """
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise InvalidInput(f"不能修改：{'、'.join(sorted(unknown))}", f"cannot be changed: {', '.join(sorted(unknown))}")
    with refusals(build_refusals(None)):
        holder = _locked(holder_id)
        actor.require("people.change", holder.operator_id)
        for field, value in changes.items():
            setattr(holder, field, value.strip() if isinstance(value, str) else value)
        _gender(holder.gender)
        holder.save()
    return holder


def close_holder(holder_id: int, *, actor: Actor | None = None) -> None:
    """The holder no longer counts towards the cap. Raises Forbidden, NotFound."""
    with transaction.atomic():
        found = Holder.objects.select_for_update().filter(pk=holder_id).first()
        if found is None:
            raise _no_holder(holder_id)
        _require(actor, "people.close", found.operator_id)
        Holder.objects.filter(pk=holder_id).update(state=HolderState.CLOSED)


def find_by_document(operator_id: int, document_type: str, number: str) -> int | None:
    """The active holder of an operator with a document, or None."""
    digest = DocumentHasher.of_home().hash(document_type, number)
    found = Holder.objects.filter(operator_id=operator_id, document_hash=digest, state=HolderState.ACTIVE)
    return found.values_list("id", flat=True).first()


def find_by_staff_no(unit_id: int, staff_no: str) -> int | None:
    """The active holder of a unit with a staff or student number, or None."""
    found = Holder.objects.filter(unit_id=unit_id, staff_no=staff_no.strip(), state=HolderState.ACTIVE).exclude(staff_no="")
    return found.values_list("id", flat=True).first()


def _require(actor: Actor | None, permission: str, operator_id: int) -> None:
    if actor is not None:
        actor.require(permission, operator_id)


def _locked(holder_id: int) -> Holder:
    found = Holder.objects.select_for_update().filter(pk=holder_id, state=HolderState.ACTIVE).first()
    if found is None:
        raise _no_holder(holder_id)
    return found


def _no_holder(holder_id: int) -> NotFound:
    return NotFound(f"无此持卡人：{holder_id}", f"no such cardholder: {holder_id}")


def _cap(operator_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CAP_SQL, [operator_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此运营单位：{operator_id}", f"no such operator: {operator_id}")
    return int(row[0])


def _gender(value: str) -> str:
    if value not in Gender.values:
        raise InvalidInput(f"性别无效：{value}", f"not a gender: {value}")
    return value


def _document(document_type: str, number: str) -> tuple[DocumentType, str]:
    document = normalize(number)
    if bool(document) != bool(document_type):
        raise InvalidInput("证件类型与证件号须同时填写", "document type and number come together")
    try:
        kind = DocumentType(document_type)
    except ValueError:
        raise InvalidInput(f"无此证件类型：{document_type}", f"no such kind of document: {document_type}") from None
    fault = fault_of(kind, document)
    if fault:
        raise InvalidInput(fault.zh, fault.en)
    return kind, document


def _rows(operator_id: int, ids: Iterable[int], holders: Iterable[NewHolder]) -> Iterator[tuple[Any, ...]]:
    hasher = DocumentHasher.of_home()
    now = datetime.now(UTC)
    for number, (holder_id, holder) in enumerate(zip(ids, holders, strict=True), start=1):
        try:
            kind, document = _document(holder.document_type, holder.document_no)
            gender = _gender(holder.gender)
        except InvalidInput as error:
            raise InvalidInput(f"第 {number} 人：{error.zh}", f"holder {number}: {error.en}") from None
        name = holder.name.strip()
        yield (
            holder_id,
            operator_id,
            holder.unit_id,
            holder.department_id,
            name,
            not name,
            kind.value,
            hasher.hash(kind.value, document) if document else None,
            document[-4:],
            holder.staff_no.strip(),
            gender,
            holder.phone,
            HolderState.ACTIVE.value,
            now,
            now if name else None,
        )
