"""A meter in software: a reader for cards, a counter, a valve, registers that outlive the power; on a bus or over TCP."""

import asyncio
import contextlib
from collections.abc import Callable

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.modbus.codec import MeterMap, Place, crc16, join_words, split_words, used_pulses

_READ_HOLDING, _READ_INPUT, _WRITE_ONE, _WRITE_MANY = 3, 4, 6, 16
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS = 1, 2
_MBAP = 7


class Meter:
    """A BusDevice. `session` latches the counter; the valve closes at the credit and when the power goes."""

    def __init__(
        self, address: int, places: MeterMap, *, low_first: bool = False, counter_bits: int = 0, single_values: bool = False
    ) -> None:
        """`single_values`: it refuses a request for more than one value."""
        self.address = address
        self.map = places
        self.low_first = low_first
        self.single_values = single_values
        self.bits = counter_bits or 16 * places.total.words
        self.values = dict.fromkeys(self._places(), 0)
        self.flowed = 0
        """Pulses in its whole life, for audits."""
        self.on_write: Callable[[str], None] | None = None
        """Told the name of each register that was written, for trials that take the power away there."""
        self.changed = asyncio.Event()
        self._bus: BusEmulator | None = None
        self._inbox = bytearray()

    # what happens at the meter

    def present(self, card_no: int) -> None:
        """A card is held to it."""
        self.values["card"] = int(str(card_no), 16)

    def flow(self, pulses: int) -> int:
        """Somebody opens the tap; how much came."""
        if not self.is_open:
            return 0
        came = min(pulses, self.values["credit"] - self.used)
        self.values["total"] = (self.values["total"] + came) % (1 << self.bits)
        self.flowed += came
        if self.used >= self.values["credit"]:
            self._set("valve", 0)
        return came

    @property
    def used(self) -> int:
        """Pulses of this session."""
        return used_pulses(self.values["total"], self.values["start"], bits=self.bits)

    @property
    def is_open(self) -> bool:
        """Whether the valve is open."""
        return bool(self.values["valve"] and self.values["session"])

    def lose_power(self) -> None:
        """The valve closes by its spring; everything else is kept."""
        self._set("valve", 0)
        self._inbox.clear()

    # BusDevice

    def plugged(self, bus: BusEmulator) -> None:
        self._bus = bus

    def unplugged(self) -> None:
        self._bus = None
        self.lose_power()

    def hear(self, data: bytes) -> None:
        self._inbox += data
        del self._inbox[:-512]
        # A request is the last bytes that make a frame for this address: what came before is others' talk or noise.
        for start in range(len(self._inbox) - 3):
            frame = bytes(self._inbox[start:])
            if frame[0] == self.address and _is_request(frame) and crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little"):
                self._inbox.clear()
                body = frame[:1] + self.answer(frame[1:-2])
                if self._bus is not None:
                    self._bus.say(self, body + crc16(body).to_bytes(2, "little"))
                return

    def answer(self, pdu: bytes) -> bytes:
        """The answer to one request."""
        function, address = pdu[0], int.from_bytes(pdu[1:3], "big")
        if function in (_READ_HOLDING, _READ_INPUT):
            table = "input" if function == _READ_INPUT else "holding"
            words = self._read(table, address, int.from_bytes(pdu[3:5], "big"))
            if words is None:
                return bytes((function | 0x80, _ILLEGAL_ADDRESS))
            return bytes((function, 2 * len(words))) + b"".join(word.to_bytes(2, "big") for word in words)
        if function == _WRITE_MANY:
            words = [int.from_bytes(pdu[at : at + 2], "big") for at in range(6, len(pdu), 2)]
            is_done = self._write(address, words)
            return pdu[:5] if is_done else bytes((function | 0x80, _ILLEGAL_ADDRESS))
        return bytes((function | 0x80, _ILLEGAL_FUNCTION))

    def _places(self) -> dict[str, Place]:
        return self.map.places

    def _read(self, table: str, address: int, count: int) -> list[int] | None:
        """Whole values that stand side by side; None: part of one, or a gap."""
        words: list[int] = []
        for name, place in sorted(self._places().items(), key=lambda item: item[1].address):
            if place.table == table and place.address == address + len(words) and len(words) + place.words <= count:
                words += split_words(self.values[name], place.words, low_first=self.low_first)
                if len(words) == count:
                    return words
                if self.single_values:
                    return None
        return None

    def _write(self, address: int, words: list[int]) -> bool:
        """Whole values that stand side by side, in the order of their addresses."""
        left, given = list(words), {}
        for name, place in sorted(self._places().items(), key=lambda item: item[1].address):
            is_next = place.table == "holding" and place.address == address + len(words) - len(left) and left
            if is_next and len(left) >= place.words and name not in ("total", "start"):
                given[name], left = join_words(left[: place.words], low_first=self.low_first), left[place.words :]
        if left or not given or (self.single_values and len(given) > 1):
            return False
        for name, number in given.items():
            if name == "session" and number and number != self.values["session"]:
                self.values["start"] = self.values["total"]
            self._set(name, number)
            if self.on_write is not None:
                self.on_write(name)
        return True

    def _set(self, name: str, number: int) -> None:
        self.values[name] = number
        self.changed.set()


def _is_request(frame: bytes) -> bool:
    """Whether the length is that of a request."""
    if len(frame) < 4:
        return False
    if frame[1] == _WRITE_MANY:
        return len(frame) > 7 and len(frame) == 9 + frame[6]
    return frame[1] in (_READ_HOLDING, _READ_INPUT, _WRITE_ONE) and len(frame) == 8


class MeterServer:
    """Meters behind one Modbus TCP address; `async with`."""

    def __init__(self, meters: list[Meter]) -> None:
        self._meters = {meter.address: meter for meter in meters}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def spec(self) -> str:
        """How the driver names it."""
        assert self._server is not None
        return f"tcp:127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "MeterServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(_MBAP)
                pdu = await reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
                meter = self._meters.get(head[6])
                if meter is not None:
                    answer = meter.answer(pdu)
                    writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:7] + answer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
