"""Meters on an emulated bus, and people who draw from them; for the conformance kit."""

import asyncio
import random

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.conformance.peer import PortFacts, Receipt, Seat
from onecard.gateway.drivers.manifest import read_manifest
from onecard.gateway.drivers.modbus.codec import amount_fen_rounded_down, build_map
from onecard.gateway.drivers.modbus.meter import Meter
from onecard.kernel.codes import Operation
from onecard.kernel.errors import Unavailable

_MAP, _HOLD_FEN, _PRICE_FEN = "water", 1000, 400
_BAUD = 115_200
_PATIENCE_S = 15.0
_DOWN_S = 0.1
_TIMEOUT_S = 0.1


class ModbusPeer:
    """A PortPeer (conformance/peer.py): one meter per terminal."""

    def __init__(self, seat: Seat) -> None:
        from pathlib import Path

        places = build_map(read_manifest(Path(__file__).parent).data["maps"][_MAP])
        self._seat = seat
        self._bus = BusEmulator(baud=_BAUD, seed=seat.seed)
        self._rng = random.Random(seat.seed)  # noqa: S311 - repeatable on purpose
        self.meters = [Meter(address, places) for address in range(1, len(seat.terminals) + 1)]

    async def start(self) -> PortFacts:
        await self._bus.__aenter__()
        for meter in self.meters:
            self._bus.plug(meter)
        options = {
            "map": _MAP,
            "hold_fen": _HOLD_FEN,
            "price_fen": _PRICE_FEN,
            "poll_s": 0.005,
            "timeout_s": _TIMEOUT_S,
            "idle_s": 5.0,
        }
        terminals = {str(m.address): t.terminal_id for m, t in zip(self.meters, self._seat.terminals, strict=True)}
        return PortFacts(transport=self._bus.spec, terminals=terminals, options=options)

    async def sell(self, count: int) -> list[Receipt]:
        """A receipt is what flowed."""
        shares = [count // len(self.meters) + (n < count % len(self.meters)) for n in range(len(self.meters))]
        sold = await asyncio.gather(*(self._sell(n, share) for n, share in enumerate(shares)))
        return [receipt for receipts in sold for receipt in receipts]

    async def exchange_bytes(self) -> int:
        before = self._bus.counts.from_driver + self._bus.counts.from_devices
        await self._sell(0, 1)
        return self._bus.counts.from_driver + self._bus.counts.from_devices - before

    async def cut(self, after_bytes: int) -> None:
        self._bus.cut(after_bytes=after_bytes, down_s=_DOWN_S)

    async def slow(self, *, is_slow: bool) -> None:
        self._bus.turnaround_s = _TIMEOUT_S / 2 if is_slow else 0.001

    async def repeat(self) -> None:
        """The card is held to the meter twice before anything flows."""
        meter = self.meters[0]
        meter.present(self._seat.card_no)
        meter.present(self._seat.card_no)
        await self._until(meter, is_open=True)
        meter.present(self._seat.card_no)
        await self._until(meter, is_open=False)

    async def upgrade(self, image: bytes) -> bytes:
        raise Unavailable("电表、水表不支持升级", "meters take no files")

    async def stop(self) -> None:
        await self._bus.__aexit__()

    async def _sell(self, index: int, count: int) -> list[Receipt]:
        meter, terminal = self.meters[index], self._seat.terminals[index]
        receipts = []
        for _ in range(count):
            pulses = self._rng.randint(1, 200)
            while not meter.is_open:  # after a cut the holder presents the card again
                meter.present(self._seat.card_no)
                await self._until(meter, is_open=True)
            came = meter.flow(pulses)
            while meter.values["session"]:
                if meter.is_open:
                    meter.present(self._seat.card_no)
                await self._until(meter, is_open=False)
            amount = amount_fen_rounded_down(came, price_fen=_PRICE_FEN, pulses_per_unit=meter.map.pulses_per_unit)
            receipts.append(Receipt(terminal.terminal_id, 0, Operation.COMMIT, amount))
        return receipts

    async def _until(self, meter: Meter, *, is_open: bool) -> None:
        """Until the valve is so (and, closed, the session has ended), or for a second."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 1.0
        while loop.time() < deadline:
            if meter.is_open if is_open else not meter.values["session"]:
                return
            meter.changed.clear()
            try:
                await asyncio.wait_for(meter.changed.wait(), 0.1)
            except TimeoutError:
                continue


def open_peer(seat: Seat) -> ModbusPeer:
    """The kit's entry."""
    return ModbusPeer(seat)
