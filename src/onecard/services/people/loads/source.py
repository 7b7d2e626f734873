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


@dataclass(frozen=True, slots=True)
class Source:
    """A table: its headers, about how many rows it has, and the rows after the header, each with its number."""

    headers: Sequence[str]
    about: int
    rows: Iterator[tuple[int, Sequence[Cell]]]


@contextmanager
def open_source(path: Path, *, sheet: str = "") -> Iterator[Source]:
    """The table in a file. Raises InvalidInput for what cannot be one, also while its rows are read."""
    if inspect_file(path) is FileKind.XLSX:
        with _open_xlsx(path, sheet) as source:
            yield source
    else:
        encoding, lines = detect_encoding(path)
        with path.open(encoding=encoding, newline="") as stream:
            yield _csv_source(stream, lines)


def detect_encoding(path: Path) -> tuple[str, int]:
    """The encoding of a text file and how many lines it has, from the whole of it: what decodes strictly is it.

    Raises InvalidInput for bytes that are no text in either encoding.
    """
    for encoding in ("utf-8-sig", "gb18030"):
        lines = _decode_all(path, encoding)
        if lines is not None:
            return encoding, lines
    raise InvalidInput("文件既不是 UTF-8 也不是 GB18030 文本", "the file is text neither in UTF-8 nor in GB18030")


def _decode_all(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    lines = 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                if b"\0" in chunk:
                    raise InvalidInput("文件中有 NUL 字节，不是文本", "the file has NUL bytes: it is no text")
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
    header = stream.readline(64 * 1024)
    stream.seek(0)
    reader = csv.reader(stream, delimiter=detect_delimiter(header), strict=True)
    numbered = _numbered(_csv_rows(reader))
    _, headers = next(numbered, (0, ()))
    return Source([str(cell) for cell in headers], max(lines - 1, 0), numbered)


def _csv_rows(reader: "Iterator[list[str]]") -> Iterator[Sequence[Cell]]:
    number = 0
    try:
        for row in reader:
            number += 1
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
def _open_xlsx(path: Path, sheet: str) -> Iterator[Source]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    stream = path.open("rb")  # a path would be judged by its name
    try:
        # Never the values alone: a formula has to be seen, not what somebody's Excel left beside it.
        book = openpyxl.load_workbook(stream, read_only=True, data_only=False, keep_links=False)
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
        first, headers = next(_numbered(_xlsx_rows(page, MAX_COLUMNS)), (0, ()))
        texts = ["" if cell is None else str(cell) for cell in headers]
        while texts and not texts[-1]:
            texts.pop()
        rows = _numbered(_xlsx_rows(page, max(len(texts), 1)))
        yield Source(texts, about, ((number, row) for number, row in rows if number > first))
    finally:
        book.close()
        stream.close()


def _xlsx_rows(page: Any, columns: int) -> Iterator[Sequence[Cell]]:  # openpyxl's types know no read-only sheet
    try:
        yield from page.iter_rows(values_only=True, max_col=columns)
    except (SyntaxError, ValueError, KeyError, IndexError, TypeError, OSError, EOFError) as error:
        raise InvalidInput(f"工作表无法读取：{error}", f"the sheet cannot be read: {error}") from None
