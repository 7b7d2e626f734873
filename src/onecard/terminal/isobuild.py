"""The fields of each request a POS sends; pure. Which transaction a message is: MTI, DE3, DE25, DE60.1 (docs/protocols.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from onecard.kernel.clock import from_epoch_us
from onecard.kernel.codes import Operation
from onecard.protocol.iso8583.codec import Fields, encode
from onecard.protocol.iso8583.fields import CURRENCY_YUAN, build_de60, build_de61, build_details, build_totals
from onecard.protocol.iso8583.messages import OfflineDetail, Original, Totals, split_terminal_seq
from onecard.protocol.iso8583.times import format_moment
from onecard.terminal.journal import JournalRecord

__all__ = ["Fields", "Ids", "encode", "financial", "settlement", "sign_off", "sign_on", "upload"]

HEADER = "6000490000" + "603200320501"
_ENTRY_CONTACTLESS = "072"
NO_ANSWER = "98"
_SHAPES = {
    Operation.PURCHASE: ("0200", "000000", "22"),
    Operation.BALANCE: ("0200", "310000", "01"),
    Operation.VOID: ("0200", "200000", "23"),
    Operation.REFUND: ("0220", "200000", "25"),
    Operation.ADVICE: ("0200", "000000", "36"),
}


@dataclass(frozen=True, slots=True)
class Ids:
    """DE41 and DE42."""

    tid: str
    mid: str


def financial(ids: Ids, record: JournalRecord, *, at: datetime, reversal: bool = False, reason: str = NO_ANSWER) -> Fields:
    """0200 or 0220 of a record, or the 0400 that undoes it."""
    mti, processing, kind = _SHAPES[Operation(record.op)]
    batch_no, stan = split_terminal_seq(record.terminal_seq)
    moment = format_moment(at)
    fields = _head("0400" if reversal else mti, ids, stan) | {
        "2": f"{record.card_no:016d}",
        "3": processing,
        "12": moment[4:],
        "13": moment[:4],
        "22": _ENTRY_CONTACTLESS,
        "25": "00",
        "49": CURRENCY_YUAN,
        "60": build_de60(kind, batch_no),
    }
    if record.op != Operation.BALANCE:
        fields["4"] = f"{record.amount_fen:012d}"
    if record.orig_seq:
        orig_batch, orig_stan = split_terminal_seq(record.orig_seq)
        fields["61"] = build_de61(Original(orig_batch, orig_stan))
    if reversal:
        fields["39"] = reason
    return fields


def sign_on(ids: Ids, *, stan: int, batch_no: int) -> Fields:
    """0800."""
    return _head("0800", ids, stan) | {"60": build_de60("00", batch_no, network="003", capability="")}


def sign_off(ids: Ids, *, stan: int, batch_no: int) -> Fields:
    """0820."""
    return _head("0820", ids, stan) | {"60": build_de60("00", batch_no, network="002", capability="")}


def upload(ids: Ids, records: Sequence[JournalRecord], *, stan: int, batch_no: int) -> Fields:
    """0320 with up to seven offline details of one batch."""
    details = tuple(
        OfflineDetail(
            card_no=record.card_no,
            amount_fen=record.amount_fen,
            stan=split_terminal_seq(record.terminal_seq)[1],
            moment=format_moment(from_epoch_us(record.occurred_at_us)),
        )
        for record in records
    )
    return _head("0320", ids, stan) | {"48": build_details(details), "60": build_de60("00", batch_no, capability="")}


def settlement(ids: Ids, totals: Totals, *, stan: int, batch_no: int) -> Fields:
    """0500."""
    return _head("0500", ids, stan) | {
        "48": build_totals(totals),
        "49": CURRENCY_YUAN,
        "60": build_de60("00", batch_no, network="201", capability=""),
    }


def _head(mti: str, ids: Ids, stan: int) -> Fields:
    return {"h": HEADER, "t": mti, "11": f"{stan:06d}", "41": ids.tid, "42": ids.mid}
