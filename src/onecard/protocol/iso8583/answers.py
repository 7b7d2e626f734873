"""Answers of the platform and their reading at the terminal: 0210, 0230, 0410, 0330, 0510, 0810, 0830.

An answer swaps the TPDU's addresses, keeps the header (whose processing-requirement digit becomes 3 when the terminal should sign
on again), and echoes the fields that identify the request.
"""

from dataclasses import dataclass, field
from datetime import datetime

from onecard.protocol.iso8583 import fast
from onecard.protocol.iso8583.codec import Fields, decode, encode
from onecard.protocol.iso8583.de39 import SIGN_ON_AGAIN, de39_of
from onecard.protocol.iso8583.fields import (
    AUTHORISATION_CHARACTERS,
    build_de54,
    build_de60,
    build_rrn,
    build_totals,
    parse_de54,
    parse_de60,
    parse_rrn,
    parse_totals,
)
from onecard.protocol.iso8583.messages import Balanced, Financial, IsoFormatError, Message, Network, Totals
from onecard.protocol.iso8583.times import format_moment
from onecard.protocol.mac import UnionPayMac

_APPROVED = "00"
_MAC_WRONG = "A0"
_ECHOED = ("2", "3", "4", "11", "25", "41", "42", "49", "60")
_STATE_BYTE = 7  # of TPDU + header: terminal state and processing requirement
_SIGN_ON_REQUIRED = 0x03


@dataclass(slots=True)
class AnswerClock:
    """DE12/DE13 of answers, made once a second instead of once an answer."""

    _second: int = -1
    packed: bytes = b""
    text: str = ""

    def at(self, now_us: int, now: datetime) -> "AnswerClock":
        """Itself, set to a moment (given twice, so that the common case needs no date arithmetic)."""
        second = now_us // 1_000_000
        if second != self._second:
            self._second = second
            self.text = format_moment(now)
            self.packed = bytes.fromhex(self.text[4:] + self.text[:4])
        return self


def build_financial_answer(
    request: Financial, code: int, *, clock: AnswerClock, balance_fen: int, transfer_id: int, mac: UnionPayMac
) -> bytes:
    """The answer to a 0200, 0220 or 0400; `code` is a Result number. DE54 stands in it only when approved."""
    de39 = de39_of(code)
    approved = de39 == _APPROVED
    if fast.is_purchase(request.raw) and approved == (transfer_id > 0) and de39 != _MAC_WRONG:
        return fast.build_purchase_answer(
            request.raw,
            de39,
            moment=clock.packed,
            rrn=build_rrn(transfer_id) if transfer_id else "",
            de54=build_de54(balance_fen) if approved else "",
            mac=mac,
        )
    return build_financial_answer_generally(request, code, clock=clock, balance_fen=balance_fen, transfer_id=transfer_id, mac=mac)


def build_financial_answer_generally(
    request: Financial, code: int, *, clock: AnswerClock, balance_fen: int, transfer_id: int, mac: UnionPayMac
) -> bytes:
    """`build_financial_answer` for any shape of request, by pyiso8583."""
    de39 = de39_of(code)
    fields = _answer_to(decode(request.raw), de39, moment=clock.text)
    if transfer_id:
        fields["37"] = build_rrn(transfer_id)
        fields["38"] = fields["37"][-AUTHORISATION_CHARACTERS:]
    if de39 == _APPROVED:
        fields["54"] = build_de54(balance_fen)
    return encode(fields, mac)


def build_refusal(fields: Fields, de39: str, *, moment: str, mac: UnionPayMac | None) -> bytes:
    """The answer to any request that goes no further, from its decoded fields."""
    return encode(_answer_to(fields, de39, moment=moment), mac)


def build_sign_on_answer(request: Network, *, moment: str, batch_no: int, de62: bytes) -> bytes:
    """0810: the new batch number and the working keys, no MAC."""
    fields = _answer_to(decode(request.raw), _APPROVED, moment=moment)
    fields["60"] = build_de60("00", batch_no, network=fields["60"][8:11], capability="")
    fields["62"] = de62.decode("latin-1")
    return encode(fields, None)


def build_network_answer(request: Network, *, moment: str) -> bytes:
    """0830 to a sign-off or an echo test, no MAC."""
    return encode(_answer_to(decode(request.raw), _APPROVED, moment=moment), None)


def build_upload_answer(request: Message, codes: list[int], *, moment: str, retry: int | None, mac: UnionPayMac) -> bytes:
    """0330: DE62 has two characters for each detail, in order. `retry`, a Result number, asks to repeat the whole message."""
    fields = _answer_to(decode(request.raw), de39_of(retry) if retry else _APPROVED, moment=moment)
    if codes and not retry:
        fields["62"] = "".join(de39_of(code) for code in codes)
    return encode(fields, mac)


def build_settlement_answer(request: Message, platform: Totals, result: Balanced, *, moment: str, mac: UnionPayMac) -> bytes:
    """0510: the platform's own totals and whether they agree with the terminal's."""
    fields = _answer_to(decode(request.raw), _APPROVED, moment=moment)
    fields["48"] = build_totals(platform, result.value)
    return encode(fields, mac)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a terminal reads out of any answer; fields that are absent are zero or empty."""

    mti: str
    de39: str
    stan: int
    batch_no: int
    balance_fen: int | None
    transfer_id: int
    de62: bytes
    totals: tuple[Totals, str] | None
    sign_on_required: bool
    mac_valid: bool = field(default=False)


def parse_answer(raw: bytes, mac: UnionPayMac | None) -> Answer:
    """The answer in a frame without its length prefix. Raises IsoFormatError."""
    fields = decode(raw)
    try:
        return Answer(
            mti=fields["t"],
            de39=fields["39"],
            stan=int(fields["11"]),
            batch_no=parse_de60(fields["60"])[1] if "60" in fields else 0,
            balance_fen=parse_de54(fields["54"]) if "54" in fields else None,
            transfer_id=parse_rrn(fields["37"]) if "37" in fields else 0,
            de62=fields.get("62", "").encode("latin-1"),
            totals=parse_totals(fields["48"]) if fields["t"] == "0510" and "48" in fields else None,
            sign_on_required=raw[_STATE_BYTE] & 0x0F == _SIGN_ON_REQUIRED,
            mac_valid=mac is not None and "64" in fields and mac.matches(raw[11:-8], raw[-8:]),
        )
    except (KeyError, ValueError) as wrong:
        raise IsoFormatError(f"not an answer: {wrong}", fields) from None


def _answer_to(fields: Fields, de39: str, *, moment: str) -> Fields:
    mti = fields["t"]
    answer = {number: fields[number] for number in _ECHOED if number in fields}
    answer["h"] = _answer_header(fields["h"], sign_on=de39 in (SIGN_ON_AGAIN, _MAC_WRONG))
    answer["t"] = f"{mti[:2]}{int(mti[2:], 16) | 0x10:02X}"
    answer["12"] = moment[4:]
    answer["13"] = moment[:4]
    answer["39"] = de39
    return answer


def _answer_header(header: str, *, sign_on: bool) -> str:
    swapped = header[:2] + header[6:10] + header[2:6] + header[10:]
    return swapped[:15] + f"{_SIGN_ON_REQUIRED}" + swapped[16:] if sign_on else swapped
