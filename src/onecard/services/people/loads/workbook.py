"""Opening a workbook by openpyxl: as a whole, or no more than the first bytes of each of its parts."""

import zipfile
from contextlib import suppress
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

_CUT = "…"


def load(stream: IO[bytes], *, most: int | None) -> Any:
    """The workbook, read only; with `most` no part of it is read beyond so many bytes."""
    # Never the values alone: a formula has to be seen, not what somebody's Excel left beside it.
    reader: Any = (ExcelReader if most is None else _FirstReader)(stream, read_only=True, data_only=False, keep_links=False)
    if most is not None:
        reader.archive = _FirstParts(stream, most)
    reader.read()
    return reader.wb


class _FirstParts(zipfile.ZipFile):
    """An archive whose members end after so many bytes."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        super().__init__(stream)
        self._most = most

    def open(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        """A member, cut."""
        member: Any = super().open(*args, **kwargs)
        whole, left = member.read, self._most

        def read(size: int | None = -1) -> bytes:
            nonlocal left
            got: bytes = whole(left if size is None or size < 0 else min(size, left))
            left -= len(got)
            return got

        member.read = read
        return member  # type: ignore[no-any-return]


class _FirstStrings(list[str]):
    """The first strings of a workbook's table; of the others nothing is known."""

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(place) if place < len(self) else _CUT


class _FirstSheet(ReadOnlyWorksheet):
    """A sheet whose part may break off before it has said how large it is."""

    def _get_size(self) -> None:
        with suppress(ParseError):  # the size is only an estimate to show
            super()._get_size()  # type: ignore[misc]


class _FirstReader(ExcelReader):
    """A reader that takes parts which break off."""

    def read_worksheets(self) -> None:
        """The sheets, none of them read yet."""
        book: Any = self.wb
        for sheet, related in self.parser.find_sheets():
            if related.target in self.valid_files and "chartsheet" not in related.Type:
                book._sheets.append(_FirstSheet(book, sheet.name, related.target, self.shared_strings))

    def read_strings(self) -> None:
        """The strings up to where the part was cut."""
        package: Any = self.package
        part = package.find(SHARED_STRINGS)
        strings = _FirstStrings()
        if part is not None:
            with self.archive.open(part.PartName[1:]) as stream:
                try:
                    for _event, node in iterparse(stream):
                        if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                            text: Any = Text.from_tree(node)
                            strings.append(text.content)
                            node.clear()
                except ParseError:
                    pass  # cut off: what came before is whole
        self.shared_strings = strings
