"""Requests of the profile: bytes to typed values. The general way goes through pyiso8583; fast.py takes the common shape.

Which transaction a message is follows from MTI, DE3, DE25 and DE60.1 (standards 2.2).
"""

from collections.abc import Callable
from typing import Any

import iso8583

from onecard.kernel.codes import Operation
from onecard.protocol.iso8583 import fast
from onecard.protocol.iso8583.fields import parse_de60, parse_de61, parse_details, parse_totals
from onecard.protocol.iso8583.messages import (
    Financial,
    IsoFormatError,
    Message,
    Network,
    NetworkKind,
    OfflineUpload,
    Settlement,
)
from onecard.protocol.iso8583.spec import SPEC
from onecard.protocol.mac import UnionPayMac

Fields = dict[str, str]
MIN_FRAME = 21
MAX_FRAME = 2048
BODY = 11
MAC_BYTES = 8
NO_MAC = "00" * MAC_BYTES

_KNOWN_BITS = sum(1 << (64 - int(number)) for number in SPEC if number.isdecimal())
_FINANCIAL = {
    ("0200", "00", "00", "22"): Operation.PURCHASE,
    ("0200", "31", "00", "01"): Operation.BALANCE,
    ("0200", "20", "00", "23"): Operation.VOID,
    ("0220", "20", "00", "25"): Operation.REFUND,
    ("0200", "00", "00", "36"): Operation.ADVICE,
    ("0400", "00", "00", "22"): Operation.REVERSAL,
    ("0400", "20", "00", "23"): Operation.REVERSAL,
    ("0400", "20", "00", "25"): Operation.REVERSAL,
    ("0400", "00", "00", "36"): Operation.REVERSAL,
}
_NAMES_ORIGINAL = (Operation.VOID, Operation.REFUND)
_DETAIL_CODES = ("000",)
_END_CODES = ("202", "207")
_NETWORK = {
    ("0800", "001"): NetworkKind.SIGN_ON,
    ("0800", "002"): NetworkKind.SIGN_ON,
    ("0800", "003"): NetworkKind.SIGN_ON,
    ("0800", "004"): NetworkKind.SIGN_ON,
    ("0820", "002"): NetworkKind.SIGN_OFF,
    ("0820", "301"): NetworkKind.ECHO,
}


def parse_request(raw: bytes) -> Message:
    """The request in a frame (without its length prefix). Raises IsoFormatError."""
    return fast.parse_purchase(raw) or parse_request_generally(raw)


def parse_request_generally(raw: bytes) -> Message:
    """`parse_request` for any shape, by pyiso8583. Raises IsoFormatError."""
    fields = decode(raw)
    parse = _PARSERS.get(fields["t"])
    if parse is None:
        raise IsoFormatError(f"message type {fields['t']} is not served", fields)
    try:
        common: dict[str, Any] = {"raw": raw, "tid": fields["41"], "mid": fields["42"], "stan": int(fields["11"])}
        return parse(fields, common)
    except KeyError as missing:
        raise IsoFormatError(f"DE{missing.args[0]} is missing", fields) from None
    except IsoFormatError:
        raise
    except ValueError as wrong:
        raise IsoFormatError(str(wrong), fields) from None


def decode(raw: bytes) -> Fields:
    """All fields as text. Raises IsoFormatError when the frame can't be taken apart."""
    if not MIN_FRAME <= len(raw) <= MAX_FRAME:
        raise IsoFormatError(f"frame of {len(raw)} bytes")
    if int.from_bytes(raw[13:21], "big") & ~_KNOWN_BITS:
        raise IsoFormatError("the bitmap names a field that is not in the profile")
    try:
        fields: Fields = iso8583.decode(raw, SPEC)[0]
    except iso8583.DecodeError as wrong:
        raise IsoFormatError(str(wrong)) from None
    return fields


def encode(fields: Fields, mac: UnionPayMac | None) -> bytes:
    """The frame of these fields, with DE64 when a key is given. Raises ValueError (iso8583.EncodeError) on what does not fit."""
    if mac is None:
        return bytes(iso8583.encode(fields, SPEC)[0])
    frame = bytes(iso8583.encode({**fields, "64": NO_MAC}, SPEC)[0])
    return frame[:-MAC_BYTES] + mac.compute(frame[BODY:-MAC_BYTES])


def _financial(fields: Fields, common: dict[str, Any]) -> Financial:
    kind, batch_no, _ = parse_de60(fields["60"])
    op = _FINANCIAL.get((fields["t"], fields["3"][:2], fields["25"], kind))
    if op is None:
        raise IsoFormatError("no such transaction: MTI, DE3, DE25, DE60.1", fields)
    moment = fields["13"] + fields["12"]
    if not moment.isdecimal():
        raise IsoFormatError("DE12 or DE13 is not digits", fields)
    return Financial(
        **common,
        batch_no=batch_no,
        op=op,
        card_no=int(fields["2"]),
        amount_fen=0 if op is Operation.BALANCE else int(fields["4"]),
        moment=moment,
        original=parse_de61(fields["61"]) if op in _NAMES_ORIGINAL else None,
    )


def _network(fields: Fields, common: dict[str, Any]) -> Network:
    _, batch_no, code = parse_de60(fields["60"])
    kind = _NETWORK.get((fields["t"], code))
    if kind is None:
        raise IsoFormatError(f"network management code {code} is not served", fields)
    return Network(**common, batch_no=batch_no, kind=kind)


def _upload(fields: Fields, common: dict[str, Any]) -> OfflineUpload:
    _, batch_no, code = parse_de60(fields["60"])
    if code in _DETAIL_CODES:
        return OfflineUpload(**common, batch_no=batch_no, details=parse_details(fields["48"]))
    if code in _END_CODES:
        return OfflineUpload(**common, batch_no=batch_no, details=())
    raise IsoFormatError(f"upload code {code} is not served", fields)


def _settlement(fields: Fields, common: dict[str, Any]) -> Settlement:
    _, batch_no, _ = parse_de60(fields["60"])
    return Settlement(**common, batch_no=batch_no, totals=parse_totals(fields["48"])[0])


_PARSERS: dict[str, Callable[[Fields, dict[str, Any]], Message]] = {
    "0200": _financial,
    "0220": _financial,
    "0400": _financial,
    "0800": _network,
    "0820": _network,
    "0320": _upload,
    "0500": _settlement,
}
