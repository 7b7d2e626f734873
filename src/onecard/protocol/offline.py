"""The rules file of a unit: what its front-end may decide while the line is down (G3, I1), as JSON and as values. Pure.

A limit that is null is no limit; 0 allows nothing. Money is in fen, moments of a day are minutes from local midnight, end
excluded; a span that ends before it starts runs over midnight and belongs to the day it starts on. Days are 1 (Monday) to 7.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import from_epoch_us
from onecard.kernel.errors import InvalidInput

FORMAT = "onecard-offline-1"
DAY_MINUTES = 1440
EVERYBODY = 0
"""The group that every card of the unit belongs to."""
MAX_FALLBACK_MS = 60_000
_ALL_DAYS = (1, 2, 3, 4, 5, 6, 7)


def _between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise _refusal(name, f"应在 {low} 与 {high} 之间：{value}", f"{value} is not between {low} and {high}")


def _limits(rule: object, *names: str) -> None:
    for name in names:
        value = getattr(rule, name)
        if value is not None:
            _between(name, value, 0, 10**12)


def _refusal(where: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"脱机规则 {where}：{zh}", f"offline rules, {where}: {en}")


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly span of time."""

    start_minute: int = 0
    end_minute: int = DAY_MINUTES
    days: tuple[int, ...] = _ALL_DAYS

    def __post_init__(self) -> None:
        _between("start_minute", self.start_minute, 0, DAY_MINUTES - 1)
        _between("end_minute", self.end_minute, 0, DAY_MINUTES)
        if not self.days or not set(self.days) <= set(_ALL_DAYS):
            raise _refusal("days", "星期应为 1 至 7", "days are 1 to 7")

    def contains(self, local: datetime) -> bool:
        """Whether a local time lies in it."""
        minute, day = local.hour * 60 + local.minute, local.isoweekday()
        if self.start_minute < self.end_minute:
            return day in self.days and self.start_minute <= minute < self.end_minute
        yesterday = (local - timedelta(days=1)).isoweekday()
        return (day in self.days and minute >= self.start_minute) or (yesterday in self.days and minute < self.end_minute)


@dataclass(frozen=True, slots=True)
class MealTime:
    """A meal period (餐次) of the unit."""

    no: int
    window: Window

    def __post_init__(self) -> None:
        _between("no", self.no, 1, 99)


@dataclass(frozen=True, slots=True)
class CardTypeRule:
    """What cards of a type may do off line."""

    offline: bool = False
    per_transaction_fen: int | None = None
    per_meal_fen: int | None = None
    per_day_fen: int | None = None
    per_day_count: int | None = None
    meals_only: bool = False
    """Accepted in meal periods alone."""

    def __post_init__(self) -> None:
        _limits(self, "per_transaction_fen", "per_meal_fen", "per_day_fen", "per_day_count")


@dataclass(frozen=True, slots=True)
class TerminalRule:
    """What a terminal may take off line."""

    per_transaction_fen: int | None = None
    total_fen: int | None = None
    """Of the records that the platform has not acknowledged."""
    hours: tuple[Window, ...] = ()
    """Empty: at any time."""
    own_cards_only: bool = False
    """Where private purses alone may pay (P2): a card of another unit could not be charged afterwards."""

    def __post_init__(self) -> None:
        _limits(self, "per_transaction_fen", "total_fen")


@dataclass(frozen=True, slots=True)
class DoorRule:
    """Who may pass a door, and when (I1). A door without a rule lets nobody pass."""

    groups: frozenset[int]
    windows: tuple[Window, ...] = (Window(),)

    def admits(self, groups: frozenset[int], local: datetime) -> bool:
        """Whether somebody of these groups passes at a local time."""
        mine = EVERYBODY in self.groups or bool(self.groups & groups)
        return mine and any(window.contains(local) for window in self.windows)


@dataclass(frozen=True, slots=True)
class OfflineRules:
    """The whole file. Raises InvalidInput for values out of range."""

    version: int
    unit_id: int
    card_types: Mapping[int, CardTypeRule] = field(default_factory=dict)
    unknown_card: CardTypeRule = CardTypeRule()
    """For cards that are not in the unit's index, and types without a rule."""
    terminals: Mapping[int, TerminalRule] = field(default_factory=dict)
    any_terminal: TerminalRule = TerminalRule()
    meals: tuple[MealTime, ...] = ()
    doors: Mapping[int, tuple[DoorRule, ...]] = field(default_factory=dict)
    fallback_ms: int = 3000
    """How long an on-line request waits for the platform before the front-end decides."""
    guard_permille: int = 50
    """A new list that would refuse more than this share of the recent taps is not taken."""

    def __post_init__(self) -> None:
        _between("version", self.version, 0, (1 << 63) - 1)
        _between("unit_id", self.unit_id, 0, 99_999)
        _between("fallback_ms", self.fallback_ms, 100, MAX_FALLBACK_MS)
        _between("guard_permille", self.guard_permille, 1, 1000)

    def card_type(self, card_type_id: int | None) -> CardTypeRule:
        """The rule of a type; None: the card is not in the unit's index."""
        return self.card_types.get(card_type_id, self.unknown_card) if card_type_id is not None else self.unknown_card

    def terminal(self, terminal_id: int) -> TerminalRule:
        """The rule of a terminal."""
        return self.terminals.get(terminal_id, self.any_terminal)

    def meal_at(self, at_us: int) -> int:
        """The meal period of a moment; 0: none."""
        local = local_time(at_us)
        return next((meal.no for meal in self.meals if meal.window.contains(local)), 0)


def local_time(at_us: int) -> datetime:
    """A moment on the platform's own clocks."""
    return from_epoch_us(at_us).astimezone(PLATFORM_ZONE)


def build_rules(rules: OfflineRules) -> bytes:
    """The file: the same bytes for the same rules; the reverse of `parse_rules`."""
    content = {
        "format": FORMAT,
        "version": rules.version,
        "unit_id": rules.unit_id,
        "fallback_ms": rules.fallback_ms,
        "guard_permille": rules.guard_permille,
        "unknown_card": asdict(rules.unknown_card),
        "any_terminal": asdict(rules.any_terminal),
        "card_types": {str(number): asdict(rule) for number, rule in rules.card_types.items()},
        "terminals": {str(number): asdict(rule) for number, rule in rules.terminals.items()},
        "meals": [asdict(meal) for meal in rules.meals],
        "doors": {
            str(number): [{**asdict(rule), "groups": sorted(rule.groups)} for rule in door]
            for number, door in rules.doors.items()
        },
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def parse_rules(data: bytes) -> OfflineRules:
    """The rules in a file. Raises InvalidInput saying what is wrong and where."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise _refusal("$", "不是 JSON", "not JSON") from None
    file = _Fields("$", content)
    if file.take("format") != FORMAT:
        raise _refusal("$.format", f"应为 {FORMAT}", f"must be {FORMAT}")
    rules = file.make(
        OfflineRules,
        unknown_card=_card_type,
        any_terminal=_terminal,
        card_types=_numbered(_card_type),
        terminals=_numbered(_terminal),
        meals=_each(_meal),
        doors=_numbered(_each(_door)),
    )
    assert isinstance(rules, OfflineRules)
    return rules


class _Fields:
    """The fields of one JSON object, each taken once; one that is left over is a mistake."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise _refusal(where, "应为对象", "must be an object")
        self.where = where
        self._left = dict(value)

    def take(self, name: str) -> Any:
        """Raises InvalidInput when it is not there."""
        if name not in self._left:
            raise _refusal(f"{self.where}.{name}", "缺少", "missing")
        return self._left.pop(name)

    def make(self, kind: type[Any], /, **parts: Any) -> object:
        """A value of a dataclass from its fields; `parts` read those that are not plain numbers."""
        values = {}
        for entry in fields(kind):
            value, where = self.take(entry.name), f"{self.where}.{entry.name}"
            read = parts.get(entry.name)
            values[entry.name] = read(where, value) if read else _plain(where, value, str(entry.type))
        if self._left:
            raise _refusal(f"{self.where}.{min(self._left)}", "未知字段", "unknown")
        try:
            return kind(**values)
        except InvalidInput as error:
            raise InvalidInput(f"{self.where}: {error.zh}", f"{self.where}: {error.en}") from None


def _plain(where: str, value: object, kind: str) -> object:
    if "bool" in kind:
        if not isinstance(value, bool):
            raise _refusal(where, "应为真或假", "must be true or false")
    elif value is None and "None" in kind:
        return None
    elif not isinstance(value, int) or isinstance(value, bool):
        raise _refusal(where, "应为整数", "must be a whole number")
    return value


def _card_type(where: str, value: object) -> object:
    return _Fields(where, value).make(CardTypeRule)


def _terminal(where: str, value: object) -> object:
    return _Fields(where, value).make(TerminalRule, hours=_each(_window))


def _meal(where: str, value: object) -> object:
    return _Fields(where, value).make(MealTime, window=_window)


def _window(where: str, value: object) -> object:
    return _Fields(where, value).make(Window, days=_each(_number))


def _door(where: str, value: object) -> object:
    groups = _each(_number)
    return _Fields(where, value).make(DoorRule, groups=lambda at, given: frozenset(groups(at, given)), windows=_each(_window))


def _number(where: str, value: object) -> object:
    return _plain(where, value, "int")


def _each(read: Any) -> Any:
    def read_all(where: str, value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise _refusal(where, "应为数组", "must be a list")
        return tuple(read(f"{where}[{place}]", item) for place, item in enumerate(value))

    return read_all


def _numbered(read: Any) -> Any:
    def read_all(where: str, value: object) -> dict[int, object]:
        if not isinstance(value, dict):
            raise _refusal(where, "应为对象", "must be an object")
        for name in value:
            if not (name.isascii() and name.isdigit() and str(int(name)) == name):
                raise _refusal(f"{where}.{name}", "应为编号", "must be a number")
        return {int(name): read(f"{where}.{name}", item) for name, item in value.items()}

    return read_all
