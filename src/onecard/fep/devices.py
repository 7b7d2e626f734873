"""What the front-end knows of the devices behind it: who is there, their clocks, what they still hold, for heartbeats (D1)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from onecard.fep.events import Events
from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import CodeDone
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent, DeviceState, Heartbeat, Hello

LOST_S = 150.0
"""Nothing heard for so long: the device is gone, whatever its connection looks like."""
CLOCK_OFF_US = 60_000_000


class Devices:
    """A ReportPort (gateway/drivers/base.py)."""

    def __init__(self, events: Events, *, now_us: Callable[[], int], heard: Mapping[int, float]) -> None:
        """`heard` is the sessions' own: loop time at which a terminal was last heard of."""
        self._events = events
        self._now_us = now_us
        self._heard = heard
        self._states: dict[int, DeviceState] = {}
        self._changed: set[int] = set()
        self._lost: set[int] = set()
        """Reported as lost, and not back yet."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_event: Callable[[DeviceEvent], None] = lambda event: None
        """Told of each event of a device, before it is stored."""

    def hello(self, line: AdmittedLine, hello: Hello, *, address: str) -> None:
        for terminal_id in line.terminal_ids:
            state = self._state(terminal_id)
            state.maker, state.model, state.firmware = hello.maker, hello.model, hello.firmware
            state.hardware, state.serial = hello.hardware, hello.serial
            self._clock(state, hello.device_clock_us)
            _replace(state, hello.versions)
            self._changed.add(terminal_id)

    def heartbeat(self, line: AdmittedLine, heartbeat: Heartbeat, *, address: str) -> None:
        for terminal_id in line.terminal_ids:
            state = self._state(terminal_id)
            before = state.SerializeToString()
            state.backlog, state.oldest_unsent_us = heartbeat.backlog, heartbeat.oldest_unsent_us
            state.last_error = heartbeat.last_error
            self._clock(state, heartbeat.device_clock_us)
            if heartbeat.versions:
                _replace(state, heartbeat.versions)
            if state.SerializeToString() != before:
                self._changed.add(terminal_id)

    def submit_events(self, line_id: int, events: Sequence[DeviceEvent], done: CodeDone) -> Result | None:
        for event in events:
            self.on_event(event)
        task = asyncio.get_running_loop().create_task(self._take(events, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None

    def look(self, present: set[int], ports: Mapping[int, bool]) -> None:
        """Compare with who is here: `present` have a connection, `ports` are devices on buses."""
        now = asyncio.get_running_loop().time()
        for terminal_id in present | ports.keys():
            self._state(terminal_id)
        for terminal_id, state in self._states.items():
            fresh = now - self._heard.get(terminal_id, float("-inf")) < LOST_S
            online = ports.get(terminal_id, terminal_id in present and fresh)
            if online != state.online:
                state.online = online
                self._changed.add(terminal_id)
                self._tell(terminal_id, online=online)

    def take_changed(self) -> list[DeviceState]:
        """The states that have changed since the last call."""
        changed, self._changed = self._changed, set()
        return [self._states[terminal_id] for terminal_id in sorted(changed)]

    def all_changed(self) -> None:
        """Another gateway is listening: it has to be told everything."""
        self._changed = set(self._states)

    def keep_only(self, terminals: set[int]) -> None:
        """Forget devices that are not of this line any more."""
        for terminal_id in self._states.keys() - terminals:
            del self._states[terminal_id]
            self._changed.discard(terminal_id)
            self._lost.discard(terminal_id)

    @property
    def states(self) -> Mapping[int, DeviceState]:
        """By terminal."""
        return self._states

    async def _take(self, events: Sequence[DeviceEvent], done: CodeDone) -> None:
        done(await self._events.take(events))

    def _tell(self, terminal_id: int, *, online: bool) -> None:
        """Once for each way. The first that is heard of a device after a start is no return."""
        if not online:
            self._lost.add(terminal_id)
            self._events.add(EventKind.DEVICE_LOST, "nothing heard", terminal_id=terminal_id)
        elif terminal_id in self._lost:
            self._lost.discard(terminal_id)
            self._events.add(EventKind.DEVICE_BACK, "heard again", terminal_id=terminal_id)

    def _state(self, terminal_id: int) -> DeviceState:
        found = self._states.get(terminal_id)
        if found is None:
            found = self._states[terminal_id] = DeviceState(terminal_id=terminal_id)
        return found

    def _clock(self, state: DeviceState, device_us: int) -> None:
        if device_us:
            was_off = abs(state.clock_offset_us) > CLOCK_OFF_US
            state.clock_offset_us = device_us - self._now_us()
            if abs(state.clock_offset_us) > CLOCK_OFF_US and not was_off:
                seconds = state.clock_offset_us // 1_000_000
                self._events.add(EventKind.CLOCK_OFF, f"{seconds} s off", terminal_id=state.terminal_id)


def _replace(state: DeviceState, versions: Sequence[object]) -> None:
    del state.versions[:]
    state.versions.extend(versions)  # type: ignore[arg-type]
