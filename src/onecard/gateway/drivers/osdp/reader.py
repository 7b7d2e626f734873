"""A reader in software on an emulated bus: libosdp's peripheral device, presented cards, what it was told, what it was sent."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

from osdp import (
    Capability,
    CardFormat,
    Channel,
    Command,
    Event,
    LibFlag,
    LogLevel,
    PDCapabilities,
    PdId,
    PDInfo,
    PeripheralDevice,
    StatusReportType,
)

from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.osdp.codec import BROADCAST, address_of
from onecard.gateway.drivers.osdp.files import FIRST_BYTES, HEAD_BYTES, Part, parse_part
from onecard.gateway.drivers.osdp.show import parse_clock

_TICK_S = 0.05
_CAPABILITIES = [
    (Capability.ContactStatusMonitoring, 1, 1),
    (Capability.OutputControl, 1, 1),
    (Capability.CardDataFormat, 1, 1),
    (Capability.LEDControl, 1, 1),
    (Capability.AudibleControl, 1, 1),
    (Capability.TextOutput, 1, 1),
    (Capability.CommunicationSecurity, 1, 1),
]
_FORMATS = {"wiegand26": CardFormat.Wiegand, "wiegand34": CardFormat.Wiegand}


class _Inbox(Channel):  # type: ignore[misc]
    def __init__(self, say: Callable[[bytes], None]) -> None:
        super().__init__()
        self.data = bytearray()
        self._say = say

    def read(self, max_bytes: int) -> bytes:
        taken = bytes(self.data[:max_bytes])
        del self.data[:max_bytes]
        return taken

    def write(self, buf: bytes) -> int:
        self._say(bytes(buf))
        return len(buf)

    def flush(self) -> None:
        self.data.clear()


class Reader:
    """A BusDevice. Powered while plugged in; `flash` is what it keeps without power."""

    def __init__(self, address: int, scbk: bytes) -> None:
        self.address = address
        self._scbk = scbk
        self._bus: BusEmulator | None = None
        self._device: PeripheralDevice | None = None
        self._inbox = _Inbox(self._say)
        self._ticking: asyncio.TimerHandle | None = None
        self.commands: list[dict[str, Any]] = []
        self.clock_us = 0
        """The time it was last set to."""
        self.heard = asyncio.Event()
        """Set when a command came."""
        self.flash = bytearray()
        self.file_done = asyncio.Event()
        self.on_flash: Callable[[int], None] | None = None
        """Told how much is flashed, for trials that take the power away in the middle."""
        self.takes_plain_files = 0
        """Size of a plain file, for a reader that knows no parts (quirk whole_files)."""
        self.files: dict[int, bytes] = {}
        """Whole files that arrived, by their number."""
        self._file_id = 0
        self._part: Part | None = None
        self._first: Part | None = None
        """The first part of the file that is under way; kept without power, as the flash is."""

    # BusDevice

    def plugged(self, bus: BusEmulator) -> None:
        self._bus = bus
        self._inbox.data.clear()
        info = PDInfo(
            self.address, self._inbox, scbk=self._scbk, flags=[LibFlag.EnforceSecure], id=PdId(1, 1, 0x00A1B2C3, self.address, 1)
        )
        self._device = PeripheralDevice(
            info, PDCapabilities(_CAPABILITIES), log_level=LogLevel.Emergency, command_handler=self._command
        )
        operations = {"open": self._open, "read": lambda size, offset: b"", "write": self._write, "close": self._closed}
        self._device.ctx.register_file_ops(0, operations)
        self._tick()

    def unplugged(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        if self._device is not None:
            self._device.ctx = None
        self._bus = self._device = self._ticking = None

    def hear(self, data: bytes) -> None:
        # A packet for another reader is passed over as libosdp would, only cheaper; anything unclear goes to libosdp.
        if address_of(data) in (-1, self.address, BROADCAST):
            self._inbox.data += data
            self._refresh()

    # at the reader

    @property
    def is_secure(self) -> bool:
        """Whether the secure channel is up."""
        return self._device is not None and bool(self._device.ctx.is_sc_active())

    def present(self, data: bytes, *, bits: int, rule: str = "") -> None:
        """A card is held to the reader: the answer to the next poll tells it."""
        form = _FORMATS.get(rule, CardFormat.Unspecified)
        self._submit({"event": Event.CardRead, "reader_no": 0, "direction": 0, "format": form, "length": bits, "data": data})

    def set_state(self, *, tamper: bool, power: bool) -> None:
        """The case is open; the supply has failed."""
        self._submit({"event": Event.Status, "type": StatusReportType.Local, "report": bytes((tamper, power))})

    def _submit(self, event: dict[str, Any]) -> None:
        assert self._device is not None, "a reader without power reads no card"
        self._device.ctx.submit_event(event)

    def _say(self, data: bytes) -> None:
        if self._bus is not None:
            self._bus.say(self, data)

    def _refresh(self) -> None:
        if self._device is None:
            return
        self._device.ctx.refresh()
        while not self._device.command_queue.empty():
            self._device.command_queue.get_nowait()

    def _tick(self) -> None:
        self._refresh()
        if self._device is not None:
            self._ticking = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _command(self, command: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        self.commands.append(command)
        if command["command"] == Command.Manufacturer:
            with contextlib.suppress(ValueError):
                self.clock_us = parse_clock(bytes(command["data"]))
        self.heard.set()
        return 0, None

    # files

    def _open(self, file_id: int, size: int) -> int:
        self._file_id = file_id
        return 0  # what was begun is kept

    def _write(self, data: bytes, offset: int) -> int:
        """Take a packet in; what is flashed stays flashed when the power goes. libosdp takes no negative answer: 0 is no."""
        if self.takes_plain_files:
            return self._flash(data, offset)
        head = 0
        if offset == 0:
            try:
                self._part = parse_part(data)
            except ValueError:
                return 0
            head = FIRST_BYTES if self._part.total else HEAD_BYTES
            if self._part.total:
                self._first = self._part
                self.flash.clear()
        part = self._part
        if part is None or self._first is None or part.mark != self._first.mark:
            return 0
        at = part.offset + (0 if offset == 0 else offset - (FIRST_BYTES if part.total else HEAD_BYTES))
        taken = self._flash(data[head:], at)
        return len(data) if taken == len(data) - head and not self._is_spoilt() else 0

    def _flash(self, data: bytes, at: int) -> int:
        if at > len(self.flash):
            return 0
        self.flash[at : at + len(data)] = data
        if self.on_flash is not None:
            self.on_flash(len(self.flash))
        return len(data)

    def _is_spoilt(self) -> bool:
        """All bytes are there, and they are not the file that was announced."""
        first = self._first
        is_whole = first is not None and len(self.flash) >= first.total
        return is_whole and first is not None and hashlib.sha256(self.flash).digest() != first.sha256

    def _closed(self, file_id: int) -> int:
        total = self.takes_plain_files or (self._first.total if self._first is not None else 0)
        if total and len(self.flash) == total and not self.file_done.is_set():
            self.files[self._file_id] = bytes(self.flash)
            self.file_done.set()
        return 0
