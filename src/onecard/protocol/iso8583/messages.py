"""Frozen values of the ISO 8583 profile: what a decoded message says, without field numbers.

`raw` is the frame as received, without its length prefix: TPDU 5, header 6, message type 2, bitmap 8, fields. Answers echo
from it. `moment` is MMDDhhmmss as sent (see times.py for the year).
"""

from dataclasses import dataclass
from enum import Enum

from onecard.kernel.codes import Operation

MAX_STAN = 999_999
MAX_BATCH = 999_999
_SEQ_PER_BATCH = 1_000_000
MAX_DETAILS = 7
MAC_BYTES = 8
_MAC_BIT = 0x01
_BODY = 11
_BITMAP_END = 21


class IsoFormatError(ValueError):
    """The message breaks the profile. `fields` is what could be decoded, None when nothing can be answered."""

    def __init__(self, reason: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.fields = fields


class NetworkKind(Enum):
    """What a network management message wants."""

    SIGN_ON = "sign-on"
    SIGN_OFF = "sign-off"
    ECHO = "echo"


def build_terminal_seq(*, batch_no: int, stan: int) -> int:
    """The platform's sequence number of a terminal's record: the batch and the STAN inside it."""
    return batch_no * _SEQ_PER_BATCH + stan


def split_terminal_seq(terminal_seq: int) -> tuple[int, int]:
    """Batch number and STAN of a sequence number."""
    return divmod(terminal_seq, _SEQ_PER_BATCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What every request has."""

    raw: bytes
    tid: str
    mid: str
    stan: int
    batch_no: int

    @property
    def maced(self) -> bytes:
        """The bytes the MAC is computed over."""
        return self.raw[_BODY:-MAC_BYTES]

    @property
    def mac(self) -> bytes:
        """DE64, empty when there is none."""
        return self.raw[-MAC_BYTES:] if self.raw[_BITMAP_END - 1] & _MAC_BIT else b""


@dataclass(frozen=True, slots=True)
class Original:
    """DE61: the record a void or refund means."""

    batch_no: int
    stan: int

    @property
    def terminal_seq(self) -> int:
        return build_terminal_seq(batch_no=self.batch_no, stan=self.stan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Financial(Message):
    """0200, 0220 and 0400: one record. A reversal carries batch and STAN of the record it undoes."""

    op: Operation
    card_no: int
    amount_fen: int
    moment: str
    original: Original | None = None

    @property
    def terminal_seq(self) -> int:
        return build_terminal_seq(batch_no=self.batch_no, stan=self.stan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Message):
    """0800 sign-on, 0820 sign-off and echo test."""

    kind: NetworkKind


@dataclass(frozen=True, slots=True)
class OfflineDetail:
    """One purchase made off line, inside a 0320."""

    card_no: int
    amount_fen: int
    stan: int
    moment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineUpload(Message):
    """0320: up to seven offline details of one batch, or none in the message that ends the upload."""

    details: tuple[OfflineDetail, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums and counts of one settlement batch, as in DE48 of a 0500."""

    debit_fen: int
    debit_count: int
    credit_fen: int
    credit_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(Message):
    """0500: the terminal's own totals of a batch."""

    totals: Totals


class Balanced(Enum):
    """The result digit of a 0510."""

    YES = "1"
    NO = "2"
    ERROR = "3"
