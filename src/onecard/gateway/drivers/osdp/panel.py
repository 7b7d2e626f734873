"""The control panel of one bus: libosdp in a thread of its own, driven by calls, reporting by calls on the event loop.

Everything of libosdp is touched in that thread only. Its channel never raises (an exception there ends the thread and takes every
reader off line for 300 s), and write returns when the bytes have left, so that time-outs hold at 9,600 baud.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from osdp import Channel, ControlPanel, LibFlag, LogLevel, PDInfo

from onecard.gateway.buses.line import LineSpec, SerialLine
from onecard.gateway.drivers.osdp.codec import address_of

_log = logging.getLogger(__name__)
KEY_BYTES = 16
_TICK_S = 0.005
_STOP_S = 5.0
_HANDSHAKE_BYTES = 200
_REVIVE_S = 2.0
"""A reader that is off line is asked again after this, not after libosdp's own wait, which grows to 300 s."""


@dataclass(slots=True)
class Polling:
    """How a reader was polled."""

    polls: int = 0
    last: float = 0.0
    worst_s: float = 0.0
    late: int = 0
    """Polls that came after the deadline."""
    gaps: list[float] = field(default_factory=list)
    """The last ones, for figures."""


class _LineChannel(Channel):  # type: ignore[misc]
    """A SerialLine for libosdp: reads what is there, writes all of it, never raises."""

    def __init__(self, line: SerialLine, seen: Callable[[bytes], None]) -> None:
        super().__init__()
        self._line = line
        self._seen = seen

    def read(self, max_bytes: int) -> bytes:
        try:
            return self._line.read(max_bytes)
        except Exception:
            _log.exception("bus read")
            return b""

    def write(self, buf: bytes) -> int:
        try:
            self._seen(bytes(buf))
            self._line.write(bytes(buf))
        except Exception:
            _log.exception("bus write")
        return len(buf)

    def flush(self) -> None:
        try:
            self._line.flush()
        except Exception:
            _log.exception("bus flush")


class Panel:
    """Readers of one bus by address, each with its own key. `on_event(address, event)` runs on the event loop."""

    def __init__(
        self, spec: LineSpec, keys: Mapping[int, bytes], *, on_event: Callable[[int, dict[str, Any]], None], deadline_s: float
    ) -> None:
        assert all(len(key) == KEY_BYTES for key in keys.values()), "an SCBK has 16 bytes"
        self._line = SerialLine(spec)
        self._addresses = list(keys)
        self._keys = dict(keys)
        self._on_event = on_event
        self.deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Callable[[ControlPanel], None]] = queue.SimpleQueue()
        self._stop = threading.Event()
        # On a slow bus all handshakes together take longer than that: nobody is woken before they can be through.
        self._revive_s = max(_REVIVE_S, 2 * len(keys) * spec.wire_s(_HANDSHAKE_BYTES))
        self._thread = threading.Thread(target=self._run, name="osdp", daemon=True)
        self._down_since: dict[int, float] = {}
        self.polling = {address: Polling() for address in keys}
        self.secure: set[int] = set()
        """Addresses with a secure channel now; changed on the event loop only."""

    def start(self) -> None:
        """Begin polling."""
        self._thread.start()

    async def stop(self) -> None:
        """End the thread and close the line."""
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _STOP_S)

    async def call(self, work: Callable[[Any, int], Any], address: int) -> Any:
        """`work(libosdp's context, index of the reader)` in the panel's thread; its result. Raises what it raises."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        index = self._addresses.index(address)

        def job(panel: ControlPanel) -> None:
            try:
                result = work(panel.ctx, index)
            except Exception as error:
                self._tell(_settle, answer, None, error)
            else:
                self._tell(_settle, answer, result, None)

        self._jobs.put(job)
        return await answer

    async def command(self, address: int, command: dict[str, Any]) -> bool:
        """Queue a command for a reader; False if libosdp does not take it now (off line, queue full)."""
        return bool(await self.call(lambda context, index: context.submit_command(index, command), address))

    def _run(self) -> None:
        channel = _LineChannel(self._line, self._polled)
        flags = [LibFlag.EnforceSecure, LibFlag.EnableNotification]
        infos = [PDInfo(address, channel, scbk=key, flags=flags) for address, key in self._keys.items()]
        panel = ControlPanel(infos, log_level=LogLevel.Emergency, event_handler=self._event)
        try:
            while not self._stop.is_set():
                while not self._jobs.empty():
                    self._jobs.get()(panel)
                panel.ctx.refresh()
                self._drop_queues(panel)
                self._watch(panel)
                self._line.wait(_TICK_S)
        except Exception:
            _log.exception("the bus has stopped")
        finally:
            self._line.close()
            panel.ctx = None

    def _drop_queues(self, panel: ControlPanel) -> None:
        """The wrapper keeps every event for `get_event`, which is not used here."""
        for kept in panel.event_queue:
            while not kept.empty():
                kept.get_nowait()

    def _watch(self, panel: ControlPanel) -> None:
        """Secure channels that came or went; a reader off line for long is woken."""
        mask, now = panel.ctx.sc_status(), time.monotonic()
        for index, address in enumerate(self._addresses):
            is_up = bool(mask & (1 << index))
            if is_up:
                if self._down_since.pop(address, None) is not None or address not in self.secure:
                    self._tell(self._set_secure, address, True)
                continue
            since = self._down_since.setdefault(address, now)
            if address in self.secure:
                self._tell(self._set_secure, address, False)
            if now - since > self._revive_s and not panel.ctx.status() & (1 << index):
                self._down_since[address] = now
                panel.ctx.disable_pd(index)
                panel.ctx.enable_pd(index)

    def _set_secure(self, address: int, is_secure: bool) -> None:
        if is_secure and address not in self.secure:
            self.secure.add(address)
            self._on_event(address, {"online": True})
        elif not is_secure and address in self.secure:
            self.secure.discard(address)
            self._on_event(address, {"online": False})

    def _polled(self, packet: bytes) -> None:
        polling = self.polling.get(address_of(packet))
        if polling is None:
            return
        now = time.monotonic()
        if polling.polls:
            gap = now - polling.last
            polling.worst_s = max(polling.worst_s, gap)
            polling.late += gap > self.deadline_s
            polling.gaps.append(gap)
            if len(polling.gaps) > 1000:
                del polling.gaps[:500]
        polling.polls += 1
        polling.last = now

    def _event(self, index: int, event: dict[str, Any]) -> int:
        self._tell(self._on_event, self._addresses[index], event)
        return 0

    def _tell(self, work: Callable[..., None], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(work, *values)
        except RuntimeError:  # the loop has closed: nobody listens any more
            self._stop.set()


def _settle(answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)
