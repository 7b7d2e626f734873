"""A terminal on the native protocol, by the terminal SDK; for the conformance kit."""

from onecard.gateway.conformance.peer import PortFacts, Receipt, Seat
from onecard.kernel.clock import SystemClock, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.protocol.native import build_frame
from onecard.protocol.proto.device_pb2 import DeviceFrame, Hello, Submit
from onecard.terminal.journal import Journal, JournalRecord, build_records
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Backoff

AMOUNT_FEN = 250
_BATCH = 50


class NativePeer:
    """A Peer (conformance/peer.py) of one line."""

    def __init__(self, seat: Seat) -> None:
        assert seat.identity is not None
        self._seat = seat
        self._journal = Journal(seat.folder / "native-peer.db", durable=False)
        self._client = NativeClient(seat.host, seat.port, seat.identity, backoff=Backoff())
        self._last: list[JournalRecord] = []

    async def start(self) -> PortFacts:
        await self._client.connect()
        self._journal.begin_above(self._client.known_seqs)
        return PortFacts()

    async def sell(self, count: int) -> list[Receipt]:
        receipts = []
        for start in range(0, count, _BATCH):
            self._last = [self._record() for _ in range(min(_BATCH, count - start))]
            self._journal.store(self._last)
            receipts += await self._send()
        return receipts

    async def repeat(self) -> None:
        await self._send()

    async def stop(self) -> None:
        await self._client.close()
        self._journal.close()

    async def _send(self) -> list[Receipt]:
        answers = await self._client.submit_surely(build_records(self._last))
        rows = zip(self._last, answers.code, strict=True)
        return [
            Receipt(r.terminal_id, r.terminal_seq, Operation(r.op), r.amount_fen) for r, code in rows if code == Result.APPROVED
        ]

    def _record(self) -> JournalRecord:
        terminal_id = self._seat.terminals[0].terminal_id
        seq = self._journal.next_seq(terminal_id)
        return _advice(terminal_id, seq, self._seat.card_no)


def open_peer(seat: Seat) -> NativePeer:
    """The kit's entry."""
    return NativePeer(seat)


def build_exchange(seat: Seat, seq: int) -> bytes:
    """Hello and one Submit."""
    records = build_records([_advice(seat.terminals[0].terminal_id, seq, seat.card_no)])
    hello = build_frame(DeviceFrame(hello=Hello(protocol_version=1, maker="kit", model="peer")))
    return hello + build_frame(DeviceFrame(submit=Submit(submit_id=1, records=records)))


def _advice(terminal_id: int, seq: int, card_no: int) -> JournalRecord:
    return JournalRecord(terminal_id, seq, int(Operation.ADVICE), card_no, AMOUNT_FEN, to_epoch_us(SystemClock().now()))
