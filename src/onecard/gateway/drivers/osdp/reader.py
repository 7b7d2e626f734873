"""A reader in software on an emulated bus: libosdp's peripheral device, presented cards, what it was told, what it was sent."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

from osdp import (
    Capability,
    CardFormat,
    Channel,
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
from onecard.gateway.drivers.osdp.files import HEAD_BYTES, Part, parse_part

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
        self.heard = asyncio.Event()
        """Set when a command came."""
        self.flash = bytearray()
        self.file_done = asyncio.Event()
        self.on_flash: Callable[[int], None] | None = None
        """Told how much is flashed, for trials that take the power away in the middle."""
        self.takes_plain_files = 0
        """Size of a plain file, for a reader that knows no parts (quirk whole_files)."""
        self._head = bytearray()
        self._part: Part | None = None

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
        self.heard.set()
        return 0, None

    # files

    def _open(self, file_id: int, size: int) -> int:
        return 0  # what was begun is kept: libosdp goes on where it broke off

    def _write(self, data: bytes, offset: int) -> int:
        """Take a part in; what is flashed stays flashed when the power goes. libosdp takes no negative answer: 0 is no."""
        given = data
        if offset == 0:
            self._head.clear()
            self._part = None
        if self.takes_plain_files:
            self._part = Part(self.takes_plain_files, HEAD_BYTES, b"")
        if self._part is None:
            self._head += data
            if len(self._head) < HEAD_BYTES:
                return len(given)
            try:
                self._part = parse_part(bytes(self._head))
            except ValueError:
                return 0
            data = bytes(self._head[HEAD_BYTES:])
            offset = HEAD_BYTES
        at = self._part.offset + offset - HEAD_BYTES
        if at > len(self.flash):
            return 0
        self.flash[at : at + len(data)] = data
        if self.on_flash is not None:
            self.on_flash(len(self.flash))
        return len(given)

    def _closed(self, file_id: int) -> int:
        is_plain = bool(self.takes_plain_files) and len(self.flash) == self.takes_plain_files
        if is_plain or (self._part is not None and hashlib.sha256(self.flash[: self._part.total]).digest() == self._part.sha256):
            self.file_done.set()
        return 0
