"""Identity documents: their kinds, the names people give them, and which numbers each kind can have. Pure.

The check digit of the resident identity card is that of GB 11643-1999 (ISO 7064 MOD 11-2); residence permits for people from Hong
Kong, Macao and Taiwan, and the permanent residence card of foreigners (since 2023), are numbered the same way.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum

from onecard.kernel.codes import Text


class DocumentType(StrEnum):
    """The kind of identity document."""

    NONE = ""
    ID_CARD = "id_card"
    PASSPORT = "passport"
    HK_MACAO_PERMIT = "hk_macao_permit"
    TAIWAN_PERMIT = "taiwan_permit"
    RESIDENCE_PERMIT = "residence_permit"
    FOREIGN_PERMANENT = "foreign_permanent"
    STAFF = "staff"
    OTHER = "other"


_NAMES: Mapping[DocumentType, tuple[str, ...]] = {
    DocumentType.ID_CARD: ("居民身份证", "身份证", "中国居民身份证", "二代身份证", "resident identity card", "id card", "id"),
    DocumentType.PASSPORT: ("护照", "passport"),
    DocumentType.HK_MACAO_PERMIT: ("港澳居民来往内地通行证", "港澳通行证", "港澳居民通行证", "回乡证", "hk/macao permit"),
    DocumentType.TAIWAN_PERMIT: ("台湾居民来往大陆通行证", "台湾通行证", "台胞证", "taiwan permit"),
    DocumentType.RESIDENCE_PERMIT: ("港澳台居民居住证", "居住证", "residence permit"),
    DocumentType.FOREIGN_PERMANENT: ("外国人永久居留身份证", "外国人永久居留证", "永久居留证", "permanent residence card"),
    DocumentType.STAFF: ("工号/学号", "工号", "学号", "staff number", "student number"),
    DocumentType.OTHER: ("其他", "其他证件", "other"),
}
_BY_NAME = {name: kind for kind, names in _NAMES.items() for name in (kind.value, *names)}

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_PLAIN = re.compile(r"[0-9A-Z][0-9A-Z()./-]{1,31}")
_OLDEST = 1850

WRONG_LENGTH = Text("证件号格式不对", "the document number has another form")
WRONG_CHECK = Text("身份证校验位不对", "the check digit is wrong")
WRONG_BIRTHDAY = Text("身份证中的出生日期不存在", "the date of birth in the number does not exist")


def document_type_of(name: str) -> DocumentType | None:
    """The kind that people mean by a name, or None."""
    return _BY_NAME.get(name.strip().lower())


def fault_of(kind: DocumentType, number: str) -> Text | None:
    """What is wrong with a normalised number of this kind (capitals, no spaces), or None."""
    return _FAULTS[kind](number)


def check_character(first17: str) -> str:
    """The 18th character of a resident identity number."""
    return _CHECK_CHARACTERS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first17, strict=True)) % 11]


def _eighteen(number: str) -> Text | None:
    if not _EIGHTEEN.fullmatch(number):
        return WRONG_LENGTH
    if number[17] != check_character(number[:17]):
        return WRONG_CHECK
    year, month, day = int(number[6:10]), int(number[10:12]), int(number[12:14])
    try:
        date(year, month, day)
    except ValueError:
        return WRONG_BIRTHDAY
    return WRONG_BIRTHDAY if year < _OLDEST else None


def _id_card(number: str) -> Text | None:
    return WRONG_LENGTH if number[:1] in ("0", "9") else _eighteen(number)


def _residence_permit(number: str) -> Text | None:
    return _eighteen(number) if number[:2] in ("81", "82", "83") else WRONG_LENGTH


def _foreign_permanent(number: str) -> Text | None:
    """Since 2023 eighteen characters that begin with 9, before three letters and twelve digits."""
    if re.fullmatch(r"[A-Z]{3}[0-9]{12}", number):
        return None
    return _eighteen(number) if number[:1] == "9" else WRONG_LENGTH


def _matching(pattern: str) -> Callable[[str], Text | None]:
    compiled = re.compile(pattern)
    return lambda number: None if compiled.fullmatch(number) else WRONG_LENGTH


_FAULTS: Mapping[DocumentType, Callable[[str], Text | None]] = {
    DocumentType.NONE: lambda number: WRONG_LENGTH if number else None,
    DocumentType.ID_CARD: _id_card,
    DocumentType.PASSPORT: _matching(r"[0-9A-Z]{5,15}"),
    DocumentType.HK_MACAO_PERMIT: _matching(r"[HM][0-9]{8}([0-9]{2})?"),
    DocumentType.TAIWAN_PERMIT: _matching(r"[0-9]{8}|[0-9]{10}(\([0-9A-Z]\)|[A-Z])?"),
    DocumentType.RESIDENCE_PERMIT: _residence_permit,
    DocumentType.FOREIGN_PERMANENT: _foreign_permanent,
    DocumentType.STAFF: lambda number: None if _PLAIN.fullmatch(number) or len(number) == 1 else WRONG_LENGTH,
    DocumentType.OTHER: lambda number: None if _PLAIN.fullmatch(number) else WRONG_LENGTH,
}
