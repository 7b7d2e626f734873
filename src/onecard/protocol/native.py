"""The native device protocol: frames of length-prefixed protobuf (proto/device.proto), and the checks every Submit has to pass.

Checks run over whole columns (`min`, `max`, `set`), never record by record: a thousand records cost about 0.2 ms.
"""

from collections.abc import Mapping, Sequence, Set
from itertools import pairwise

from google.protobuf.message import DecodeError

from onecard.kernel.codes import Operation, Result
from onecard.protocol.framing import FrameBuffer, add_prefix
from onecard.protocol.proto.device_pb2 import (
    Closing,
    DeviceFrame,
    LineTerminalRef,
    PlatformFrame,
    Welcome,
)
from onecard.protocol.proto.records_pb2 import Answers, ChipLoad, PayCodeKeys, Records
from onecard.protocol.purse.proofs import TransactionType

PROTOCOL_VERSION = 1
PREFIX_BYTES = 4
MAX_FRAME = 1_048_576
MAX_RECORDS = 1000
MAX_AMOUNT_FEN = 10**12
HEARTBEAT_SECONDS = 60
_MIN_MOMENT_US = 946_684_800_000_000  # 2000-01-01
_MAX_MOMENT_US = 4_102_444_800_000_000  # 2100-01-01
_OPERATIONS = frozenset(int(operation) for operation in Operation)
_CHIP_TYPES = frozenset((TransactionType.ED_PURCHASE, TransactionType.EP_PURCHASE, TransactionType.COMPOSITE))
_TOP_2, _TOP_4, _TOP_6 = 1 << 16, 1 << 32, 1 << 48


class NativeViolationError(ValueError):
    """The device broke the protocol; the line is closed with this code and reason."""

    def __init__(self, reason: str, code: Result = Result.FORMAT) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame_buffer() -> FrameBuffer:
    """An empty buffer that cuts native frames."""
    return FrameBuffer(prefix_bytes=PREFIX_BYTES, max_frame=MAX_FRAME)


def parse_device_frame(frame: bytes) -> DeviceFrame:
    """Raises NativeViolationError."""
    try:
        return DeviceFrame.FromString(frame)
    except DecodeError:
        raise NativeViolationError("not a DeviceFrame") from None


def parse_platform_frame(frame: bytes) -> PlatformFrame:
    """Raises NativeViolationError."""
    try:
        return PlatformFrame.FromString(frame)
    except DecodeError:
        raise NativeViolationError("not a PlatformFrame") from None


def build_frame(frame: DeviceFrame | PlatformFrame) -> bytes:
    """The bytes to send, prefix included."""
    return add_prefix(frame.SerializeToString(), prefix_bytes=PREFIX_BYTES)


def build_closing(code: int, reason: str) -> bytes:
    """The last frame before the platform closes a line."""
    return build_frame(PlatformFrame(closing=Closing(code=code, reason=reason)))


def build_welcome(
    line_id: int, window: int, *, clock_us: int, terminals: Sequence[tuple[int, str, str, bytes, str]],
    keys: PayCodeKeys | None = None, known_seqs: Mapping[int, int] | None = None,
) -> bytes:  # fmt: skip
    """The answer to Hello; `terminals` are (terminal id, TID, MID, fingerprint of its own certificate or empty, driver).

    `keys` are those of payment codes where the platform knows them, `known_seqs` the highest sequence numbers by terminal.
    """
    known = known_seqs or {}
    refs = [
        LineTerminalRef(
            terminal_id=terminal_id,
            tid=tid,
            mid=mid,
            certificate_sha256=sha256,
            driver=driver,
            known_seq=known.get(terminal_id, 0),
        )
        for terminal_id, tid, mid, sha256, driver in terminals
    ]
    welcome = Welcome(line_id=line_id, window=window, platform_clock_us=clock_us, terminals=refs, pay_code_keys=keys)
    return build_frame(PlatformFrame(welcome=welcome))


def build_pay_code_keys(keys: PayCodeKeys) -> bytes:
    """The keys of payment codes as they are from now on."""
    return build_frame(PlatformFrame(pay_code_keys=keys))


def constant_answers(count: int, code: Result) -> Answers:
    """The same answer for every record of a Submit, nothing else known."""
    zeros = [0] * count
    return Answers(code=[int(code)] * count, balance_fen=zeros, transfer_id=zeros, conflict_field=zeros)


def check_records(records: Records, terminals: Set[int]) -> int:
    """The number of records, when all may be passed on. Raises NativeViolationError naming the first column that is wrong."""
    count = len(records.op)
    if not 1 <= count <= MAX_RECORDS:
        raise NativeViolationError(f"{count} records, 1 to {MAX_RECORDS} are allowed")
    columns = (
        records.terminal_id,
        records.terminal_seq,
        records.card_no,
        records.amount_fen,
        records.occurred_at_us,
        records.orig_terminal_id,
        records.orig_seq,
    )
    if any(len(column) != count for column in columns):
        raise NativeViolationError("columns of different length")
    if not terminals >= set(records.terminal_id):
        raise NativeViolationError("a terminal that is not of this line", Result.TERMINAL_NOT_ALLOWED)
    operations = set(records.op)
    if not operations <= _OPERATIONS:
        raise NativeViolationError("unknown operation")
    if min(records.terminal_seq) <= 0:
        raise NativeViolationError("terminal_seq below 1")
    if min(records.amount_fen) < 0 or max(records.amount_fen) > MAX_AMOUNT_FEN:
        raise NativeViolationError("amount_fen out of range")
    if min(records.occurred_at_us) < _MIN_MOMENT_US or max(records.occurred_at_us) > _MAX_MOMENT_US:
        raise NativeViolationError("occurred_at_us out of range")
    if min(map(min, (records.card_no, records.orig_terminal_id, records.orig_seq))) < 0:
        raise NativeViolationError("negative number")
    if Operation.CHIP_PURCHASE in operations or records.HasField("chip"):
        _check_chip(records)
    if records.HasField("pay_codes"):
        _check_rows("pay_codes", records.pay_codes.row, len(records.pay_codes.code), count)
    return count


def check_load(load: ChipLoad, terminals: Set[int]) -> None:
    """Raises NativeViolationError naming the first field of a load that is wrong."""
    if load.terminal_id not in terminals:
        raise NativeViolationError("a terminal that is not of this line", Result.TERMINAL_NOT_ALLOWED)
    if load.step not in (ChipLoad.REQUEST, ChipLoad.CONFIRM, ChipLoad.NOT_WRITTEN):
        raise NativeViolationError("chip_load.step")
    fields = (
        ("terminal_seq", load.terminal_seq, 1, 1 << 63),
        ("card_no", load.card_no, 0, 1 << 63),
        ("amount_fen", load.amount_fen, 1, _TOP_4),
        ("occurred_at_us", load.occurred_at_us, _MIN_MOMENT_US, _MAX_MOMENT_US + 1),
        ("transaction_type", load.transaction_type, 1, 3),
        ("sam_terminal_no", load.sam_terminal_no, 0, _TOP_6),
        ("online_counter", load.online_counter, 0, _TOP_2),
        ("key_version", load.key_version, 0, 256),
        ("algorithm", load.algorithm, 0, 256),
    )
    for name, value, low, end in fields:
        if not low <= value < end:
            raise NativeViolationError(f"chip_load.{name} out of range")


def _check_chip(records: Records) -> None:
    """The chip columns, one after another: the rows first, because the others are read by them."""
    chip = records.chip
    rows = list(chip.row)
    _check_rows("chip", rows, len(rows), len(records.op))
    if rows != [row for row, op in enumerate(records.op) if op == Operation.CHIP_PURCHASE]:
        raise NativeViolationError("chip.row is not the rows of the chip purchases")
    columns = (
        ("card_counter", chip.card_counter, _TOP_2),
        ("balance_before_fen", chip.balance_before_fen, _TOP_4),
        ("sam_terminal_no", chip.sam_terminal_no, _TOP_6),
        ("sam_seq", chip.sam_seq, _TOP_4),
        ("transaction_type", chip.transaction_type, 256),
        ("key_version", chip.key_version, 256),
        ("algorithm", chip.algorithm, 256),
        ("tac", chip.tac, _TOP_4),
        ("gray", chip.gray, 2),
    )
    for name, column, end in columns:
        if len(column) != len(rows):
            raise NativeViolationError(f"chip.{name}: {len(column)} entries for {len(rows)} records")
        if max(column, default=0) >= end:
            raise NativeViolationError(f"chip.{name} out of range")
    if not set(chip.transaction_type) <= _CHIP_TYPES:
        raise NativeViolationError("chip.transaction_type")
    for row in rows:
        if records.amount_fen[row] >= _TOP_4 or records.occurred_at_us[row] % 1_000_000:
            raise NativeViolationError(f"record {row}: a chip purchase has an amount of 4 bytes and a time in whole seconds")


def _check_rows(name: str, rows: Sequence[int], entries: int, count: int) -> None:
    if len(rows) != entries:
        raise NativeViolationError(f"{name}: {entries} entries for {len(rows)} rows")
    if any(not 0 <= row < count for row in rows):
        raise NativeViolationError(f"{name}.row out of range")
    if any(one >= other for one, other in pairwise(rows)):
        raise NativeViolationError(f"{name}.row does not rise")


def append_records(batch: Records, more: Records) -> None:
    """Appends records to a batch; the rows that the sparse columns name are moved by what the batch held before."""
    start = len(batch.op)
    chips, codes = (
        len(batch.chip.row) if batch.HasField("chip") else 0,
        len(batch.pay_codes.row) if batch.HasField("pay_codes") else 0,
    )
    batch.MergeFrom(more)
    if not start:
        return
    if more.HasField("chip"):
        batch.chip.row[chips:] = [row + start for row in more.chip.row]
    if more.HasField("pay_codes"):
        batch.pay_codes.row[codes:] = [row + start for row in more.pay_codes.row]
