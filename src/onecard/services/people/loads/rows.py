"""One row of a file as it will wait in the database: cleaned, judged cell by cell, and its document number hashed. No I/O.

A number in clear never leaves this module.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from onecard.kernel.money import parse_yuan
from onecard.services.people.documents import DocumentHasher, normalize
from onecard.services.people.identity import (
    WRONG_BIRTHDAY,
    WRONG_CHECK,
    DocumentType,
    document_type_of,
    fault_of,
)
from onecard.services.people.loads.fields import MAX_DEPARTMENT_DEPTH, MAX_DEPARTMENT_NAME
from onecard.services.people.loads.problems import Fault, note

COLUMNS = (
    "row_no", "name", "document_type", "document_hash", "document_last4", "staff_no", "gender", "phone", "unit_code",
    "department", "unit_id", "department_id", "public_fen", "private_fen", "problems",
)  # fmt: skip
TYPES = (
    "int4", "text", "text", "bytea", "text", "text", "text", "text", "text", "text", "int4", "int4", "int8", "int8", "text[]",
)  # fmt: skip

_LENGTHS = {
    "name": 50, "document_type": 40, "document_no": 40, "staff_no": 32, "unit": 16, "department": 200, "gender": 10, "phone": 20,
    "public_yuan": 20, "private_yuan": 20,
}  # fmt: skip
_GENDERS = {
    "": "", "男": "m", "m": "m", "male": "m", "1": "m", "女": "f", "f": "f", "female": "f", "2": "f", "未知": "", "未说明": "",
    "0": "", "9": "",
}  # fmt: skip
_PHONE = re.compile(r"\+?[0-9]{5,19}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_EXCEL_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"})
_EXACT_DIGITS = 15  # a spreadsheet's number is exact no further
_MAX_FEN = 10**12
_DOCUMENT_FAULTS = {WRONG_CHECK: Fault.DOCUMENT_CHECK, WRONG_BIRTHDAY: Fault.DOCUMENT_BIRTHDAY}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rows are judged by, read once a load."""

    columns: Mapping[str, int]
    hasher: DocumentHasher
    document_type: DocumentType
    unit_id: int | None
    units: Mapping[str, int]
    departments: Mapping[tuple[int, str], int]
    make_departments: bool = False
    opens_accounts: bool = False
    has_public_purse: bool = True
    public_fen: int = 0
    private_fen: int = 0
    limit_fen: int = 0


@dataclass(slots=True)
class _Row:
    cells: dict[str, str]
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, fault: Fault) -> None:
        self.problems.append(note(name, fault))


def read_row(terms: Terms, row_no: int, cells: Sequence[object]) -> tuple[Any, ...]:
    """The values of `COLUMNS`."""
    row = _Row({})
    for name, place in terms.columns.items():
        row.cells[name] = _text(row, name, cells[place] if place < len(cells) else None)
    get = row.cells.get
    if not get("name") and not _has_problem(row, "name"):
        row.add("name", Fault.MISSING)
    kind, digest, last4 = _document(terms, row)
    unit_id, department_id = _place(terms, row)
    gender = _GENDERS.get(get("gender", "").lower())
    if gender is None:
        row.add("gender", Fault.UNKNOWN)
    phone = re.sub(r"[ ()-]", "", get("phone", ""))
    if phone and not _PHONE.fullmatch(phone):
        row.add("phone", Fault.PHONE)
    public_fen, private_fen = _amounts(terms, row, unit_id)
    return (
        row_no, get("name", ""), kind, digest, last4, get("staff_no", ""), gender or "", phone, get("unit", ""),
        get("department", ""), unit_id, department_id, public_fen, private_fen, row.problems,
    )  # fmt: skip


def _text(row: _Row, name: str, cell: object) -> str:
    """The text of a cell; "" where it is empty or wrong."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        cell = str(cell)
    elif isinstance(cell, (int, float)):
        return _number_text(row, name, cell)
    elif isinstance(cell, (date, datetime)):
        cell = cell.isoformat()
    text = str(cell).strip(" \u3000\u00a0\r\n\t")
    if not text:
        return ""
    if text.startswith(_FORMULA) and not (name == "phone" and text[0] == "+" and text[1:2].isdigit()):
        row.add(name, Fault.AMOUNT if name.endswith("_yuan") and text[0] in "+-" else Fault.FORMULA)
    elif text in _EXCEL_ERRORS:
        row.add(name, Fault.FORMULA)
    elif len(text) > _LENGTHS[name]:
        row.add(name, Fault.TOO_LONG)
    elif _CONTROL.search(text):
        row.add(name, Fault.CHARACTERS)
    else:
        return text
    return ""


def _number_text(row: _Row, name: str, cell: "int | float") -> str:
    """A spreadsheet's number as its digits; where it may have lost some it is refused, not repaired."""
    text = str(int(cell)) if math.isfinite(cell) and int(cell) == cell else repr(cell)
    if len(text.lstrip("-")) > _EXACT_DIGITS or "e" in text or not text.lstrip("-")[:1].isdigit():
        row.add(name, Fault.NUMBER_FORMAT)
        return ""
    return text


def _has_problem(row: _Row, name: str) -> bool:
    return any(problem.startswith(f"{name}:") for problem in row.problems)


def _document(terms: Terms, row: _Row) -> tuple[str, bytes | None, str]:
    number = normalize(row.cells.get("document_no", ""))
    named = row.cells.get("document_type", "")
    if not number:
        if named and not _has_problem(row, "document_no") and document_type_of(named) is not DocumentType.NONE:
            row.add("document_no", Fault.MISSING)
        return "", None, ""
    kind = document_type_of(named) if named else terms.document_type
    if not kind:
        if not _has_problem(row, "document_type"):
            row.add("document_type", Fault.UNKNOWN)
        return "", None, ""
    fault = fault_of(kind, number)
    if fault:
        row.add("document_no", _DOCUMENT_FAULTS.get(fault, Fault.DOCUMENT_FORM))
        return "", None, ""
    return kind.value, terms.hasher.hash(kind.value, number), number[-4:]


def _place(terms: Terms, row: _Row) -> tuple[int | None, int | None]:
    unit_id = terms.unit_id
    code = row.cells.get("unit", "")
    if code:
        found = terms.units.get(code)
        if found is None or unit_id not in (None, found):
            row.add("unit", Fault.UNKNOWN)
            return None, None
        unit_id = found
    if unit_id is None:
        for name in ("staff_no", "department"):
            if row.cells.get(name):
                row.add(name, Fault.NO_UNIT)
        return None, None
    path = row.cells.get("department", "")
    if not path:
        return unit_id, None
    names = [part.strip() for part in path.split("/")]
    row.cells["department"] = path = "/".join(names)
    department_id = terms.departments.get((unit_id, path))
    may_be_made = (
        terms.make_departments
        and len(names) <= MAX_DEPARTMENT_DEPTH
        and all(0 < len(part) <= MAX_DEPARTMENT_NAME for part in names)
    )
    if department_id is None and not may_be_made:
        row.add("department", Fault.UNKNOWN)
    return unit_id, department_id


def _amounts(terms: Terms, row: _Row, unit_id: int | None) -> tuple[int | None, int | None]:
    """Fen of the public and the private purse; None: no such purse."""
    public = _fen(terms, row, "public_yuan", terms.public_fen)
    private = _fen(terms, row, "private_yuan", terms.private_fen)
    if not terms.opens_accounts:
        return None, None
    if public and not terms.has_public_purse:
        row.add("public_yuan", Fault.NO_PUBLIC_PURSE)
    if private and unit_id is None:
        row.add("private_yuan", Fault.NO_UNIT)
    return public if terms.has_public_purse else None, private if unit_id is not None else None


def _fen(terms: Terms, row: _Row, name: str, usual: int) -> int:
    text = row.cells.get(name, "")
    try:
        fen = parse_yuan(text) if text else usual
    except ValueError:
        row.add(name, Fault.AMOUNT)
        return 0
    if not 0 <= fen <= _MAX_FEN:
        row.add(name, Fault.AMOUNT)
        return 0
    if terms.limit_fen and fen > terms.limit_fen:
        row.add(name, Fault.OVER_LIMIT)
    return fen
