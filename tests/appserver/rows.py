"""Rows and record columns for tests of the application server."""

from onecard.appserver.admit import TerminalPost
from onecard.appserver.calls import PendingCall, Row
from onecard.kernel.numbers import build_card_no
from onecard.protocol.proto import records_pb2

NOW_US = 1_789_000_000_000_000
POST = TerminalPost(line_id=7, merchant=100_000_001, unit=0, purse_order=1, precheck=0, funding=500_000_001, meals=())


def card(serial: int, lane: int = 0) -> int:
    return build_card_no(issuer=6212, lane=lane, serial=serial)


def row(call: PendingCall, index: int, *, card_no: int, terminal: int = 1, seq: int | None = None) -> Row:
    key = index + 1 if seq is None else seq
    return (1, terminal, key, card_no, POST.merchant, 0, 1, 100, NOW_US, 9000, 0, 0, 0, 0, call, index)


def records(*entries: dict[str, int]) -> records_pb2.Records:
    """Column-wise records; what an entry leaves out is that of an ordinary purchase."""
    columns = records_pb2.Records()
    for place, entry in enumerate(entries):
        columns.op.append(entry.get("op", 1))
        columns.terminal_id.append(entry.get("terminal_id", 1))
        columns.terminal_seq.append(entry.get("terminal_seq", place + 1))
        columns.card_no.append(entry.get("card_no", card(place + 1)))
        columns.amount_fen.append(entry.get("amount_fen", 100))
        columns.occurred_at_us.append(entry.get("occurred_at_us", NOW_US))
        columns.orig_terminal_id.append(entry.get("orig_terminal_id", 0))
        columns.orig_seq.append(entry.get("orig_seq", 0))
    return columns
