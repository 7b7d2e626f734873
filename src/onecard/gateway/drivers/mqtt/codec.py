"""Topics and payloads of the MQTT driver: a request is a protobuf Records, its answer an Answers (proto/records.proto); pure."""

from collections.abc import Set
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError

from onecard.protocol.native import check_records
from onecard.protocol.proto.records_pb2 import Answers, Records

UP, DOWN, STATE = "up", "down", "state"
ONLINE, OFFLINE = b"1", b"0"
MAX_PAYLOAD = 65_536
_WILD = frozenset("+#/\0")


def topic(prefix: str, device: str, leaf: str) -> str:
    """``prefix/device/up`` for requests, ``…/down`` for answers, ``…/state`` for on line or not (retained, and the last will)."""
    return f"{prefix}/{device}/{leaf}"


def is_device_name(name: str) -> bool:
    """Whether it can stand as one level of a topic."""
    return 0 < len(name) <= 64 and not _WILD & set(name) and not name.startswith("$")


def parse_records(payload: bytes, terminals: Set[int] | None = None) -> Records:
    """The records of a request, checked; of these terminals only, where given. Raises ValueError."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(payload)} bytes")
    try:
        records = Records.FromString(payload)
    except DecodeError:
        raise ValueError("not a Records") from None
    check_records(records, frozenset(records.terminal_id) if terminals is None else terminals)
    return records


def parse_answers(payload: bytes) -> Answers:
    """Raises ValueError."""
    try:
        return Answers.FromString(payload)
    except DecodeError:
        raise ValueError("not an Answers") from None


def decode(data: bytes) -> dict[str, Any]:
    """A request's payload as plain values. Raises ValueError."""
    return dict(MessageToDict(parse_records(data), preserving_proto_field_name=True))


def encode(fields: dict[str, Any]) -> bytes:
    """The payload of these values. Raises ValueError."""
    try:
        return ParseDict(fields, Records()).SerializeToString(deterministic=True)
    except ParseError as error:
        raise ValueError(str(error)) from None
