"""The parameter file of a line: the values of its devices as the platform publishes them and as devices read them. Pure.

`{"format": "onecard-parameters/1", "line_id": 7, "version": 3, "kind": "front_end", "devices": {"0": {…}, "71": {…}}}`: 0 is the
line's own device, the rest are terminals behind it. A file has every parameter of the platform, also those of other makers'
devices: a device reads the keys it knows and leaves the rest. What it knows and may not be refuses the file.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from onecard.kernel.errors import InvalidInput

FORMAT: Final = "onecard-parameters/1"
NAME: Final = "parameters"
"""In Tasks.current it is followed by the line's number ("parameters/7"), in heartbeats it stands alone."""
FRONT_END: Final = "front_end"
_FIELDS = {"format", "line_id", "version", "kind", "devices"}
_MOST_INT = (1 << 63) - 1
_MOST_FEN = 100_000_000
_MOST_TOTAL_FEN = 10**12
_MOST_NOTES = 20
Value = int | bool | str


@dataclass(frozen=True, slots=True)
class OfflineLimits:
    """What a terminal may sell while it cannot ask. A 0 allows nothing."""

    per_transaction_fen: int
    per_card_day_fen: int
    per_card_day_count: int
    total_fen: int
    """Unsent at this terminal."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a terminal behaves where no tariff says it; made of nothing: the defaults."""

    offline: OfflineLimits | None = None
    """The terminal's own limits; None: it sells off line only by the unit's rules, where it has them."""
    guard_permille: int = 200
    """A deny list that refuses more than this share of the last cards is refused itself."""
    amount_max_fen: int = _MOST_FEN
    """A POS asks for no more at once, on line or off."""
    door_open_s: int = 3
    door_held_s: int = 30
    """An open door is reported after this time."""
    repeat_s: int = 60
    """Attendance: the same card again within this time is one reading."""
    topup_min_fen: int = 100
    topup_max_fen: int = 100_000
    notes_fen: tuple[int, ...] = (100, 500, 1000, 2000, 5000, 10_000)
    """What the acceptor takes."""
    heartbeat_s: int = 30
    idle_text: str = ""
    """Shown while nobody is there."""
    print_receipt: bool = True


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """The file of one line."""

    line_id: int
    version: int
    is_front_end: bool
    devices: Mapping[int, Mapping[str, Value]]

    def values_of(self, terminal_id: int) -> Mapping[str, Value] | None:
        """What stands there for a terminal; None: it is not named. A straight line's only device stands under 0."""
        return self.devices.get(terminal_id if self.is_front_end else 0)


# Whole numbers by their bounds; the defaults are those of Parameters.
_NUMBERS: Final[Mapping[str, tuple[int, int]]] = {
    "guard_permille": (1, 1000),
    "amount_max_fen": (1, _MOST_FEN),
    "door_open_s": (1, 600),
    "door_held_s": (1, 3600),
    "repeat_s": (0, 3600),
    "topup_min_fen": (1, _MOST_FEN),
    "topup_max_fen": (1, _MOST_FEN),
    "heartbeat_s": (5, 60),
}
_OFFLINE: Final[Mapping[str, tuple[int, int, int]]] = {
    "offline_per_transaction_fen": (0, _MOST_TOTAL_FEN, 5_000),
    "offline_per_card_day_fen": (0, _MOST_TOTAL_FEN, 10_000),
    "offline_per_card_day_count": (0, 100_000, 10),
    "offline_total_fen": (0, _MOST_TOTAL_FEN, 2_000_000),
}
"""Bounds and default; they count where `offline_limits` is true."""
_OFFLINE_SWITCH: Final = "offline_limits"
_IDLE_CHARACTERS = 40


def build_parameters(line_id: int, version: int, values: Mapping[int, Mapping[str, Value]], *, front_end: bool) -> bytes:
    """The file. Alike for alike values, byte by byte."""
    body = {
        "format": FORMAT,
        "line_id": line_id,
        "version": version,
        "kind": FRONT_END if front_end else "terminal",
        "devices": {str(key): dict(values[key]) for key in values},
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def parse_parameters(data: bytes) -> ParameterFile:
    """Raises InvalidInput naming the first place that is wrong."""
    try:
        raw = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _wrong(FORMAT, "不是 JSON", "not JSON") from None
    if not isinstance(raw, dict):
        raise _wrong(FORMAT, "不是对象", "not an object")
    if raw.get("format") != FORMAT:
        raise _wrong("format", f"应为 {FORMAT}", f"should be {FORMAT}")
    if unknown := sorted(raw.keys() - _FIELDS):
        raise _wrong(unknown[0], "未知字段", "unknown field")
    if raw.get("kind") not in (FRONT_END, "terminal"):
        raise _wrong("kind", "应为 front_end 或 terminal", "should be front_end or terminal")
    if not isinstance(raw.get("devices"), dict):
        raise _wrong("devices", "应为对象", "should be an object")
    devices = {_device(key): _entry(f"devices.{key}", entry) for key, entry in raw["devices"].items()}
    return ParameterFile(
        _number("line_id", raw.get("line_id"), 1, _MOST_INT),
        _number("version", raw.get("version"), 1, _MOST_INT),
        raw["kind"] == FRONT_END,
        devices,
    )


def read_values(values: Mapping[str, Any]) -> Parameters:
    """The values of one device. Raises InvalidInput naming the parameter; what is missing is as by default."""
    usual = Parameters()
    given = {key: _number(key, values[key], *bounds) for key, bounds in _NUMBERS.items() if key in values}
    found = Parameters(
        offline=_offline(values),
        notes_fen=_notes(values["notes_fen"]) if "notes_fen" in values else usual.notes_fen,
        idle_text=_text("idle_text", values.get("idle_text", usual.idle_text)),
        print_receipt=_flag("print_receipt", values.get("print_receipt", usual.print_receipt)),
        **given,
    )
    if found.topup_min_fen > found.topup_max_fen:
        raise _wrong("topup_min_fen", "高于最高充值金额 topup_max_fen", "is above topup_max_fen")
    return found


def check_value(key: str, value: Any) -> None:
    """Whether devices take a value for a parameter; keys they do not know take any. Raises InvalidInput."""
    if key in _NUMBERS:
        _number(key, value, *_NUMBERS[key])
    elif key in _OFFLINE:
        _number(key, value, *_OFFLINE[key][:2])
    elif key == "notes_fen":
        _notes(value)
    elif key == "idle_text":
        _text(key, value)
    elif key in ("print_receipt", _OFFLINE_SWITCH):
        _flag(key, value)


@contextmanager
def naming(zh: str, en: str) -> Iterator[None]:
    """Put whose value it is before what is wrong with it."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{zh}：{error.zh}", f"{en}: {error.en}") from None


def _offline(values: Mapping[str, Any]) -> OfflineLimits | None:
    limits = {
        key.removeprefix("offline_"): _number(key, values.get(key, usual), low, high)
        for key, (low, high, usual) in _OFFLINE.items()
    }
    return OfflineLimits(**limits) if _flag(_OFFLINE_SWITCH, values.get(_OFFLINE_SWITCH, False)) else None


def _device(key: str) -> int:
    if not (key.isascii() and key.isdecimal() and len(key) <= 19 and str(int(key)) == key):
        raise _wrong(f"devices.{key[:40]}", "不是终端编号", "not a terminal's number")
    return int(key)


def _entry(place: str, entry: Any) -> Mapping[str, Value]:
    if not isinstance(entry, dict):
        raise _wrong(place, "应为对象", "should be an object")
    for key, value in entry.items():
        if not isinstance(value, int | str):  # bool is an int
            raise _wrong(f"{place}.{key[:40]}", "应为数、文字或是否", "should be a number, a text or a truth value")
    return entry


def _number(place: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(place, f"应为 {low} 至 {high} 的整数", f"should be a whole number from {low} to {high}")
    return value


def _flag(place: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(place, "应为是或否", "should be true or false")
    return value


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _IDLE_CHARACTERS or not value.isprintable():
        raise _wrong(place, f"应为至多 {_IDLE_CHARACTERS} 个字符", f"should be a text of at most {_IDLE_CHARACTERS} characters")
    return value


def _notes(value: Any) -> tuple[int, ...]:
    """Face values in fen, as "100,500"."""
    parts = value.split(",") if isinstance(value, str) else []
    if not 0 < len(parts) <= _MOST_NOTES or not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        raise _wrong("notes_fen", "应为逗号分隔的面额（分）", "should be face values in fen with commas between")
    notes = tuple(int(part) for part in parts)
    if len(set(notes)) != len(notes) or not all(0 < note <= _MOST_FEN for note in notes):
        raise _wrong("notes_fen", "面额应为正数且不重复", "face values are positive, each once")
    return notes


def _wrong(place: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"{place}：{zh}", f"{place}: {en}")
