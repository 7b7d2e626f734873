"""The one mTLS line to the gateway: everything a front-end says to the platform goes over it (G1).

The line is the terminal SDK's client; here are added the time it tells, a watch over its silence, and the word why it is closed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from onecard.fep.clock import FrontEndClock
from onecard.kernel.codes import Result
from onecard.protocol.proto.device_pb2 import DeviceFrame, Heartbeat, PlatformFrame, Tasks, Welcome
from onecard.terminal.errors import CertificateRefused, LineDown, LineRefused, WrongServer
from onecard.terminal.native import Device, Listeners, NativeClient
from onecard.terminal.nativeline import down
from onecard.terminal.tls import Identity
from onecard.terminal.webstream import WebStream

_log = logging.getLogger(__name__)
HEARTBEAT_S = 30.0
_WATCH_S = 1.0
_AT_ONCE = frozenset((Result.UNIT_SUSPENDED, Result.UNIT_EXPIRED))
_CUT_OFF = _AT_ONCE | {Result.TERMINAL_NOT_ALLOWED}


@dataclass(slots=True)
class Heard:
    """Who is told of the line; from the event loop, and must not raise."""

    up: list[Callable[[Welcome], None]] = field(default_factory=list)
    """With every Welcome: the line has opened, or its terminals have changed."""
    down: list[Callable[[Result | None], None]] = field(default_factory=list)
    """With the reason when the platform has cut the line off, else None."""
    tasks: list[Callable[[Tasks], None]] = field(default_factory=list)
    keys: list[Callable[[dict[int, bytes]], None]] = field(default_factory=list)
    clock: list[Callable[[int], None]] = field(default_factory=list)
    """How far this clock was from the platform's, in microseconds."""


class _Client(NativeClient):
    """The SDK's client, listening to what it passes over."""

    heard_at = 0.0
    on_time: Callable[[int], None] | None = None

    def _unasked(self, frame: PlatformFrame) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if frame.WhichOneof("body") == "heartbeat" and self.on_time is not None:
            self.on_time(frame.heartbeat.platform_clock_us)
        super()._unasked(frame)

    async def _ask(self, build: Callable[[int], DeviceFrame]) -> Any:
        answer = await super()._ask(build)
        self.heard_at = asyncio.get_running_loop().time()
        return answer


class Line:
    """`run` keeps it open. Every question raises LineDown or LineRefused at once while it is down."""

    def __init__(
        self, host: str, port: int, identity: Identity, *, clock: FrontEndClock, device: Device,
        status: Callable[[], Heartbeat], server_hostname: str, heartbeat_s: float = HEARTBEAT_S, silence_s: float = 10.0,
    ) -> None:  # fmt: skip
        """`status` makes the heartbeats. `silence_s` is how long the platform may leave one unanswered."""
        self.heard = Heard()
        self.refused: Result | None = None
        """Why the platform has cut the line off; None while it is up, or merely down."""
        self.trouble = ""
        """Who answers in the platform's place, or that our certificate is not accepted; empty once the line is up."""
        self._clock = clock
        self._status = status
        self._silence_s = silence_s
        self._asked_at = 0.0
        self._again = False
        self._client = _Client(
            host,
            port,
            identity,
            device=device,
            clock=clock,
            server_hostname=server_hostname,
            heartbeat_s=heartbeat_s,
            on_pay_code_keys=lambda keys: _tell(self.heard.keys, dict(keys)),
            listeners=Listeners(
                on_up=self._up, on_down=self._down, on_tasks=lambda tasks: _tell(self.heard.tasks, tasks), status=self._beat
            ),
        )
        self._client.on_time = self._time
        self._closing: LineRefused | None = None
        """Said on a line that was open; whether we are cut off by it, the next attempt tells."""

    @property
    def is_up(self) -> bool:
        """Whether the platform can be asked now."""
        return self._client.is_open

    async def run(self) -> None:
        """Keep the line open until cancelled."""
        watch = asyncio.create_task(self._watch())
        keep = asyncio.create_task(self._keep())
        try:
            await asyncio.gather(watch, keep)
        finally:
            watch.cancel()
            keep.cancel()
            await self._client.close()

    @property
    def ask(self) -> NativeClient:
        """The SDK's questions: submit, load_chip, send_events, fetch, ask_lease, sign_on, totals. Raises LineDown."""
        if not self._client.is_open:
            raise down("not connected")
        return self._client

    def open_web(self, method: str, target: str, headers: Iterable[tuple[str, str]], *, end: bool) -> WebStream:
        """A request of a workstation's browser. Raises LineDown."""
        return self.ask.open_web(method, target, headers, end=end)

    def doubt(self) -> None:
        """Something was not answered: ask whether anybody is there. Silence ends the line."""
        if not self._asked_at:
            self._send_beat()

    def report(self) -> None:
        """Something that heartbeats tell has changed: send one now, or as soon as that which is under way is answered."""
        if self._asked_at:
            self._again = True
        else:
            self._send_beat()

    def _send_beat(self) -> None:
        line = self._client._line
        if line is not None:
            beat = self._beat()
            beat.device_clock_us = self._clock.now_us()
            line.send(DeviceFrame(heartbeat=beat))

    async def _keep(self) -> None:
        client = self._client
        while True:
            try:
                await client.keep_open()
            except (LineDown, LineRefused, OSError) as error:
                _log.info("line: %s", error)

    async def _watch(self) -> None:
        """A cable that is cut says nothing: a heartbeat without an answer does."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_S)
            client = self._client
            if client.is_open and self._asked_at and client.heard_at < self._asked_at < loop.time() - self._silence_s:
                _log.warning("line: nothing heard, opening it again")
                self._asked_at = 0.0
                await client.close()
            refusal = client._refused
            if isinstance(refusal, WrongServer | CertificateRefused):
                self._not_ours(refusal)
            elif not client.is_open and refusal is not None and refusal is not self._closing:
                self._refuse(refusal.result)

    def _beat(self) -> Heartbeat:
        if self._client.is_open and not self._asked_at:
            self._asked_at = asyncio.get_running_loop().time()
        return self._status()

    def _time(self, platform_us: int) -> None:
        loop = asyncio.get_running_loop()
        waited_us = int((loop.time() - self._asked_at) * 1e6) if self._asked_at else 0
        self._asked_at = 0.0
        off_us = self._clock.hear_platform(platform_us, waited_us=waited_us)
        _tell(self.heard.clock, off_us)
        if self._again:
            self._again = False
            self._send_beat()

    def _up(self, welcome: Welcome) -> None:
        self.refused, self.trouble = None, ""
        self._asked_at, self._again = 0.0, False  # the first heartbeat follows at once
        self._clock.hear_platform(welcome.platform_clock_us)
        _log.info("line %d is up, %d terminals", welcome.line_id, len(welcome.terminals))
        _tell(self.heard.up, welcome)

    def _down(self, error: LineDown | LineRefused) -> None:
        _log.warning("the line is down: %s", error.en)
        self._asked_at = 0.0
        if isinstance(error, LineRefused):
            self._closing = error
            if error.result in _AT_ONCE and self._refuse(error.result):
                return
        _tell(self.heard.down, None)

    def _not_ours(self, refusal: WrongServer | CertificateRefused) -> None:
        """Not the platform's word, so nobody is cut off by it: to this front-end the platform is merely away."""
        if self.trouble != refusal.en:
            self.trouble = refusal.en
            _log.warning("line: %s", refusal.en)

    def _refuse(self, code: int) -> bool:
        result = Result(code) if code in Result._value2member_map_ else None
        if result not in _CUT_OFF or result is self.refused:
            return False
        self.refused = result
        _log.warning("the platform has cut the line off: %s", result.name if result else code)
        _tell(self.heard.down, result)
        return True


def _tell(listeners: list[Callable[[Any], None]], what: Any) -> None:
    for listener in listeners:
        with contextlib.suppress(asyncio.CancelledError):
            listener(what)
