"""An RS-485 bus in software: devices on one pty pair that all hear one another, at the pace of a baud rate.

The driver opens `spec` as it would open a serial port. Each transmission occupies the wire for bits / baud; two at once spoil
each other; noise turns bits over; a device can be plugged in and out while it speaks, and the whole cable can be cut. What is
random is drawn from one seed.
"""

import asyncio
import contextlib
import os
import pty
import random
import tty
from dataclasses import dataclass, field
from typing import Protocol

_CHUNK = 4096


class BusDevice(Protocol):
    """A device as the bus sees it."""

    def hear(self, data: bytes) -> None:
        """Bytes that were on the wire, a device's own excepted."""

    def plugged(self, bus: "BusEmulator") -> None:
        """It has power and a bus now."""

    def unplugged(self) -> None:
        """It has neither any more."""


@dataclass(slots=True)
class _Transmission:
    speaker: BusDevice | None
    data: bytearray
    start: float
    end: float
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class BusCounts:
    """What has happened on the wire."""

    from_driver: int = 0
    from_devices: int = 0
    collisions: int = 0
    noisy_bytes: int = 0
    lost: int = 0
    """Bytes of devices that were unplugged while speaking, or sent into a cut cable."""


@dataclass(eq=False, kw_only=True)
class BusEmulator:
    """`async with BusEmulator(baud=9600, seed=1) as bus: bus.plug(device)`."""

    baud: int
    bits_per_byte: int = 10
    seed: int = 0
    noise: float = 0.0
    """Share of bytes with one bit turned over."""
    turnaround_s: float = 0.001
    """Silence before a device answers."""
    counts: BusCounts = field(default_factory=BusCounts)
    devices: list[BusDevice] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.bits_per_byte in (10, 11)
        self._rng = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        self._master = self._slave = -1
        self._air: list[_Transmission] = []
        self._free_at: dict[int, float] = {}
        self._cut_in = -1
        self._down_s = 0.0
        self.is_cut = False

    @property
    def spec(self) -> str:
        """How the driver names the bus."""
        parity = "none" if self.bits_per_byte == 10 else "even"
        return f"pty:{os.ttyname(self._slave)}?baud={self.baud}&parity={parity}"

    async def __aenter__(self) -> "BusEmulator":
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = pty.openpty()  # the slave stays open, or the master reads an error between two openings
        for fd in (self._master, self._slave):
            tty.setraw(fd)
            os.set_blocking(fd, False)
        self._loop.add_reader(self._master, self._from_driver)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.remove_reader(self._master)
        for device in list(self.devices):
            self.unplug(device)
        for sent in self._air:
            if sent.timer is not None:
                sent.timer.cancel()
        self._air.clear()
        for fd in (self._master, self._slave):
            os.close(fd)

    def plug(self, device: BusDevice) -> None:
        """Give a device power and the bus."""
        self.devices.append(device)
        device.plugged(self)

    def unplug(self, device: BusDevice) -> None:
        """Take it away, even in the middle of what it says."""
        if device not in self.devices:
            return
        self.devices.remove(device)
        now = self._loop.time()
        for sent in self._air:
            if sent.speaker is device:
                said = max(0, int((now - sent.start) * self.baud / self.bits_per_byte))
                self.counts.lost += max(0, len(sent.data) - said)
                del sent.data[said:]
        device.unplugged()

    def cut(self, *, after_bytes: int, down_s: float) -> None:
        """Break the cable when so many more bytes have gone by, and mend it after a time."""
        self._cut_in, self._down_s = after_bytes, down_s
        self._count_to_cut(bytearray())

    def say(self, device: BusDevice, data: bytes) -> None:
        """A device transmits after its turnaround; it does not listen whether the wire is free."""
        if device in self.devices:
            self.counts.from_devices += len(data)
            self._transmit(device, data, delay_s=self.turnaround_s)

    def _from_driver(self) -> None:
        with contextlib.suppress(OSError):
            data = os.read(self._master, _CHUNK)
            self.counts.from_driver += len(data)
            self._transmit(None, data, delay_s=0.0)

    def _transmit(self, speaker: BusDevice | None, data: bytes, *, delay_s: float) -> None:
        start = max(self._loop.time() + delay_s, self._free_at.get(id(speaker), 0.0))
        end = start + len(data) * self.bits_per_byte / self.baud
        self._free_at[id(speaker)] = end
        sent = _Transmission(speaker, bytearray(data), start, end)
        for other in self._air:
            if other.speaker is not speaker and other.start < end and start < other.end:
                self.counts.collisions += 1
                self._spoil(other, start, end)
                self._spoil(sent, other.start, other.end)
        self._air.append(sent)
        sent.timer = self._loop.call_at(end, self._arrived, sent)

    def _spoil(self, sent: _Transmission, since: float, until: float) -> None:
        per_byte = self.bits_per_byte / self.baud
        first = max(0, int((since - sent.start) / per_byte))
        last = min(len(sent.data), int((until - sent.start) / per_byte) + 1)
        for at in range(first, last):
            sent.data[at] ^= self._rng.randrange(1, 256)

    def _arrived(self, sent: _Transmission) -> None:
        self._air.remove(sent)
        if self.noise:
            for at in range(len(sent.data)):
                if self._rng.random() < self.noise:
                    self.counts.noisy_bytes += 1
                    sent.data[at] ^= 1 << self._rng.randrange(8)
        self._count_to_cut(sent.data)
        if not sent.data:
            return
        data = bytes(sent.data)
        if sent.speaker is not None:
            try:
                os.write(self._master, data)
            except OSError:  # the driver does not read: as on a real port, what does not fit is gone
                self.counts.lost += len(data)
        for device in list(self.devices):
            if device is not sent.speaker:
                device.hear(data)

    def _count_to_cut(self, data: bytearray) -> None:
        """Shorten what is on the wire by what comes after the cut."""
        if self.is_cut:
            self.counts.lost += len(data)
            data.clear()
        elif self._cut_in >= 0:
            kept = min(len(data), self._cut_in)
            self._cut_in -= kept
            if self._cut_in == 0:
                self.counts.lost += len(data) - kept
                del data[kept:]
                self._cut_in, self.is_cut = -1, True
                self._loop.call_later(self._down_s, self._mend)

    def _mend(self) -> None:
        self.is_cut = False
