"""A virtual card in a PC/SC slot of vsmartcard's driver vpcd: the card's end of its TCP line.

A message is a length of two bytes, big-endian, and the data. One byte of data from the driver is control: 0 power off, 1 power
on, 2 reset, 4 give the ATR; anything else is an APDU. The line is the card: closing it takes the card out of the slot.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from onecard.terminal.reader.errors import CardRemoved, ReaderGone
from onecard.terminal.reader.local import Chip

DEFAULT_PORT: Final = 0x8C7B
"""Of the first slot; the next slot's is one higher."""
_POWER_OFF, _POWER_ON, _RESET, _ATR = 0, 1, 2, 4


def dial(port: int, *, host: str = "127.0.0.1") -> socket.socket:
    """A line to a driver on this machine. Raises ReaderGone."""
    try:
        line = socket.create_connection((host, port), timeout=5)
    except OSError as error:
        raise ReaderGone(f"虚拟读卡器未运行：{host}:{port}", f"No virtual reader at {host}:{port} ({error})") from None
    line.settimeout(None)
    return line


class VpcdCard:
    """`with VpcdCard(card): …` puts a card into a slot; leaving takes it out. `line` opens the line to the driver."""

    def __init__(self, chip: Chip, *, port: int = DEFAULT_PORT, line: Callable[[int], socket.socket] = dial) -> None:
        self._chip = chip
        self._atr = chip.power_on()
        self._line = line(port)
        self.closed_at: float | None = None
        """When the line ended, by the monotonic clock: the card was taken out, or torn off."""
        self._thread = threading.Thread(target=self._serve, name="vpcd-card", daemon=True)
        self._thread.start()

    def __enter__(self) -> "VpcdCard":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the card out; it has no power from here on."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def _serve(self) -> None:
        with self._line, contextlib.suppress(OSError, CardRemoved):
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (head := _receive(self._line, 2)) is not None:
                message = _receive(self._line, int.from_bytes(head, "big"))
                if message is None:
                    break
                answer = self._answer(message)
                if answer is not None:
                    self._line.sendall(len(answer).to_bytes(2, "big") + answer)
        self._chip.power_off()
        self.closed_at = time.monotonic()

    def _answer(self, message: bytes) -> bytes | None:
        """What goes back; None where nothing does. Raises CardRemoved where the card is torn off: that ends the line."""
        if len(message) != 1:
            return self._chip.transmit(message)
        if message[0] == _ATR:
            return self._atr
        if message[0] in (_POWER_ON, _RESET):
            self._atr = self._chip.power_on()
        elif message[0] == _POWER_OFF:
            self._chip.power_off()
        return None


def _receive(line: socket.socket, size: int) -> bytes | None:
    """Exactly so many bytes; None at the end. Without QUICKACK a delayed ACK costs 40 ms an APDU, and the option wears off."""
    data = b""
    while len(data) < size:
        if hasattr(socket, "TCP_QUICKACK"):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = line.recv(size - len(data))
        if not part:
            return None
        data += part
    return data
