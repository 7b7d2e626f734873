"""Native frames as plain values, for vectors and the conformance kit; sessions use the columns (protocol/native.py)."""

from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from onecard.protocol.devicechecks import check_enrol, check_events, check_fetch, check_heartbeat, check_hello, check_http
from onecard.protocol.native import check_load, check_records, parse_device_frame
from onecard.protocol.proto.device_pb2 import DeviceFrame


def decode(data: bytes) -> dict[str, Any]:
    """The content of a DeviceFrame without its length, checked as a session does. Raises ValueError."""
    frame = parse_device_frame(data)
    match frame.WhichOneof("body"):
        case None:
            raise ValueError("empty frame")
        case "submit":
            check_records(frame.submit.records, frozenset(frame.submit.records.terminal_id))
        case "chip_load":
            check_load(frame.chip_load.load, frozenset((frame.chip_load.load.terminal_id,)))
        case "hello":
            check_hello(frame.hello)
        case "heartbeat":
            named = {hole.terminal_id for hole in frame.heartbeat.holes} | {d.terminal_id for d in frame.heartbeat.devices}
            check_heartbeat(frame.heartbeat, named)
        case "events":
            check_events(frame.events.events, {event.terminal_id for event in frame.events.events})
        case "fetch":
            check_fetch(frame.fetch)
        case "http":
            check_http(frame.http)
        case "enrol":
            check_enrol(frame.enrol)
    return dict(MessageToDict(frame, preserving_proto_field_name=True))


def encode(fields: dict[str, Any]) -> bytes:
    """The DeviceFrame of these values, without its length. Raises ValueError."""
    try:
        return ParseDict(fields, DeviceFrame()).SerializeToString(deterministic=True)
    except ParseError as error:
        raise ValueError(str(error)) from None
