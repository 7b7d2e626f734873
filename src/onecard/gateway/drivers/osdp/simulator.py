"""Readers on an emulated bus, and people who hold cards to them; for the conformance kit and for figures."""

import asyncio
import secrets

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.conformance.peer import PortFacts, Receipt, Seat
from onecard.gateway.drivers.osdp.keys import build_keys, write_private
from onecard.gateway.drivers.osdp.reader import Reader
from onecard.gateway.drivers.osdp.session import FILE_IDS
from onecard.kernel.codes import Operation
from onecard.kernel.errors import Unavailable

AMOUNT_FEN = 150
_BAUD = 115_200
_OUTPUT = 1
"""libosdp's number of the command that opens a relay."""
_PATIENCE_S = 15.0
_TAP_AGAIN_S = 1.5
"""What a holder waits for a light before tapping again."""
_BUZZER = 2
_DOWN_S = 0.3


class OsdpPeer:
    """A PortPeer (conformance/peer.py): one reader per terminal, in mode `pay`."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._bus = BusEmulator(baud=_BAUD, seed=seat.seed)
        # Keys come from the system's generator: libosdp's own draws them from `random`.
        self._keys = {number: secrets.token_bytes(16) for number in range(1, len(seat.terminals) + 1)}
        self.readers = [Reader(address, key) for address, key in self._keys.items()]
        self._holders = 0
        self.taps = 0

    async def start(self) -> PortFacts:
        await self._bus.__aenter__()
        for reader in self.readers:
            self._bus.plug(reader)
        file = self._seat.folder / "osdp-keys.toml"
        write_private(file, build_keys(scbks=self._keys))
        return PortFacts(
            transport=self._bus.spec,
            terminals={str(a): t.terminal_id for a, t in zip(self._keys, self._seat.terminals, strict=True)},
            options={"keys": str(file), "rule": "bcd16", "amount_fen": AMOUNT_FEN},
        )

    async def sell(self, count: int) -> list[Receipt]:
        """A receipt is a relay that opened: the reader itself knows no sequence number."""
        shares = [count // len(self.readers) + (n < count % len(self.readers)) for n in range(len(self.readers))]
        sold = await asyncio.gather(*(self._sell(n, share) for n, share in enumerate(shares)))
        return [receipt for receipts in sold for receipt in receipts]

    async def exchange_bytes(self) -> int:
        before = self._bus.counts.from_driver + self._bus.counts.from_devices
        await self._sell(0, 1)
        return self._bus.counts.from_driver + self._bus.counts.from_devices - before

    async def cut(self, after_bytes: int) -> None:
        self._bus.cut(after_bytes=after_bytes, down_s=_DOWN_S)

    async def slow(self, *, is_slow: bool) -> None:
        """OSDP allows a reader 200 ms."""
        self._bus.turnaround_s = 0.12 if is_slow else 0.001

    async def repeat(self) -> None:
        """The card stays at the reader, and taps again after the light: it pays once."""
        reader = self.readers[0]
        await self._online(reader)
        card = self._next_card()
        for _ in range(2):
            reader.present(card, bits=64)
        await self._answered(reader)
        reader.present(card, bits=64)
        await self._answered(reader)

    async def upgrade(self, image: bytes) -> bytes:
        """The port sends the file to the first reader; what that has then."""
        await asyncio.wait_for(self.readers[0].file_done.wait(), 4 * _PATIENCE_S)
        return self.readers[0].files[FILE_IDS["firmware"]]

    async def stop(self) -> None:
        await self._bus.__aexit__()

    def _next_card(self) -> bytes:
        """Another holder's: a card that taps again at once is one that missed its light."""
        self._holders += 1
        return bytes.fromhex(f"{self._seat.card_no + self._holders:016d}")

    async def _sell(self, index: int, count: int) -> list[Receipt]:
        reader, terminal = self.readers[index], self._seat.terminals[index]
        receipts = []
        for _ in range(count):
            await self._online(reader)
            if await self._pay(reader, self._next_card()):
                receipts.append(Receipt(terminal.terminal_id, 0, Operation.PURCHASE, AMOUNT_FEN))
        return receipts

    async def _pay(self, reader: Reader, card: bytes) -> bool:
        """A holder taps, and again when nothing lights up, as long as patience lasts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_S
        reader.commands.clear()
        while loop.time() < until:
            if reader.is_secure:
                self.taps += 1
                reader.present(card, bits=64)
            if await self._lit(reader, min(loop.time() + _TAP_AGAIN_S, until)):
                break
        return any(command["command"] == _OUTPUT for command in reader.commands)

    async def _online(self, reader: Reader) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not reader.is_secure:  # noqa: ASYNC110 - libosdp tells nobody
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise Unavailable("读卡器未上线", "the reader did not come on line") from None

    async def _answered(self, reader: Reader) -> None:
        """Wait for the decision of a tap."""
        reader.commands.clear()
        if not await self._lit(reader, asyncio.get_running_loop().time() + _PATIENCE_S):
            raise Unavailable("读卡器无反应", "the reader showed nothing")

    async def _lit(self, reader: Reader, until: float) -> bool:
        """Whether a decision came, of which the buzzer is the end."""
        try:
            async with asyncio.timeout_at(until):
                while not any(command["command"] == _BUZZER for command in reader.commands):
                    reader.heard.clear()
                    await reader.heard.wait()
        except TimeoutError:
            return False
        return True


def open_peer(seat: Seat) -> OsdpPeer:
    """The kit's entry."""
    return OsdpPeer(seat)
