"""Reads a file of taps: header and rows are checked here, line by line, in bounded memory; nothing is dropped silently.

Checked is what is sent: card, terminal, company, type, time and amount. The other columns may have holes. A line stands for
itself (no field runs over a line end), so that one broken quote cannot swallow the rest of a file.
"""

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import InvalidInput

COLUMNS = (
    "card_ref", "terminal_id", "operator", "type", "txn_time", "amount_fen",
    "list_price_fen", "transfer", "station_or_route", "vehicle_or_gate", "settle_date",
)  # fmt: skip
TYPES = frozenset({"bus", "metro_in", "metro_out"})
MAX_LINE_BYTES = 65_536
MAX_AMOUNT_FEN = 10_000_000
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCK_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tap:
    """One row that can be sent."""

    line: int
    card_ref: str
    terminal_ref: int
    company: str
    type: str
    occurred_at_us: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that cannot be sent, and why."""

    line: int
    zh: str
    en: str
    text: str


class TapFile:
    """A file of taps, plain or gzip (told by its first bytes). After the last row `digest` identifies its content."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = path.stat().st_size
        self._hash = hashlib.sha256()
        self._raw: BinaryIO | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the unpacked content read so far."""
        return self._hash.digest()

    @property
    def bytes_read(self) -> int:
        """Position in the file as it lies on disk, for a progress bar."""
        return self._raw.tell() if self._raw is not None and not self._raw.closed else self.size_bytes

    def rows(self, *, now: datetime | None = None) -> Iterator[Tap | Reject]:
        """Every row in file order. Raises InvalidInput when the header is wrong or the file is damaged."""
        latest = (now or datetime.now(UTC)) + _CLOCK_TOLERANCE
        with self.path.open("rb") as raw:
            self._raw = raw
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream: BinaryIO = gzip.GzipFile(fileobj=raw) if zipped else raw  # type: ignore[assignment]
            lines = self._lines(stream)
            places = _read_header(next(lines, (1, b""))[1])
            for number, content in lines:
                if content.strip(b"\r\n \t"):
                    yield _parse_line(number, content, places, latest=latest)

    def _lines(self, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
        number = 0
        try:
            while line := stream.readline(MAX_LINE_BYTES):
                number += 1
                self._hash.update(line)
                rest = line
                while not rest.endswith(b"\n") and (rest := stream.readline(MAX_LINE_BYTES)):
                    self._hash.update(rest)  # the tail of an oversized line: read past it, never hold it
                    line = line[:MAX_LINE_BYTES] + b"\0"
                yield number, line
        except (EOFError, OSError, gzip.BadGzipFile) as error:
            zh, en = f"文件在第 {number} 行之后损坏：{error}", f"the file is damaged after line {number}: {error}"
            raise InvalidInput(zh, en) from error


def _read_header(line: bytes) -> tuple[int, ...]:
    names = [name.strip() for name in line.decode("utf-8-sig", "replace").strip().split(",")]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InvalidInput(f"表头缺列：{', '.join(missing)}", f"the header lacks columns: {', '.join(missing)}")
    if len(set(names)) != len(names):
        raise InvalidInput("表头有重复的列", "the header names a column twice")
    return (*(names.index(name) for name in COLUMNS[:6]), len(names))


class _RefusedError(ValueError):
    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def _parse_line(number: int, content: bytes, places: tuple[int, ...], *, latest: datetime) -> Tap | Reject:
    """One row as a tap, or why it can't be one."""
    try:
        card, terminal, company, kind, when, amount = _split(content, places)
        occurred_at = _parse_time(when, latest)
        return Tap(number, card, _parse_terminal(terminal), company, kind, to_epoch_us(occurred_at), _parse_amount(amount))
    except _RefusedError as why:
        text = content[:300].decode("utf-8", "replace").rstrip("\r\n").replace("\0", "\ufffd")
        return Reject(number, why.zh, why.en, text)


def _split(content: bytes, places: tuple[int, ...]) -> list[str]:
    if b"\0" in content:
        raise _RefusedError("行过长或含 NUL 字节", "the line is too long or holds a NUL byte")
    try:
        text = content.decode("utf-8").rstrip("\r\n")
        fields = text.split(",") if '"' not in text else next(csv.reader(io.StringIO(text), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _RefusedError("不是 UTF-8 文本或引号不配对", "not UTF-8, or a quote is not closed") from error
    if len(fields) != places[6]:
        raise _RefusedError(f"应有 {places[6]} 列，实有 {len(fields)} 列", f"{len(fields)} columns instead of {places[6]}")
    taken = [fields[place].strip() for place in places[:6]]
    card, _, company, kind, _, _ = taken
    if not 1 <= len(card) <= 40:
        raise _RefusedError("card_ref 为空或过长", "card_ref is empty or too long")
    if not 1 <= len(company) <= 40:
        raise _RefusedError("operator 为空或过长", "operator is empty or too long")
    if kind not in TYPES:
        raise _RefusedError(f"未知类型 {kind[:20]!r}", f"unknown type {kind[:20]!r}")
    return taken


def _parse_terminal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) > 0):
        raise _RefusedError("terminal_id 不是 1 至 10 位数字", "terminal_id is not a number of 1 to 10 digits")
    return int(text)


def _parse_amount(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and int(text) <= MAX_AMOUNT_FEN):
        raise _RefusedError("amount_fen 不是合理的非负整数（分）", "amount_fen is not a plausible whole number of fen, 0 or more")
    return int(text)


def _parse_time(text: str, latest: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _RefusedError("txn_time 不是带时区的 ISO 8601 时间", "txn_time is not an ISO 8601 time with an offset")
    if not _EARLIEST <= at <= latest:
        raise _RefusedError("txn_time 早于 2000 年或在未来", "txn_time is before 2000 or in the future")
    return at
