"""One reader as libosdp sees it: a context of its own, given the bus for one exchange at a time, made anew when it failed.

One ControlPanel for all readers would poll them in its own order, wait 200 ms for a dead one nine times over, keep one that
failed off line for 300 s, and send a file's packets instead of polls until the file is through. A context for each reader leaves
the order, the patience and the files to us (docs/adr/0079). For the panel's thread only.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from osdp import Channel, Command, CommandFileTxFlags, ControlPanel, LibFlag, LogLevel, PDInfo
from osdp.constants import CompletionStatus

from onecard.gateway.buses.line import SerialLine
from onecard.gateway.drivers.osdp.codec import is_whole_answer

_log = logging.getLogger(__name__)
PACKET_BYTES = 216
"""Of content that go into one packet of a file: libosdp 3.2.9 takes 221 (more than that makes two packets, no mistake)."""
_TRIES = 2
"""How often a command is sent that the reader answers with a refusal."""


class Turn(Enum):
    """What became of a reader's turn on the bus."""

    NOTHING = auto()
    """There was nothing to send."""
    ANSWERED = auto()
    MISSED = auto()
    """No answer in time: the context is new, and the reader has to be found again."""


class Transfer:
    """What is being sent to one reader; `panel.py` asks for the next content when there is time for it on the bus.

    `take` gives the content of the next libosdp file, whose packets follow one another in turns of their own; None: nothing now.
    `taken` is told when the reader has acknowledged it, `refused` when it would not have it or fell silent.
    """

    def __init__(
        self, *, file_id: int, take: Callable[[int], bytes | None], taken: Callable[[], None], refused: Callable[[], None]
    ) -> None:
        self.file_id = file_id
        self.take, self.taken, self.refused = take, taken, refused


@dataclass(slots=True)
class Order:
    """A command that waits for a reader's acknowledgement."""

    command: dict[str, Any]
    expires: float
    settle: Callable[[bool], None]
    tries: int = 0


class _BusChannel(Channel):  # type: ignore[misc]
    """The bus during one turn: reads what is there, writes all of it, never raises (an exception would end libosdp's world)."""

    def __init__(self, line: SerialLine, address: int) -> None:
        super().__init__()
        self._line = line
        self._address = address
        self._heard = bytearray()
        self.sent = 0
        self.is_answered = False

    def begin(self) -> None:
        self._heard.clear()
        self.sent, self.is_answered = 0, False

    def read(self, max_bytes: int) -> bytes:
        try:
            data = self._line.read(max_bytes) if self.sent else b""
        except Exception:
            _log.exception("bus read")
            return b""
        if data:
            self._heard += data
            self.is_answered = is_whole_answer(self._heard, self._address)
        return data

    def write(self, buf: bytes) -> int:
        try:
            self.sent += len(buf)
            self._line.write(bytes(buf))
        except Exception:
            _log.exception("bus write")
        return len(buf)

    def flush(self) -> None:
        """Nothing: each turn begins with an empty line."""


class Link:
    """One reader. `on_event(address, event)` is called in the panel's thread."""

    def __init__(self, address: int, key: bytes, line: SerialLine, on_event: Callable[[int, dict[str, Any]], None]) -> None:
        self.address = address
        self.is_secure = False
        self.has_answered = False
        """Since its context was made."""
        self.orders: deque[Order] = deque()
        self.transfer: Transfer | None = None
        self._key = key
        self._line = line
        self._on_event = on_event
        self._channel = _BusChannel(line, address)
        self._sending: bytes | None = None
        self._is_closed = False
        self._is_broken = False
        """The reader may wait for more of a file that broke off."""
        self._completed: bool | None = None
        self._panel: ControlPanel = None
        self.renew()

    def renew(self) -> None:
        """Forget everything libosdp knows: the next turn begins with an identification and a new secure channel."""
        flags = [LibFlag.EnforceSecure, LibFlag.EnableNotification]
        info = PDInfo(self.address, self._channel, scbk=self._key, flags=flags)
        self._panel = ControlPanel(
            [info], log_level=LogLevel.Emergency, event_handler=self._event, command_completion_handler=self._completion
        )
        self.is_secure = self.has_answered = False
        self._is_broken = self._is_broken or self._sending is not None
        self._sending = None

    def close(self) -> None:
        """Free libosdp's memory; nobody waits for an order any more."""
        self._panel.ctx = None
        while self.orders:
            self.orders.popleft().settle(False)

    @property
    def wants_fragment(self) -> bool:
        """Whether a part of a file is to be sent."""
        return self.transfer is not None and self.is_secure

    def expire(self, now: float) -> None:
        """End the orders whose time is over."""
        while self.orders and self.orders[0].expires <= now:
            self.orders.popleft().settle(False)

    def turn(self, *, patience_s: float, with_fragment: bool) -> Turn:
        """Give the reader the bus for one exchange."""
        order = self._submit_order()
        if order is None and with_fragment:
            self._submit_fragment()
        outcome = self._exchange(patience_s)
        if outcome is Turn.MISSED:
            if self._sending is not None and self.transfer is not None:
                self.transfer.refused()  # some readers are silent when they can't use a packet
            self.renew()
            return outcome
        secure = bool(self._panel.ctx.sc_status() & 1)
        if outcome is Turn.ANSWERED:
            self.has_answered = True
        # libosdp keeps a reader that answered with a refusal off line for 300 s: it is found again at once instead.
        has_failed = (self.is_secure and not secure) or (outcome is Turn.NOTHING and not secure)
        self.is_secure = secure
        if order is not None and outcome is Turn.ANSWERED:
            self._settle(order, is_done=bool(self._completed) and not has_failed)
        if self._sending is not None:
            self._settle_fragment(has_failed=has_failed)
        if has_failed:
            self.renew()
            return Turn.MISSED
        return outcome

    def _exchange(self, patience_s: float) -> Turn:
        self._line.flush()
        self._channel.begin()
        context = self._panel.ctx
        for _ in range(2):  # libosdp decides in one step and sends in the next
            context.refresh()
            if self._channel.sent:
                break
        else:
            return Turn.NOTHING
        until = time.monotonic() + patience_s
        while not self._channel.is_answered:
            left = until - time.monotonic()
            if left <= 0:
                return Turn.MISSED
            self._line.wait(left)
            context.refresh()
        queue = self._panel.event_queue[0]  # the wrapper keeps every event for `get_event`, which is not used here
        while not queue.empty():
            queue.get_nowait()
        return Turn.ANSWERED

    # commands

    def _submit_order(self) -> Order | None:
        """libosdp holds one command at a time, so that what it held when it failed is known."""
        if not self.orders or not self.is_secure:
            return None
        order = self.orders[0]
        self._completed = None
        order.tries += 1
        if not self._panel.ctx.submit_command(0, order.command):
            self.orders.popleft().settle(False)
            return None
        return order

    def _settle(self, order: Order, *, is_done: bool) -> None:
        if (is_done or order.tries >= _TRIES) and self.orders and self.orders[0] is order:
            self.orders.popleft().settle(is_done)

    def _completion(self, address: int, command: dict[str, Any], status: int) -> None:
        self._completed = status == CompletionStatus.Ok

    # files

    def _submit_fragment(self) -> None:
        """Begin the next file, unless one is under way: libosdp then sends its next packet instead of a poll."""
        if self._sending is not None or self.transfer is None or not self.is_secure:
            return
        content = self.transfer.take(PACKET_BYTES)
        if content is None:
            return
        self._sending, self._is_closed = content, False
        operations = {
            "open": lambda file_id, size: len(content),
            "read": lambda size, offset: content[offset : offset + size],
            "write": lambda data, offset: -1,
            "close": self._close_file,
        }
        # Registering makes libosdp forget what it was sending before.
        self._panel.ctx.register_file_ops(0, operations)
        order = {"command": Command.FileTransfer, "id": self.transfer.file_id, "flags": 0}
        is_begun = self._panel.ctx.submit_command(0, order)
        if is_begun and self._is_broken:
            # libosdp sends an ABORT for it in this turn, and the reader forgets the file that broke off.
            self._panel.ctx.submit_command(0, order | {"flags": CommandFileTxFlags.Cancel})
        if not is_begun or self._is_broken:
            self._sending, self._is_broken = None, False

    def _close_file(self, file_id: int) -> int:
        self._is_closed = True
        return 0

    def _settle_fragment(self, *, has_failed: bool) -> None:
        status = self._panel.ctx.get_file_tx_status(0)
        is_over = self._is_closed or has_failed or not isinstance(status, dict)
        if not is_over or self.transfer is None:
            return
        is_taken = self._is_closed and not has_failed
        self._sending, self._is_broken = None, not is_taken
        (self.transfer.taken if is_taken else self.transfer.refused)()

    def _event(self, index: int, event: dict[str, Any]) -> int:
        self._on_event(self.address, event)
        return 0
