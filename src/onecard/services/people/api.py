"""What other areas call of the cardholders: one, many at once by COPY, closing, and finding by document."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.operators.api import refusals
from onecard.services.people.documents import DocumentHasher, normalize
from onecard.services.people.errors import build_refusals
from onecard.services.people.models import Holder, HolderState

_COPY = """
COPY people_holder (id, operator_id, unit_id, name, anonymous, document_type, document_hash, document_last4, phone, state,
                   created_at) FROM STDIN (FORMAT binary)"""
_TYPES = ("int8", "int4", "int4", "text", "bool", "text", "bytea", "text", "text", "text", "timestamptz")
_CAP_SQL = "SELECT holder_cap FROM operators_operator WHERE id = %s"


@dataclass(frozen=True, slots=True)
class NewHolder:
    """A cardholder to make; without a name he is anonymous."""

    name: str = ""
    unit_id: int | None = None
    document_type: str = ""
    document_no: str = ""
    phone: str = ""


def create_holder(operator_id: int, holder: NewHolder) -> Holder:
    """One cardholder of an operator. Raises RuleViolated (O2), InvalidInput, NotFound."""
    with refusals(build_refusals(_cap(operator_id))):
        (row,) = _rows(operator_id, [1], [holder])
        _, _, unit_id, name, anonymous, document_type, document_hash, last4, phone, _, _ = row
        return Holder.objects.create(
            operator_id=operator_id,
            unit_id=unit_id,
            name=name,
            anonymous=anonymous,
            document_type=document_type,
            document_hash=document_hash,
            document_last4=last4,
            phone=phone,
        )


def create_holders(operator_id: int, holders: Iterable[NewHolder]) -> list[int]:
    """Many cardholders of one operator in one COPY, all or none; gives their ids in the order given.

    Raises RuleViolated (O2), InvalidInput and NotFound, as for one.
    """
    wanted = list(holders)
    if not wanted:
        return []
    with refusals(build_refusals(_cap(operator_id))), connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('people_holder', 'id')) FROM generate_series(1, %s)", [len(wanted)])
        ids = [row[0] for row in cursor.fetchall()]
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in _rows(operator_id, ids, wanted):
                copy.write_row(row)
    return ids


def close_holder(holder_id: int) -> None:
    """The holder no longer counts towards the cap. Raises NotFound."""
    if not Holder.objects.filter(pk=holder_id).update(state=HolderState.CLOSED):
        raise NotFound(f"无此持卡人：{holder_id}", f"no such cardholder: {holder_id}")


def find_by_document(operator_id: int, document_type: str, number: str) -> int | None:
    """The active holder of an operator with a document, or None."""
    digest = DocumentHasher.of_home().hash(document_type, number)
    found = Holder.objects.filter(operator_id=operator_id, document_hash=digest, state=HolderState.ACTIVE)
    return found.values_list("id", flat=True).first()


def _cap(operator_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CAP_SQL, [operator_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此运营单位：{operator_id}", f"no such operator: {operator_id}")
    return int(row[0])


def _rows(operator_id: int, ids: Iterable[int], holders: Iterable[NewHolder]) -> Iterator[tuple[Any, ...]]:
    hasher = DocumentHasher.of_home()
    now = datetime.now(UTC)
    for number, (holder_id, holder) in enumerate(zip(ids, holders, strict=True), start=1):
        document = normalize(holder.document_no)
        if bool(document) != bool(holder.document_type):
            raise InvalidInput(
                f"第 {number} 人：证件类型与证件号须同时填写", f"holder {number}: document type and number come together"
            )
        yield (
            holder_id,
            operator_id,
            holder.unit_id,
            holder.name.strip(),
            not holder.name.strip(),
            holder.document_type,
            hasher.hash(holder.document_type, document) if document else None,
            document[-4:],
            holder.phone,
            HolderState.ACTIVE.value,
            now,
        )
