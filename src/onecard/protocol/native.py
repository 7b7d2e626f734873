"""The native device protocol: frames of length-prefixed protobuf (proto/device.proto), and the checks every Submit has to pass.

Checks run over whole columns (`min`, `max`, `set`), never record by record: a thousand records cost about 0.2 ms.
"""

from collections.abc import Sequence, Set

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
from onecard.protocol.proto.records_pb2 import Answers, Records

PROTOCOL_VERSION = 1
PREFIX_BYTES = 4
MAX_FRAME = 1_048_576
MAX_RECORDS = 1000
MAX_AMOUNT_FEN = 10**12
HEARTBEAT_SECONDS = 60
_MIN_MOMENT_US = 946_684_800_000_000  # 2000-01-01
_MAX_MOMENT_US = 4_102_444_800_000_000  # 2100-01-01
_OPERATIONS = frozenset(int(operation) for operation in Operation)


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


def build_welcome(line_id: int, window: int, *, clock_us: int, terminals: Sequence[tuple[int, str]]) -> bytes:
    """The answer to Hello; `terminals` are (terminal id, TID)."""
    refs = [LineTerminalRef(terminal_id=terminal_id, tid=tid) for terminal_id, tid in terminals]
    return build_frame(PlatformFrame(welcome=Welcome(line_id=line_id, window=window, platform_clock_us=clock_us, terminals=refs)))


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
    if not set(records.op) <= _OPERATIONS:
        raise NativeViolationError("unknown operation")
    if min(records.terminal_seq) <= 0:
        raise NativeViolationError("terminal_seq below 1")
    if min(records.amount_fen) < 0 or max(records.amount_fen) > MAX_AMOUNT_FEN:
        raise NativeViolationError("amount_fen out of range")
    if min(records.occurred_at_us) < _MIN_MOMENT_US or max(records.occurred_at_us) > _MAX_MOMENT_US:
        raise NativeViolationError("occurred_at_us out of range")
    if min(map(min, (records.card_no, records.orig_terminal_id, records.orig_seq))) < 0:
        raise NativeViolationError("negative number")
    return count
