"""What a load's rows are judged by, read from the platform once: the operator, its units and departments, limits and caps."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.people.caps import cap_in_force
from onecard.services.people.departments import paths_of
from onecard.services.people.documents import DocumentHasher
from onecard.services.people.identity import DocumentType
from onecard.services.people.loads.options import LoadOptions
from onecard.services.people.loads.rows import Terms

_OPERATOR = "SELECT status, settlement_mode FROM operators_operator WHERE id = %s"
_UNITS = "SELECT code, id FROM operators_unit WHERE operator_id = %s AND state NOT IN ('applied', 'closed')"
_CARD_TYPE = """
SELECT t.limit_balance_fen FROM operators_operatorcardtype o JOIN operators_cardtype t ON t.id = o.card_type_id
 WHERE o.operator_id = %s AND t.id = %s"""


def read_terms(options: LoadOptions, columns: Mapping[str, int]) -> Terms:
    """Raises NotFound, InvalidInput, RuleViolated where the load as a whole cannot be."""
    status, settlement_mode = _row(_OPERATOR, [options.operator_id], "运营单位", "operator")
    if status != "active":
        raise RuleViolated("运营单位已停用", "the operator is not active", rule="O1")
    with connection.cursor() as cursor:
        cursor.execute(_UNITS, [options.operator_id])
        units = {str(code): int(unit_id) for code, unit_id in cursor.fetchall()}
    if options.unit_id is not None and options.unit_id not in units.values():
        raise NotFound(f"该运营单位无此接入单位：{options.unit_id}", f"the operator has no such unit: {options.unit_id}")
    try:
        kind = DocumentType(options.document_type)
    except ValueError:
        raise InvalidInput(
            f"无此证件类型：{options.document_type}", f"no such kind of document: {options.document_type}"
        ) from None
    if min(options.public_fen, options.private_fen) < 0:
        raise InvalidInput("初始余额不能为负", "an opening balance cannot be negative")
    return Terms(
        columns=columns,
        hasher=DocumentHasher.of_home(),
        document_type=kind,
        unit_id=options.unit_id,
        units=units,
        departments=paths_of(units.values() if options.unit_id is None else [options.unit_id]),
        make_departments=options.make_departments,
        opens_accounts=options.card_type_id is not None,
        has_public_purse=settlement_mode == "unified",
        public_fen=options.public_fen,
        private_fen=options.private_fen,
        limit_fen=_limit(options),
    )


def _limit(options: LoadOptions) -> int:
    """The most that may be in a purse at its opening: the card type's limit or the law's, the smaller one; 0 for none."""
    if options.card_type_id is None:
        return 0
    (limit,) = _row(_CARD_TYPE, [options.operator_id, options.card_type_id], "可用卡种", "card type the operator may use")
    cap = cap_in_force()
    limits = [fen for fen in (int(limit), cap.registered_fen if cap else 0) if fen > 0]
    return min(limits, default=0)


def _row(sql: str, values: list[int], zh: str, en: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此{zh}：{values[-1]}", f"no such {en}: {values[-1]}")
    return tuple(row)
