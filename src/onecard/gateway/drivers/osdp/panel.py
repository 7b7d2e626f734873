"""The control panel of one bus: a thread that gives each reader its turns, driven by calls, reporting by calls on the event loop.

`turns.py` says whose turn it is, `link.py` is a reader's libosdp context. Everything of libosdp is touched in this thread only.
Writing returns when the bytes have left, so that time-outs hold at 9,600 baud.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from onecard.gateway.buses.line import LineSpec, SerialLine
from onecard.gateway.drivers.osdp.link import Link, Order, Transfer, Turn
from onecard.gateway.drivers.osdp.turns import Kind, Seat, Turns

_log = logging.getLogger(__name__)
KEY_BYTES = 16
PATIENCE_S = 0.2
"""OSDP's own: a reader answers within 200 ms."""
COMMAND_S = 5.0
"""How long a command waits for its reader. What is shown later than that helps nobody."""
_STOP_S = 5.0


@dataclass(slots=True)
class Polling:
    """How a reader was polled."""

    polls: int = 0
    last: float = 0.0
    worst_s: float = 0.0
    late: int = 0
    """Turns that came after the deadline."""
    gaps: list[float] = field(default_factory=list)
    """The last ones, for figures."""
    packets: int = 0
    """Of files."""

    def count(self, now: float, deadline_s: float) -> None:
        """The reader had a turn, in which it could have told of a card."""
        if self.polls:
            gap = now - self.last
            self.worst_s = max(self.worst_s, gap)
            self.late += gap > deadline_s
            self.gaps.append(gap)
            if len(self.gaps) > 1000:
                del self.gaps[:500]
        self.polls += 1
        self.last = now

    def reset(self) -> None:
        """Count anew."""
        self.polls = self.late = self.packets = 0
        self.worst_s = 0.0
        self.gaps.clear()


class Panel:
    """Readers of one bus by address, each with its own key. `on_event(address, event)` runs on the event loop."""

    def __init__(
        self,
        spec: LineSpec,
        keys: Mapping[int, bytes],
        *,
        on_event: Callable[[int, dict[str, Any]], None],
        deadline_s: float,
        period_s: float = 0.15,
    ) -> None:
        """`deadline_s`: a later turn is counted as late; `period_s`: how often readers are polled while files are sent."""
        assert all(len(key) == KEY_BYTES for key in keys.values()), "an SCBK has 16 bytes"
        self._line = SerialLine(spec)
        self._keys = dict(keys)
        self._on_event = on_event
        self.deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._turns = Turns(keys, byte_s=spec.wire_s(1), period_s=period_s, patience_s=PATIENCE_S)
        self._links: dict[int, Link] = {}
        self._known: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="osdp", daemon=True)
        self.polling = {address: Polling() for address in keys}
        self.secure: set[int] = set()
        """Addresses with a secure channel now; changed on the event loop only."""

    def start(self) -> None:
        """Begin polling."""
        self._thread.start()

    async def stop(self) -> None:
        """End the thread and close the line."""
        self._stop.set()
        self._jobs.put(lambda: None)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _STOP_S)

    async def command(self, address: int, command: dict[str, Any]) -> bool:
        """Send a command; True when the reader has acknowledged it, False when it refused it or did not in time.

        A command whose acknowledgement got lost is sent again: the reader may have done it twice, and never not at all.
        """
        answer: asyncio.Future[bool] = self._loop.create_future()
        order = Order(command, time.monotonic() + COMMAND_S, lambda done: self._tell(_settle, answer, done))
        self._jobs.put(lambda: self._links[address].orders.append(order))
        # The thread may have ended: then nobody settles it.
        try:
            return await asyncio.wait_for(answer, COMMAND_S + 1.0)
        except TimeoutError:
            return False

    def send(self, address: int, transfer: Transfer | None) -> None:
        """Begin a transfer to a reader, or end it with None. Its functions are called in the panel's thread."""

        def job() -> None:
            self._links[address].transfer = transfer

        self._jobs.put(job)

    def tell(self, work: Callable[..., None], *values: Any) -> None:
        """For transfers: call on the event loop."""
        self._tell(work, *values)

    def _run(self) -> None:
        try:
            self._links = {address: Link(address, key, self._line, self._event) for address, key in self._keys.items()}
            while not self._stop.is_set():
                self._work()
                self._line.flush()
                if not self._line.is_open:
                    self._lose_all()
                    self._stop.wait(0.05)
                    continue
                self._step()
        except Exception:
            _log.exception("the bus has stopped")
        finally:
            self._lose_all()
            for link in self._links.values():
                link.close()
            self._line.close()

    def _work(self) -> None:
        while not self._jobs.empty():
            self._jobs.get()()

    def _step(self) -> None:
        """One turn, or a short wait for something to do."""
        now = time.monotonic()
        for address, link in self._links.items():
            link.expire(now)
            seat = self._turns.seats[address]
            seat.has_order, seat.wants_fragment = bool(link.orders), link.wants_fragment
        chosen = self._turns.choose(now)
        if chosen is None:
            try:
                self._jobs.get(timeout=self._turns.wait_s(now))()
            except queue.Empty:
                return
            return
        self._turn(*chosen)

    def _turn(self, kind: Kind, seat: Seat) -> None:
        link = self._links[seat.address]
        patience = self._turns.ask_patience_s(seat) if kind is Kind.ASK else PATIENCE_S
        began = time.monotonic()
        outcome = link.turn(patience_s=patience, with_fragment=kind is Kind.FRAGMENT)
        ended = time.monotonic()
        if outcome is Turn.ANSWERED:
            polling = self.polling[seat.address]
            polling.count(ended, self.deadline_s)
            polling.packets += kind is Kind.FRAGMENT
        self._turns.went(kind, seat, is_answered=outcome is not Turn.MISSED, is_secure=link.is_secure, began=began, ended=ended)
        self._note(seat.address, link.is_secure)

    def _note(self, address: int, is_secure: bool) -> None:
        if is_secure != (address in self._known):
            (self._known.add if is_secure else self._known.discard)(address)
            self._tell(self._set_secure, address, is_secure)

    def _lose_all(self) -> None:
        """The line is down: no reader is there any more."""
        for address, link in self._links.items():
            if link.has_answered:
                link.renew()
            seat = self._turns.seats[address]
            seat.is_live = seat.is_secure = False
            self._note(address, is_secure=False)

    def _set_secure(self, address: int, is_secure: bool) -> None:
        if is_secure:
            self.secure.add(address)
        else:
            self.secure.discard(address)
        self._on_event(address, {"online": is_secure})

    def _event(self, address: int, event: dict[str, Any]) -> None:
        self._tell(self._on_event, address, event)

    def _tell(self, work: Callable[..., None], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *values)
        except RuntimeError:  # the loop has closed: nobody listens any more
            self._stop.set()


def _settle(answer: asyncio.Future[bool], is_done: bool) -> None:
    if not answer.done():
        answer.set_result(is_done)
