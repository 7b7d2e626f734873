"""The lists, tariffs and parameters a device works by: each is read whole before it is taken, and the last good one stays.

A file that can't be read, is older than the one in use, or refuses too many of the last cards raises InvalidInput and changes
nothing. Two generations are in the journal: one that the disk has spoilt gives way to the one before it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from onecard.kernel.errors import InvalidInput
from onecard.protocol.cardindex import CardIndex, parse_card_index
from onecard.protocol.cardset import CardSet, parse_card_set
from onecard.protocol.offline import OfflineRules, parse_rules
from onecard.protocol.parameters import NAME as PARAMETERS
from onecard.protocol.parameters import ParameterFile, Parameters, parse_parameters, read_values
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.tariff import Tariff, parse_tariff

_PARSERS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "deny": parse_card_set,
    "cards": parse_card_index,
    "rules": parse_rules,
    "tariff": parse_tariff,
    PARAMETERS: parse_parameters,
}
NAMES: Final = tuple(_PARSERS)
"""The data a device can use, by the names they have on the wire."""
_LAST_CARDS = 500
_GUARD_FROM = 20
_GUARD_FEWEST = 5
"""Fewer newly refused cards than these are what happens, whatever their share."""


@dataclass(frozen=True, slots=True)
class InUse:
    """One piece of data in use, as heartbeats tell it."""

    name: str
    version: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class _OwnParameters:
    """The file of the line, and what stands there for this terminal."""

    file: ParameterFile
    values: Parameters


@dataclass(slots=True)
class DeviceData:
    """`take` puts data into use; the properties are what is in use. `names`: what this kind of device works by."""

    journal: DeviceJournal
    names: Iterable[str] = NAMES
    terminal_id: int = 0
    """Whose values of the line's parameters count."""
    _content: dict[str, Any] = field(default_factory=dict, repr=False)
    _in_use: dict[str, InUse] = field(default_factory=dict, repr=False)
    _last_cards: "deque[int]" = field(default_factory=lambda: deque(maxlen=_LAST_CARDS), repr=False)

    def __post_init__(self) -> None:
        for name in self.names:
            self._load(name)

    @property
    def denied(self) -> CardSet | tuple[int, ...]:
        """The deny list; empty without one."""
        found: CardSet | tuple[int, ...] = self._content.get("deny", ())
        return found

    @property
    def tariff(self) -> Tariff:
        """Prices."""
        tariff: Tariff = self._content.get("tariff", Tariff())
        return tariff

    @property
    def parameters(self) -> Parameters:
        """Limits and times."""
        own: _OwnParameters | None = self._content.get(PARAMETERS)
        return own.values if own else Parameters()

    @property
    def parameters_line(self) -> int:
        """The line whose parameters are in use; 0: none. Versions of another line's file say nothing about this one's."""
        own: _OwnParameters | None = self._content.get(PARAMETERS)
        return own.file.line_id if own else 0

    @property
    def rules(self) -> OfflineRules | None:
        """The unit's rules."""
        return self._content.get("rules")

    @property
    def cards(self) -> CardIndex | None:
        """The unit's own cards."""
        return self._content.get("cards")

    def versions(self) -> Iterator[InUse]:
        """What is in use."""
        yield from self._in_use.values()

    def version(self, name: str) -> int:
        """Of one piece of data; 0: none."""
        return self._in_use[name].version if name in self._in_use else 0

    def saw(self, card_no: int) -> None:
        """A card was at the device: a new deny list is measured against the last ones."""
        self._last_cards.append(card_no)

    def take(self, name: str, content: bytes, *, version: int) -> None:
        """Put data into use, durable when this returns. Raises InvalidInput; then what was in use stays."""
        if name not in self.names:
            raise InvalidInput(f"本机不使用数据 {name}", f"this device does not use the data {name}")
        parsed = self.check(name, content)
        if version < self.version(name) and not self._is_of_another_line(parsed):
            raise InvalidInput(
                f"{name} 版本 {version} 低于在用的 {self.version(name)}",
                f"{name} {version} is older than {self.version(name)}, in use",
            )
        digest = self.journal.store_data(name, content, version=version)
        self._use(name, parsed, InUse(name, version, digest))

    def check(self, name: str, content: bytes) -> Any:
        """The parsed data. Raises InvalidInput where `take` would refuse the content."""
        parsed = self._parse(name, content)
        if name == "deny":
            self._guard(parsed)
        return parsed

    def _is_of_another_line(self, parsed: Any) -> bool:
        return isinstance(parsed, _OwnParameters) and parsed.file.line_id != self.parameters_line

    def _guard(self, listed: CardSet) -> None:
        seen = set(self._last_cards)
        if len(seen) < _GUARD_FROM:
            return
        refused = sum(card in listed and card not in self.denied for card in seen)
        if refused >= _GUARD_FEWEST and refused * 1000 > len(seen) * self.parameters.guard_permille:
            raise InvalidInput(
                f"名单会拒绝最近 {len(seen)} 张卡中的 {refused} 张", f"the list refuses {refused} of the last {len(seen)} cards"
            )

    def _load(self, name: str) -> None:
        for stored in self.journal.data(name):
            try:
                parsed = self._parse(name, stored.content)
            except InvalidInput:
                continue
            self._use(name, parsed, InUse(name, stored.version, stored.sha256))
            return

    def _use(self, name: str, parsed: Any, in_use: InUse) -> None:
        self._content[name] = parsed
        self._in_use[name] = in_use

    def _parse(self, name: str, content: bytes) -> Any:
        parsed = _parse(name, content)
        if not isinstance(parsed, ParameterFile):
            return parsed
        values = parsed.values_of(self.terminal_id)
        if values is None:
            raise InvalidInput(f"参数文件中没有终端 {self.terminal_id}", f"terminal {self.terminal_id} is not in the file")
        return _OwnParameters(parsed, read_values(values))


def _parse(name: str, content: bytes) -> Any:
    try:
        return _PARSERS[name](content)
    except InvalidInput:
        raise
    except (ValueError, ArithmeticError, LookupError, RecursionError, MemoryError, TypeError) as error:
        raise InvalidInput(f"{name} 无法读取：{error}", f"{name} cannot be read: {error}") from error
