"""Front-ends of the load generator: native lines that send offline records in batches, several at a time."""

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

from onecard.kernel.codes import Operation, Result
from onecard.protocol.framing import FrameBuffer, add_prefix
from onecard.protocol.proto import device_pb2, records_pb2

_MAX_FRAME = 1_048_576
_REPEATED = frozenset((int(Result.BUSY), int(Result.UNAVAILABLE)))
_PAUSE_S = 0.05


class Answered(Protocol):
    """Who is told of answers: the driver of the load."""

    def answered(self, payer: "Slot", due_ns: int, results: Iterable[int], /) -> None: ...


class Slot:
    """One place in the window of a line: a payer whose payment is a batch of advices."""

    __slots__ = ("_line",)

    def __init__(self, line: "AdviceLine") -> None:
        self._line = line

    def pay(self, due_ns: int) -> None:
        """Sends the next batch of the line."""
        self._line.submit(self, due_ns)


class AdviceLine(asyncio.Protocol):
    """One native line with its terminals and, once it is welcomed, its slots."""

    def __init__(self, terminals: Sequence[int], cards: Sequence[int], *, batch: int, slots: int, first_seq: int) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.slots: list[Slot] = []
        self.driver: Answered | None = None
        self._terminals = terminals
        self._cards = cards
        self._batch = batch
        self._most_slots = slots
        self._seq = first_seq
        self._submit_id = 0
        self._sent: dict[int, tuple[Slot, int, records_pb2.Records]] = {}
        self._frames = FrameBuffer(prefix_bytes=4, max_frame=_MAX_FRAME)
        self._transport: asyncio.Transport | None = None
        self._random = random.Random(first_seq + terminals[0])  # noqa: S311  # a load, not a secret

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        hello = device_pb2.Hello(
            protocol_version=1, maker="One-Card", model="loadgen", firmware="1", device_clock_us=time.time_ns() // 1000
        )
        self._write(device_pb2.DeviceFrame(hello=hello))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the gateway closed the line"))

    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        while (frame := self._frames.next_frame()) is not None:
            self._take(device_pb2.PlatformFrame.FromString(frame))

    def submit(self, slot: Slot, due_ns: int) -> None:
        """Sends the next batch: terminals in turn, cards at random."""
        size = self._batch
        first = self._seq
        self._seq += size
        terminal = self._terminals[self._submit_id % len(self._terminals)]
        records = records_pb2.Records(
            op=[Operation.ADVICE] * size,
            terminal_id=[terminal] * size,
            terminal_seq=range(first, first + size),
            card_no=self._random.choices(self._cards, k=size),
            amount_fen=[100] * size,
            occurred_at_us=[time.time_ns() // 1000] * size,
            orig_terminal_id=[0] * size,
            orig_seq=[0] * size,
        )
        self._send(slot, due_ns, records)

    def _send(self, slot: Slot, due_ns: int, records: records_pb2.Records) -> None:
        self._submit_id += 1
        self._sent[self._submit_id] = (slot, due_ns, records)
        self._write(device_pb2.DeviceFrame(submit=device_pb2.Submit(submit_id=self._submit_id, records=records)))

    def close(self) -> None:
        """Closes the line."""
        if self._transport is not None:
            self._transport.close()

    def _take(self, frame: device_pb2.PlatformFrame) -> None:
        body = frame.WhichOneof("body")
        if body == "answer":
            answer = frame.answer
            slot, due_ns, records = self._sent.pop(answer.submit_id)
            codes = answer.answers.code
            if not _REPEATED.isdisjoint(codes):
                # As a device does: the same records under the same numbers, a little later.
                asyncio.get_running_loop().call_later(_PAUSE_S, self._send, slot, due_ns, records)
            elif self.driver is not None:
                self.driver.answered(slot, due_ns, codes)
        elif body == "welcome":
            self.slots = [Slot(self) for _ in range(min(frame.welcome.window, self._most_slots))]
            self.ready.set_result(None)
        elif body == "closing" and not self.ready.done():
            self.ready.set_exception(ConnectionError(f"refused: {frame.closing.code} {frame.closing.reason}"))

    def _write(self, frame: device_pb2.DeviceFrame) -> None:
        assert self._transport is not None
        self._transport.write(add_prefix(frame.SerializeToString(), prefix_bytes=4))
