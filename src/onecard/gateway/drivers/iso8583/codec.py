"""Between ISO 8583 messages and records: pure functions, one for each kind of message that moves money."""

from typing import Any

from onecard.gateway.drivers.base import Row
from onecard.kernel.codes import Operation, Result
from onecard.protocol.iso8583 import codec as wire
from onecard.protocol.iso8583.messages import (
    MAX_BATCH,
    Balanced,
    Financial,
    IsoFormatError,
    OfflineUpload,
    Totals,
    build_terminal_seq,
)
from onecard.protocol.iso8583.times import MomentCache
from onecard.protocol.proto.records_pb2 import Records

_MAX_CARD_NO = 10**18
_REPEAT = (Result.BUSY, Result.UNAVAILABLE)


def decode(data: bytes) -> dict[str, Any]:
    """The fields of a frame without its length, checked as a request is. Raises ValueError."""
    wire.parse_request(data)
    return dict(wire.decode(data))


def encode(fields: dict[str, Any]) -> bytes:
    """The frame of these fields, without its length. Raises ValueError."""
    return wire.encode(fields, None)


def build_row(message: Financial, terminal_id: int, *, moments: MomentCache, now_us: int) -> Row:
    """The record of a 0200, 0220 or 0400. Raises IsoFormatError."""
    if not (message.stan and 0 < message.batch_no <= MAX_BATCH and message.card_no < _MAX_CARD_NO):
        raise IsoFormatError("DE11, DE60.2 or DE2 out of range")
    try:
        occurred_us = moments.resolve_us(message.moment, now_us)
    except ValueError as wrong:
        raise IsoFormatError(str(wrong)) from None
    original = message.original
    return (
        int(message.op),
        terminal_id,
        message.terminal_seq,
        message.card_no,
        message.amount_fen,
        occurred_us,
        0,
        original.terminal_seq if original is not None else 0,
    )


def build_upload(message: OfflineUpload, terminal_id: int, *, moments: MomentCache, now_us: int) -> Records:
    """The advices of a 0320. Raises IsoFormatError."""
    details = message.details
    count = len(details)
    if not 0 < message.batch_no <= MAX_BATCH or any(not d.stan for d in details):
        raise IsoFormatError("STAN or batch number out of range")
    try:
        moments_us = [moments.resolve_us(d.moment, now_us) for d in details]
    except ValueError as wrong:
        raise IsoFormatError(str(wrong)) from None
    return Records(
        op=[int(Operation.ADVICE)] * count,
        terminal_id=[terminal_id] * count,
        terminal_seq=[build_terminal_seq(batch_no=message.batch_no, stan=d.stan) for d in details],
        card_no=[d.card_no for d in details],
        amount_fen=[d.amount_fen for d in details],
        occurred_at_us=moments_us,
        orig_terminal_id=[0] * count,
        orig_seq=[0] * count,
    )


def find_retry(codes: list[int]) -> Result | None:
    """The reason to repeat a whole upload, if one of its records was not decided. Repeating the others is harmless."""
    return next((code for code in _REPEAT if int(code) in codes), None)


def compare(terminal: Totals, platform: Totals) -> Balanced:
    """Whether the totals of a batch agree; counts have three digits on the wire."""
    own = (terminal.debit_fen, terminal.debit_count % 1000, terminal.credit_fen, terminal.credit_count % 1000)
    ours = (platform.debit_fen, platform.debit_count % 1000, platform.credit_fen, platform.credit_count % 1000)
    return Balanced.YES if own == ours else Balanced.NO
