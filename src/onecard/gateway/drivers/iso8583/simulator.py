"""A POS of the 银联 profile, by the terminal SDK; for the conformance kit."""

from onecard.gateway.conformance.peer import PortFacts, Receipt, Seat
from onecard.kernel.clock import SystemClock, to_epoch_us
from onecard.kernel.codes import Operation
from onecard.protocol.framing import add_prefix
from onecard.protocol.iso8583.messages import build_terminal_seq
from onecard.protocol.mac import UnionPayMac
from onecard.terminal import isobuild
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal, JournalRecord

AMOUNT_FEN = 100
_BATCH = 1


class IsoPeer:
    """A Peer (conformance/peer.py): one POS."""

    def __init__(self, seat: Seat) -> None:
        assert seat.identity is not None
        terminal = seat.terminals[0]
        self._seat = seat
        self._journal = Journal(seat.folder / "iso-peer.db", durable=False)
        self._pos = Iso8583Terminal(
            seat.host, seat.port, seat.identity, terminal_id=terminal.terminal_id, tid=terminal.tid, mid=terminal.mid,
            master_key=seat.master_key, journal=self._journal,
        )  # fmt: skip

    async def start(self) -> PortFacts:
        await self._pos.sign_on()
        return PortFacts()

    async def sell(self, count: int) -> list[Receipt]:
        receipts = []
        for _ in range(count):
            outcome = await self._pos.purchase(self._seat.card_no, AMOUNT_FEN)
            if outcome.is_approved:
                receipts.append(Receipt(self._pos.terminal_id, outcome.terminal_seq, Operation.PURCHASE, AMOUNT_FEN))
        return receipts

    async def repeat(self) -> None:
        """An upload that is sent again after its answer was lost is the POS's duplicate."""
        self._pos.store_offline(self._seat.card_no, AMOUNT_FEN)
        await self._pos.upload_offline()

    async def stop(self) -> None:
        await self._pos.close()
        self._journal.close()


def open_peer(seat: Seat) -> IsoPeer:
    """The kit's entry."""
    return IsoPeer(seat)


def build_exchange(seat: Seat, seq: int) -> bytes:
    """A sign-on and a purchase under the MAC key that the kit's platform gives out."""
    terminal, now = seat.terminals[0], SystemClock().now()
    ids = isobuild.Ids(terminal.tid, terminal.mid)
    record = JournalRecord(
        terminal.terminal_id, build_terminal_seq(batch_no=_BATCH, stan=seq), int(Operation.PURCHASE), seat.card_no, AMOUNT_FEN,
        to_epoch_us(now),
    )  # fmt: skip
    sign_on = isobuild.encode(isobuild.sign_on(ids, stan=seq, batch_no=_BATCH), None)
    purchase = isobuild.encode(isobuild.financial(ids, record, at=now), UnionPayMac(seat.mac_key))
    return add_prefix(sign_on, prefix_bytes=2) + add_prefix(purchase, prefix_bytes=2)
