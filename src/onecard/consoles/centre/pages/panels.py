"""The parts pages are put together from: a table of cells, and the pair of links that lead to other pages of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise

Label = str | Promise
NUMBER, CODE, TEXT = "num", "mono", ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: text, where it leads, the colour of its badge, a second line in small print."""

    text: Any
    link: str = ""
    tone: str | None = None
    note: Any = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading and how its cells are set (NUMBER to the right, CODE in figures of one width)."""

    title: Label
    kind: str = TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page, and the sentence that stands there when it is empty."""

    id: str
    columns: Sequence[Column]
    empty: Label
    rows: Sequence[Sequence[Any]] = field(default_factory=list)

    @property
    def lines(self) -> list[list[tuple[Column, Cell]]]:
        """The rows as the template walks them."""
        return [
            [(column, cell if isinstance(cell, Cell) else Cell(cell)) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


def yes_no(value: bool, yes: Label, no: Label) -> Label:
    """One of two words."""
    return yes if value else no
