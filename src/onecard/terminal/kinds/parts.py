"""What a person touches at a terminal: keypad, slot, scanner, note acceptor and door contact; the display and the printer."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

from onecard.kernel.codes import Text
from onecard.terminal.reader.base import Reader


@unique
class Key(StrEnum):
    """The keys that are not digits."""

    ENTER = "enter"
    CLEAR = "clear"
    CANCEL = "cancel"
    AMOUNT = "amount"
    FIXED = "fixed"
    MENU = "menu"
    COUNT = "count"
    VOID = "void"
    REFUND = "refund"
    LAST = "last"
    """Print the last receipt again."""
    BALANCE = "balance"
    TOPUP = "topup"
    IN = "in"
    OUT = "out"
    STOP = "stop"
    """The customer ends what the meter gives."""


DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Press:
    """One key: a digit or the value of a `Key`."""

    key: str


@dataclass(frozen=True, slots=True)
class Tap:
    """A card that tells its number. `torn`: it left the field before it was read."""

    card_no: int
    torn: bool = False


@dataclass(frozen=True, slots=True)
class ChipTap:
    """A purse card in the slot."""

    reader: Reader


@dataclass(frozen=True, slots=True)
class Show:
    """A payment code before the scanner."""

    text: str


@dataclass(frozen=True, slots=True)
class Cash:
    """A bank note or coin in the acceptor."""

    fen: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """What went through the meter."""

    count: int


@dataclass(frozen=True, slots=True)
class Contact:
    """The door contact."""

    is_open: bool


Act = Press | Tap | ChipTap | Show | Cash | Pulse | Contact


class Display:
    """A status row and a few rows of text; whoever wants to see every change gives `on_change`."""

    def __init__(self, on_change: Callable[["Display"], None] | None = None) -> None:
        self._on_change = on_change
        self.status = Text("脱机", "Off line")
        self.rows: tuple[Text, ...] = ()

    def show(self, *rows: Text) -> None:
        """Put rows of text up in place of those that stand there."""
        self._set(self.status, rows)

    def set_status(self, status: Text) -> None:
        """Put the state of the line up."""
        self._set(status, self.rows)

    @property
    def text(self) -> str:
        """All that can be read, in one line."""
        rows = (self.status, *self.rows)
        return " | ".join(row.zh if row.zh == row.en else f"{row.zh} {row.en}" for row in rows)

    def _set(self, status: Text, rows: tuple[Text, ...]) -> None:
        changed = (status, rows) != (self.status, self.rows)
        self.status, self.rows = status, rows
        if changed and self._on_change is not None:
            self._on_change(self)


class Printer:
    """Receipts on a roll: a file they are appended to, or only the memory of the last ones."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.last = ""

    def print(self, text: str) -> None:
        """Print one. Raises OSError where there is no paper."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as roll:
                roll.write(text + "\n\n")
        self.last = text


def yuan(fen: int) -> str:
    """An amount for people."""
    sign = "-" if fen < 0 else ""
    whole, part = divmod(abs(fen), 100)
    return f"{sign}{whole}.{part:02d}"


def plain(text: str) -> Text:
    """A row that is the same in both languages: an amount, a number."""
    return Text(text, text)
