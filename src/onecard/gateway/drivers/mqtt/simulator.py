"""Wireless terminals behind a private broker; for the conformance kit. The broker is Debian's mosquitto."""

import asyncio
import contextlib

from onecard.gateway.conformance.peer import PortFacts, Receipt, Seat
from onecard.gateway.drivers.mqtt.broker import Broker
from onecard.gateway.drivers.mqtt.terminal import WirelessTerminal
from onecard.kernel.clock import SystemClock, to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import Unavailable
from onecard.terminal.journal import Journal, JournalRecord, build_records

AMOUNT_FEN = 120


class MqttPeer:
    """A PortPeer (conformance/peer.py)."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._stack = contextlib.AsyncExitStack()
        self._broker = Broker(seat.folder)
        self._proxy = Proxy()
        self._journal = Journal(seat.folder / "mqtt-peer.db", durable=False)
        self._devices: list[WirelessTerminal] = []
        self._last: list[JournalRecord] = []

    async def start(self) -> PortFacts:
        await self._stack.enter_async_context(self._broker)
        port = await self._proxy.open(self._broker.port)
        self._stack.push_async_callback(self._proxy.close)
        for number in range(len(self._seat.terminals)):
            device = WirelessTerminal(port, f"device-{number}", answer_s=2.0)
            self._devices.append(await self._stack.enter_async_context(device))
        terminals = {f"device-{n}": t.terminal_id for n, t in enumerate(self._seat.terminals)}
        return PortFacts(transport=f"mqtt:127.0.0.1:{self._broker.port}", terminals=terminals)

    async def sell(self, count: int) -> list[Receipt]:
        shares = [count // len(self._devices) + (n < count % len(self._devices)) for n in range(len(self._devices))]
        sold = await asyncio.gather(*(self._sell(n, share) for n, share in enumerate(shares)))
        return [receipt for receipts in sold for receipt in receipts]

    async def exchange_bytes(self) -> int:
        before = self._proxy.passed
        await self._sell(0, 1)
        return self._proxy.passed - before

    async def cut(self, after_bytes: int) -> None:
        self._proxy.cut_after(after_bytes)

    async def slow(self, *, is_slow: bool) -> None:
        self._proxy.delay_s = 0.3 if is_slow else 0.0

    async def repeat(self) -> None:
        await self._devices[0].submit(build_records(self._last).SerializeToString(), copies=2)

    async def upgrade(self, image: bytes) -> bytes:
        raise Unavailable("此驱动不支持升级", "this driver takes no files")

    async def stop(self) -> None:
        await self._stack.aclose()
        self._journal.close()

    async def _sell(self, index: int, count: int) -> list[Receipt]:
        terminal_id = self._seat.terminals[index].terminal_id
        receipts = []
        for _ in range(count):
            seq = self._journal.next_seq(terminal_id)
            now_us = to_epoch_us(SystemClock().now())
            record = JournalRecord(terminal_id, seq, int(Operation.ADVICE), self._seat.card_no, AMOUNT_FEN, now_us)
            self._journal.store([record])
            if index == 0:
                self._last = [record]
            answers = await self._devices[index].submit_surely(build_records([record]))
            if answers.code[0] == Result.APPROVED:
                receipts.append(Receipt(terminal_id, seq, Operation.ADVICE, AMOUNT_FEN))
        return receipts


class Proxy:
    """Between terminals and broker: counts bytes, and breaks every connection after so many."""

    def __init__(self) -> None:
        self.passed = 0
        self.delay_s = 0.0
        """Before each piece is passed on."""
        self._cut_in = -1
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._target = 0

    async def open(self, target: int) -> int:
        """The port to connect to."""
        self._target = target
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self._break()
        await asyncio.sleep(0)

    def cut_after(self, count: int) -> None:
        """Let so many more bytes by, then break."""
        self._cut_in = count

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, up_writer}
        await asyncio.gather(self._copy(reader, up_writer), self._copy(up_reader, writer))
        self._writers -= {writer, up_writer}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if 0 <= self._cut_in <= len(data):
                    writer.write(data[: self._cut_in])
                    self._cut_in = -1
                    await writer.drain()
                    self._break()
                    return
                if self._cut_in >= 0:
                    self._cut_in -= len(data)
                self.passed += len(data)
                await asyncio.sleep(self.delay_s)
                writer.write(data)
                await writer.drain()
        writer.close()


def open_peer(seat: Seat) -> MqttPeer:
    """The kit's entry."""
    return MqttPeer(seat)
