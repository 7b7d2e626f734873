"""The tariff: the file that tells a terminal what things cost. Limits and times are in `protocol.parameters`.

It is JSON of a named format. A file that breaks its format in any place is refused whole, naming the place: the device then
keeps the one it has.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput

TARIFF_FORMAT = "onecard-tariff/1"
_MAX_FEN = 100_000_000
_MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A dish or article by its number."""

    no: int
    name: Text
    fen: int


@dataclass(frozen=True, slots=True)
class MeterTariff:
    """What a meter charges."""

    hold_fen: int
    """Reserved before the valve opens; the session ends when it is used up."""
    fen_per_unit: int
    pulses_per_unit: int
    unit: str

    def amount_rounded_down(self, pulses: int) -> int:
        """The price of what went through, never above the hold."""
        return min(self.hold_fen, pulses * self.fen_per_unit // self.pulses_per_unit)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices. An empty tariff sells by amount only."""

    fixed_fen: int = 0
    """0: no fixed price."""
    count_fen: int = 0
    """The price of one time (次); 0: not sold by count."""
    menu: Mapping[int, MenuItem] | None = None
    meter: MeterTariff | None = None


def parse_tariff(data: bytes) -> Tariff:
    """Raises InvalidInput naming the first place that is wrong."""
    top = _Reader.open(data, TARIFF_FORMAT)
    menu = {item.no: item for item in (_item(entry) for entry in top.entries("menu"))}
    if len(menu) != len(top.raw.get("menu", ())):
        raise _wrong("menu", "编号重复", "a number stands twice")
    meter = top.part("meter")
    tariff = Tariff(
        fixed_fen=top.number("fixed_fen", 0, _MAX_FEN, default=0),
        count_fen=top.number("count_fen", 0, _MAX_FEN, default=0),
        menu=menu,
        meter=_meter(meter) if meter else None,
    )
    top.end()
    return tariff


def _item(entry: "_Reader") -> MenuItem:
    item = MenuItem(
        entry.number("no", 1, 999_999), Text(entry.string("zh"), entry.string("en")), entry.number("fen", 1, _MAX_FEN)
    )
    entry.end()
    return item


def _meter(part: "_Reader") -> MeterTariff:
    tariff = MeterTariff(
        hold_fen=part.number("hold_fen", 1, _MAX_FEN),
        fen_per_unit=part.number("fen_per_unit", 1, _MAX_FEN),
        pulses_per_unit=part.number("pulses_per_unit", 1, 1_000_000),
        unit=part.string("unit"),
    )
    part.end()
    return tariff


class _Reader:
    """An object of JSON that is read field by field; what nobody read is refused at `end`."""

    def __init__(self, raw: dict[str, Any], place: str) -> None:
        self.raw = raw
        self._place = place
        self._left = set(raw)

    @classmethod
    def open(cls, data: bytes, name: str) -> "_Reader":
        """The file's object, whose format is `name`."""
        try:
            raw = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise _wrong(name, "不是 JSON", "not JSON") from None
        if not isinstance(raw, dict):
            raise _wrong(name, "不是对象", "not an object")
        reader = cls(raw, "")
        if reader.string("format") != name:
            raise _wrong("format", f"应为 {name}", f"should be {name}")
        return reader

    def number(self, name: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number within bounds."""
        self._left.discard(name)
        if name not in self.raw and default is not None:
            return default
        value = self.raw.get(name)
        if not _is_number(value, low, high):
            raise _wrong(self._place + name, f"应为 {low} 至 {high} 的整数", f"should be a whole number from {low} to {high}")
        assert isinstance(value, int)
        return value

    def string(self, name: str) -> str:
        """A text that is not empty."""
        self._left.discard(name)
        value = self.raw.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 100:
            raise _wrong(self._place + name, "应为文本", "should be a text")
        return value

    def part(self, name: str) -> "_Reader | None":
        """An object inside, if there is one."""
        self._left.discard(name)
        if name not in self.raw:
            return None
        if not isinstance(self.raw[name], dict):
            raise _wrong(self._place + name, "应为对象", "should be an object")
        return _Reader(self.raw[name], f"{self._place}{name}.")

    def entries(self, name: str) -> list["_Reader"]:
        """The objects of a list."""
        self._left.discard(name)
        found = self.raw.get(name, [])
        if not isinstance(found, list) or len(found) > _MAX_ITEMS or not all(isinstance(entry, dict) for entry in found):
            raise _wrong(self._place + name, "应为对象列表", "should be a list of objects")
        return [_Reader(entry, f"{self._place}{name}[{place}].") for place, entry in enumerate(found)]

    def end(self) -> None:
        """Refuses what is not in the format: a misspelt limit would be no limit."""
        if self._left:
            raise _wrong(self._place + min(self._left), "未知字段", "unknown field")


def _is_number(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _wrong(place: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"{place}：{zh}", f"{place}: {en}")
