"""The cards file of a unit: which cards are its own, their type, groups and last day, for deciding off line (G3, I1). Pure.

    head     "OCI1" 4 | version 8 | unit 4 | cards 4 | profiles 2
    profiles each: card type 4 | groups 2 | that many group numbers of 4
    columns  zlib: card numbers 8 each, rising | profile of each 2 | last day of each 2 (days since 2000-01-01, 0: no end)
    digest   SHA-256 of all before, 32 bytes

Integers are big-endian. Many cards share few profiles, so 50,000 cards take about 250 KB; a look-up is one binary search.
"""

import hashlib
import hmac
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import is_card_no

MAGIC = b"OCI1"
MAX_CARDS = 2_000_000
DIGEST_BYTES = 32
_HEAD = struct.Struct(">4sQIIH")
_PROFILE = struct.Struct(">IH")
_EPOCH = date(2000, 1, 1)
_MAX_PROFILES = 65_535


@dataclass(frozen=True, slots=True)
class CardEntry:
    """What the front-end knows of a card."""

    card_type_id: int
    groups: frozenset[int] = frozenset()
    valid_until: date | None = None
    """The last day it may be used."""


@dataclass(frozen=True, slots=True)
class CardIndex:
    """A parsed file."""

    version: int
    unit_id: int
    digest: bytes
    _profiles: tuple[tuple[int, frozenset[int]], ...] = field(repr=False)
    _numbers: "array[int]" = field(repr=False)
    _places: "array[int]" = field(repr=False)
    _days: "array[int]" = field(repr=False)

    def __len__(self) -> int:
        return len(self._numbers)

    def get(self, card_no: int) -> CardEntry | None:
        """The entry of a card; None: it is not the unit's."""
        place = bisect_left(self._numbers, card_no)
        if place == len(self._numbers) or self._numbers[place] != card_no:
            return None
        card_type_id, groups = self._profiles[self._places[place]]
        days = self._days[place]
        return CardEntry(card_type_id, groups, _EPOCH + timedelta(days=days) if days else None)


def build_card_index(cards: Mapping[int, CardEntry], *, version: int, unit_id: int) -> bytes:
    """The bytes of a file. Raises InvalidInput for a card number that is none, ValueError outside the other ranges."""
    if len(cards) > MAX_CARDS:
        raise ValueError(f"{len(cards)} cards, at most {MAX_CARDS}")
    numbers = sorted(cards)
    for number in numbers:
        if not is_card_no(number):
            raise InvalidInput(f"卡号无效：{number}", f"not a card number: {number}")
    profiles: dict[tuple[int, frozenset[int]], int] = {}
    places, days = [], []
    for number in numbers:
        entry = cards[number]
        places.append(profiles.setdefault((entry.card_type_id, entry.groups), len(profiles)))
        days.append(_days_of(entry.valid_until))
    if len(profiles) > _MAX_PROFILES:
        raise ValueError(f"{len(profiles)} profiles, at most {_MAX_PROFILES}")
    head = _HEAD.pack(MAGIC, version, unit_id, len(numbers), len(profiles))
    listed = b"".join(
        _PROFILE.pack(card_type, len(groups)) + struct.pack(f">{len(groups)}I", *sorted(groups)) for card_type, groups in profiles
    )
    count = len(numbers)
    columns = struct.pack(f">{count}Q{count}H{count}H", *numbers, *places, *days)
    content = head + listed + zlib.compress(columns, 6)
    return content + hashlib.sha256(content).digest()


def parse_card_index(data: bytes) -> CardIndex:
    """The index in `data`, checked whole. Raises InvalidInput saying what is wrong and at which byte."""
    if len(data) < _HEAD.size + DIGEST_BYTES:
        raise _refusal("长度不足", "too short", len(data))
    content, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    if not hmac.compare_digest(hashlib.sha256(content).digest(), digest):
        raise _refusal("摘要不符", "digest does not match", len(content))
    magic, version, unit_id, count, profiles_count = _HEAD.unpack_from(content)
    if magic != MAGIC or count > MAX_CARDS:
        raise _refusal("文件头无效", "invalid head", 0)
    profiles, at = _read_profiles(content, profiles_count)
    numbers, places, days = _read_columns(content[at:], count, at)
    if any(not before < after for before, after in pairwise(numbers)):
        raise _refusal("卡号未按升序", "numbers not rising", at)
    if count and max(places) >= len(profiles):
        raise _refusal("类别编号超出范围", "a card of no profile", at)
    return CardIndex(version, unit_id, digest, profiles, numbers, places, days)


def _read_profiles(content: bytes, count: int) -> tuple[tuple[tuple[int, frozenset[int]], ...], int]:
    at, profiles = _HEAD.size, []
    try:
        for _ in range(count):
            card_type_id, groups = _PROFILE.unpack_from(content, at)
            at += _PROFILE.size
            profiles.append((card_type_id, frozenset(struct.unpack_from(f">{groups}I", content, at))))
            at += groups * 4
    except struct.error:
        raise _refusal("类别不完整", "profiles cut short", at) from None
    return tuple(profiles), at


def _read_columns(packed: bytes, count: int, at: int) -> "tuple[array[int], array[int], array[int]]":
    # Never more than the head promises: a small file must not fill the memory of a small box.
    inflater, size = zlib.decompressobj(), count * 12
    try:
        raw = inflater.decompress(packed, size + 1)
        whole = len(raw) == size and inflater.eof and not inflater.unused_data
    except zlib.error:
        raise _refusal("数据无法解压", "columns cannot be inflated", at) from None
    if not whole:
        raise _refusal("数据长度不符", "columns of another length", at)
    return (
        _column("Q", raw[: count * 8]),
        _column("H", raw[count * 8 : count * 10]),
        _column("H", raw[count * 10 :]),
    )


def _column(kind: str, raw: bytes) -> "array[int]":
    column = array(kind, raw)
    if sys.byteorder == "little":
        column.byteswap()
    return column


def _days_of(day: date | None) -> int:
    if day is None:
        return 0
    days = (day - _EPOCH).days
    return min(max(days, 1), 65_535)


def _refusal(zh: str, en: str, at: int) -> InvalidInput:
    return InvalidInput(f"卡片索引{zh}（字节 {at}）", f"card index: {en} (byte {at})")
