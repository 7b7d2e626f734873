"""Rows of a file: CSV (UTF-8 or GB18030, any usual delimiter) and XLSX, streamed, with the number a spreadsheet would show."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onecard.kernel.errors import InvalidInput
from onecard.services.people.loads.fields import MAX_COLUMNS
from onecard.services.people.loads.safety import MAX_ROWS, FileKind, inspect_file

Cell = object
_CHUNK = 1024 * 1024
_DELIMITERS = ",\t;|"
MAX_LINE = 64 * 1024
"""Characters of a row, line breaks inside quotes included: what a row may take of memory before it is looked at."""
_FIRST_BYTES = 256 * 1024
_FIRST_PART = 4 * 1024 * 1024
"""What a preview reads of a text file, and of each part of a workbook."""


@dataclass(frozen=True, slots=True)
class Source:
    """A table: its headers, about how many rows it has, and the rows after the header, each with its number."""

    headers: Sequence[str]
    about: int
    rows: Iterator[tuple[int, Sequence[Cell]]]


@contextmanager
def open_source(path: Path, *, sheet: str = "", first: bool = False) -> Iterator[Source]:
    """The table in a file. Raises InvalidInput for what cannot be one, also while its rows are read.

    With `first` only a bounded piece of the file is read, enough for its header and some rows; `about` is then an estimate.
    """
    if inspect_file(path) is FileKind.XLSX:
        with _open_xlsx(path, sheet, first=first) as source:
            yield source
    else:
        encoding, lines = _first_encoding(path) if first else detect_encoding(path)
        with path.open(encoding=encoding, newline="") as stream:
            yield _csv_source(stream, lines)


def _first_encoding(path: Path) -> tuple[str, int]:
    """The encoding of a text file's first piece, and about how many lines the whole has."""
    with path.open("rb") as stream:
        piece = stream.read(_FIRST_BYTES)
    if b"\0" in piece:
        raise _nul()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            codecs.getincrementaldecoder(encoding)("strict").decode(piece)  # not final: the piece may end inside a character
        except UnicodeDecodeError:
            continue
        return encoding, piece.count(b"\n") * path.stat().st_size // len(piece)
    raise _no_text()


def _nul() -> InvalidInput:
    return InvalidInput("文件中有 NUL 字节，不是文本", "the file has NUL bytes: it is no text")


def _no_text() -> InvalidInput:
    return InvalidInput("文件既不是 UTF-8 也不是 GB18030 文本", "the file is text neither in UTF-8 nor in GB18030")


def detect_encoding(path: Path) -> tuple[str, int]:
    """The encoding of a text file and how many lines it has, from the whole of it: what decodes strictly is it.

    Raises InvalidInput for bytes that are no text in either encoding.
    """
    for encoding in ("utf-8-sig", "gb18030"):
        lines = _decode_all(path, encoding)
        if lines is not None:
            return encoding, lines
    raise _no_text()


def _decode_all(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    lines = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                if b"\0" in chunk:
                    raise _nul()
                decoder.decode(chunk)
                lines += chunk.count(b"\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return lines


def detect_delimiter(header: str) -> str:
    """The delimiter of a header line: the one that stands most often outside quotes."""
    counts = dict.fromkeys(_DELIMITERS, 0)
    quoted = False
    for character in header:
        if character == '"':
            quoted = not quoted
        elif not quoted and character in counts:
            counts[character] += 1
    return max(_DELIMITERS, key=lambda delimiter: counts[delimiter])


def _csv_source(stream: io.TextIOBase, lines: int) -> Source:
    header = stream.readline(MAX_LINE)
    stream.seek(0)
    numbered = _numbered(_csv_rows(stream, detect_delimiter(header)))
    _, headers = next(numbered, (0, ()))
    return Source([str(cell) for cell in headers], max(lines - 1, 0), numbered)


class _Lines:
    """The lines of a text for the CSV reader, as long as those of one row together stay within `MAX_LINE`."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._left = MAX_LINE

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(self._left + 1)
        if not line:
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            raise InvalidInput(
                f"一行超过 {MAX_LINE // 1024} KB（引号未闭合？）", f"a row has more than {MAX_LINE // 1024} KB (an open quote?)"
            )
        return line

    def row_ended(self) -> None:
        """The next row has its own room."""
        self._left = MAX_LINE


def _csv_rows(stream: io.TextIOBase, delimiter: str) -> Iterator[Sequence[Cell]]:
    number, lines = 0, _Lines(stream)
    try:
        for row in csv.reader(lines, delimiter=delimiter, strict=True):
            number += 1
            lines.row_ended()
            if len(row) > MAX_COLUMNS:
                raise InvalidInput(f"第 {number} 行超过 {MAX_COLUMNS} 列", f"row {number} has more than {MAX_COLUMNS} columns")
            yield row
    except csv.Error as error:
        raise InvalidInput(
            f"第 {number + 1} 行之后无法读取：{error}", f"cannot be read after row {number + 1}: {error}"
        ) from None


def _numbered(rows: Iterator[Sequence[Cell]]) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Numbers as a spreadsheet shows them, without rows in which nothing stands."""
    for number, row in enumerate(rows, start=1):
        if number > MAX_ROWS + 1:
            raise InvalidInput(f"超过 {MAX_ROWS:,} 行", f"more than {MAX_ROWS:,} rows")
        if any(cell not in (None, "") for cell in row):
            yield number, row


@contextmanager
def _open_xlsx(path: Path, sheet: str, *, first: bool) -> Iterator[Source]:
    from openpyxl.utils.exceptions import InvalidFileException

    from onecard.services.people.loads import workbook

    stream = path.open("rb")  # a path would be judged by its name
    try:
        book = workbook.load(stream, most=_FIRST_PART if first else None)
    except (InvalidFileException, KeyError, ValueError, SyntaxError, OSError) as error:
        stream.close()
        raise InvalidInput(f"工作簿无法读取：{error}", f"the workbook cannot be read: {error}") from None
    try:
        names = [each.title for each in book.worksheets]
        if not names or (sheet and sheet not in names):
            raise InvalidInput(f"没有工作表 {sheet}（{'、'.join(names)}）", f"there is no sheet {sheet} ({', '.join(names)})")
        page = book[sheet] if sheet else book.worksheets[0]
        about = max(min(page.max_row or 1, MAX_ROWS) - 1, 0)
        page.reset_dimensions()  # what the workbook says of its size need not be so
        top, headers = next(_numbered(_xlsx_rows(page, MAX_COLUMNS)), (0, ()))
        texts = ["" if cell is None else str(cell) for cell in headers]
        while texts and not texts[-1]:
            texts.pop()
        rows = _numbered(_xlsx_rows(page, max(len(texts), 1)))
        yield Source(texts, about, ((number, row) for number, row in rows if number > top))
    finally:
        book.close()
        stream.close()


def _xlsx_rows(page: Any, columns: int) -> Iterator[Sequence[Cell]]:  # openpyxl's types know no read-only sheet
    try:
        yield from page.iter_rows(values_only=True, max_col=columns)
    except (SyntaxError, ValueError, KeyError, IndexError, TypeError, OSError, EOFError) as error:
        raise InvalidInput(f"工作表无法读取：{error}", f"the sheet cannot be read: {error}") from None
