"""What every line's devices should have (`Tasks`), as the application servers say it, and telling the lines when that changes.

Kept serialised: 16,320 lines have an entry each, most of them read rarely. When many lines are to be told, they are told
in a random order over some seconds, so that they do not all fetch the same file in the same moment.
"""

import asyncio
import random
from collections.abc import Callable, Iterable

from onecard.gateway.settings import TellLimits
from onecard.protocol.proto.app_pb2 import AdmissionEvent, LineTasks, PlatformData
from onecard.protocol.proto.device_pb2 import Tasks

_TICK_S = 0.05


class TaskBook:
    """Kept by the events of the authorised list's stream.

    In a new stream the tasks of all lines come first; with the first `data` they are whole, and replace what was before.
    """

    def __init__(self) -> None:
        self._platform: PlatformData | None = None
        self._lines: dict[int, bytes] = {}
        self._staged: dict[int, bytes] | None = None

    def tasks(self, line_id: int) -> Tasks | None:
        """The whole of what a line should have; None while the platform has not said it.

        What is said of this line counts before what is said of all: a canary line is ahead of the others.
        """
        if self._platform is None:
            return None
        own = LineTasks.FromString(self._lines.get(line_id, b""))
        named = {version.name: version for version in (*self._platform.current, *own.current)}
        return Tasks(current=list(named.values()), lease_serial=own.lease_serial, tasks=own.tasks)

    def begin_snapshot(self) -> None:
        """A stream has been opened."""
        self._staged = {}

    def apply(self, event: AdmissionEvent) -> tuple[bool, set[int]]:
        """Take an event in; whether the platform's own data has changed, and the lines whose tasks have."""
        is_new = event.HasField("data") and event.data != self._platform
        told = {entry.line_id: _content(entry) for entry in event.tasks}
        if self._staged is None:
            changed = self._change(told)
        else:
            self._staged.update(told)
            changed = self._end_snapshot(self._staged) if event.HasField("data") else set()
        if is_new:
            self._platform = event.data
        return is_new, changed

    def _end_snapshot(self, staged: dict[int, bytes]) -> set[int]:
        self._staged = None
        return self._change(dict.fromkeys(self._lines.keys() - staged.keys(), b"") | staged)

    def _change(self, told: dict[int, bytes]) -> set[int]:
        changed = {line_id for line_id, content in told.items() if self._lines.get(line_id, b"") != content}
        for line_id in changed:
            if told[line_id]:
                self._lines[line_id] = told[line_id]
            else:
                del self._lines[line_id]
        return changed


def _content(entry: LineTasks) -> bytes:
    """Without the line's number: empty when there is nothing."""
    entry.line_id = 0
    return entry.SerializeToString(deterministic=True)


class Teller:
    """Calls `tell` for each line that is to be told, soon; a line that is already waiting is told once."""

    def __init__(self, tell: Callable[[int], None], limits: TellLimits) -> None:
        self._tell = tell
        self._limits = limits
        self._waiting: set[int] = set()
        self._wanted = asyncio.Event()

    def add(self, line_ids: Iterable[int]) -> None:
        """Tell these lines."""
        self._waiting.update(line_ids)
        self._wanted.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            order = list(self._waiting)
            random.shuffle(order)
            ticks = min(self._limits.spread_s, len(order) / self._limits.per_second) / _TICK_S
            slice_size = max(1, -(-len(order) // max(1, int(ticks))))
            for start in range(0, len(order), slice_size):
                for line_id in order[start : start + slice_size]:
                    # What changes while this line waits is told with it; what changes afterwards is another round.
                    if line_id in self._waiting:
                        self._waiting.discard(line_id)
                        self._tell(line_id)
                if start + slice_size < len(order):
                    await asyncio.sleep(_TICK_S)
