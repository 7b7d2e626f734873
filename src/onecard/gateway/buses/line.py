"""One side of a serial line: a serial port (pyserial), a pty, or a TCP serial server, all behind four calls that never raise.

libosdp's channel runs in C's hands: an exception in it ends the thread and the bus with it (stack.md 4). So a line that breaks
is empty and swallows what is written, and is opened again by and by.
"""

import contextlib
import os
import select
import socket
import time
import tty
from dataclasses import dataclass
from urllib.parse import parse_qs

from onecard.kernel.errors import InvalidInput

_REOPEN_S = 0.5
_CONNECT_S = 1.0
_PARITIES = {"none": "N", "even": "E", "odd": "O"}


@dataclass(frozen=True, slots=True)
class LineSpec:
    """What a transport text says."""

    kind: str
    """serial, pty, tcp."""
    target: str
    baud: int = 9600
    parity: str = "none"

    @property
    def bits_per_byte(self) -> int:
        """Start, eight data bits, a parity bit or none, one stop bit."""
        return 10 if self.parity == "none" else 11

    def wire_s(self, count: int) -> float:
        """How long so many bytes are on the wire."""
        return count * self.bits_per_byte / self.baud


def parse_spec(text: str) -> LineSpec:
    """``serial:/dev/ttyUSB0?baud=9600&parity=even``, ``pty:/dev/pts/3``, ``tcp:host:port``. Raises InvalidInput."""
    kind, _, rest = text.partition(":")
    target, _, query = rest.partition("?")
    options = {name: values[-1] for name, values in parse_qs(query).items()}
    baud, parity = options.pop("baud", "9600"), options.pop("parity", "none")
    known = kind in ("serial", "pty", "tcp") and bool(target) and not options
    if not known or not baud.isdecimal() or not 300 <= int(baud) <= 4_000_000 or parity not in _PARITIES:
        raise InvalidInput(f"传输方式写法有误：{text}", f"not a transport: {text} (serial:, pty:, tcp: with ?baud= and &parity=)")
    if kind == "tcp" and not target.rpartition(":")[2].isdecimal():
        raise InvalidInput(f"传输方式缺端口：{text}", f"no port in the transport: {text}")
    return LineSpec(kind, target, int(baud), parity)


class SerialLine:
    """An open line, or one that is being opened again. For one thread."""

    def __init__(self, spec: LineSpec) -> None:
        self.spec = spec
        self.failures = 0
        """How often it broke or could not be opened."""
        self._fd = -1
        self._owner: contextlib.ExitStack | None = None
        self._next_try = 0.0

    @property
    def is_open(self) -> bool:
        """Whether bytes can go by now."""
        return self._fd >= 0

    def read(self, max_bytes: int) -> bytes:
        """What has arrived, perhaps nothing. Never blocks while the line is up."""
        if not self._ready():
            return b""
        try:
            data = os.read(self._fd, max_bytes)
        except BlockingIOError:
            return b""
        except OSError:
            self._broke()
            return b""
        if not data and self.spec.kind == "tcp":
            self._broke()
        return data

    def write(self, data: bytes) -> None:
        """Send, and wait for as long as the bytes are on the wire, so that an answer's time-out begins when it should."""
        started = time.monotonic()
        if not self._ready():
            return
        view = memoryview(data)
        try:
            while view:
                select.select([], [self._fd], [], _CONNECT_S)
                view = view[os.write(self._fd, view) :]
        except OSError:  # a full buffer that nobody empties included
            self._broke()
            return
        time.sleep(max(0.0, self.spec.wire_s(len(data)) - (time.monotonic() - started)))

    def flush(self) -> None:
        """Drop what has arrived and was not read."""
        while self.read(4096):
            pass

    def wait(self, timeout_s: float) -> None:
        """Wait until something has arrived, or for this time."""
        if self._fd < 0:
            time.sleep(timeout_s)
            return
        try:
            select.select([self._fd], [], [], timeout_s)
        except (OSError, ValueError):
            self._broke()

    def close(self) -> None:
        """Close; a later read opens it again."""
        self._fd = -1
        if self._owner is not None:
            with contextlib.suppress(OSError):
                self._owner.close()
            self._owner = None

    def _ready(self) -> bool:
        if self._fd >= 0:
            return True
        now = time.monotonic()
        if now < self._next_try:
            return False
        self._next_try = now + _REOPEN_S
        try:
            self._open()
        except (OSError, ValueError):  # pyserial's SerialException is an OSError
            self._broke()
        return self._fd >= 0

    def _open(self) -> None:
        with contextlib.ExitStack() as owner:
            if self.spec.kind == "tcp":
                host, _, port = self.spec.target.rpartition(":")
                link = owner.enter_context(socket.create_connection((host, int(port)), timeout=_CONNECT_S))
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link.setblocking(False)
                fd = link.fileno()
            elif self.spec.kind == "pty":
                fd = os.open(self.spec.target, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                owner.callback(os.close, fd)
                tty.setraw(fd)
            else:
                import serial

                parity = _PARITIES[self.spec.parity]
                port = owner.enter_context(
                    serial.Serial(self.spec.target, self.spec.baud, parity=parity, timeout=0, exclusive=True)
                )
                fd = port.fileno()
                os.set_blocking(fd, False)
            self._owner, self._fd = owner.pop_all(), fd

    def _broke(self) -> None:
        self.failures += 1
        self._next_try = time.monotonic() + _REOPEN_S
        self.close()
