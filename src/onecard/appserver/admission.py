"""Hands the authorised list to the gateways (G2): everything at first, then each change as it happens, and a heartbeat a second.

With it goes what the lines should have: data of the platform and of their units, leases, roll-outs (D2, O4).

A heartbeat says that the list is current. While the directory has no connection there is none, so that a gateway with a choice
can turn to an application server that knows.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from time import monotonic
from typing import TypeVar

from onecard.protocol.proto import app_pb2
from onecard.protocol.proto.device_pb2 import DataVersion
from onecard.protocol.proto.records_pb2 import PayCodeKey, PayCodeKeys
from onecard.services.devices.admission import AdmissionChanges, AdmittedLine

log = logging.getLogger(__name__)
HEARTBEAT_S = 1.0
_STALE_AFTER_S = 3.0
_LINES_AN_EVENT = 500
_BACKLOG_EVENTS = 10_000

_T = TypeVar("_T")
_Queue = asyncio.Queue[app_pb2.AdmissionEvent]


class AdmissionHub:
    """The list in memory and the streams that follow it."""

    def __init__(self, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.lines: dict[int, AdmittedLine] = {}
        self._streams: set[_Queue] = set()
        self._heartbeat_s = heartbeat_s
        self._loaded = asyncio.Event()
        self._current_at = float("-inf")
        self._pay_code_keys: PayCodeKeys | None = None
        self._data: app_pb2.PlatformData | None = None
        self._tasks: dict[int, app_pb2.LineTasks] = {}

    def is_current(self) -> None:
        """Says that the list is known to be current at this moment."""
        self._current_at = monotonic()

    def apply(self, changes: AdmissionChanges) -> None:
        """Takes changes in and passes on what really differs."""
        changed = [line for line in changes.lines if self.lines.get(line.line_id) != line]
        removed = set(changes.removed) & self.lines.keys()
        if changes.full:
            removed = self.lines.keys() - {line.line_id for line in changes.lines}
        # Those that are equal too: they know later sequence numbers, which a gateway that comes anew is told.
        self.lines.update((line.line_id, line) for line in changes.lines)
        for line_id in removed:
            del self.lines[line_id]
        self._loaded.set()
        if changed or removed:
            self._publish(changed, sorted(removed))

    def set_pay_code_keys(self, keys: Mapping[int, bytes]) -> None:
        """The public keys of payment codes travel with the list: gateways hand them to terminals. Never called: not known."""
        message = PayCodeKeys(keys=[PayCodeKey(key_no=number, public_key=key) for number, key in sorted(keys.items())])
        if message != self._pay_code_keys:
            self._pay_code_keys = message
            self._send([app_pb2.AdmissionEvent(pay_code_keys=message)])
            log.info("payment codes: keys %s", sorted(keys))

    def set_tasks(
        self, data: Iterable[DataVersion], lines: Mapping[int, app_pb2.LineTasks], *, asked: Iterable[int] | None
    ) -> None:
        """What the platform publishes, and what the lines asked for (None: all) should have; one that is not named has nothing.

        In every stream `data` comes for the first time after the tasks of all lines: with it they are whole.
        """
        looked_at = lines.keys() | self._tasks.keys() if asked is None else set(asked)
        empty = app_pb2.LineTasks()
        changed = [line_id for line_id in looked_at if lines.get(line_id, empty) != self._tasks.get(line_id, empty)]
        for line_id in changed:
            if line_id in lines:
                self._tasks[line_id] = lines[line_id]
            else:
                del self._tasks[line_id]
        published = app_pb2.PlatformData(current=data)
        news = [self._tasks.get(line_id) or app_pb2.LineTasks(line_id=line_id) for line_id in sorted(changed)]
        events = [app_pb2.AdmissionEvent(tasks=part) for part in _slices(news)]
        if published != self._data:
            self._data = published
            events = events or [app_pb2.AdmissionEvent()]
            events[-1].data.CopyFrom(published)
        if events:
            self._send(events)

    def _publish(self, changed: list[AdmittedLine], removed: list[int]) -> None:
        events = [app_pb2.AdmissionEvent(lines=part) for part in _parts(changed)] or [app_pb2.AdmissionEvent()]
        events[-1].removed_line_id.extend(removed)
        self._send(events)

    def _send(self, events: list[app_pb2.AdmissionEvent]) -> None:
        for queue in list(self._streams):
            if queue.qsize() + len(events) > _BACKLOG_EVENTS:
                # It does not read: forget it, its heartbeats end with it and it will ask for everything again.
                self._streams.discard(queue)
                continue
            for event in events:
                queue.put_nowait(event)

    async def watch(self, gateway: str) -> AsyncIterator[app_pb2.AdmissionEvent]:
        """The stream of one gateway."""
        await self._loaded.wait()
        queue: _Queue = asyncio.Queue()
        snapshot, keys, data = list(self.lines.values()), self._pay_code_keys, self._data
        tasks = list(self._tasks.values())
        self._streams.add(queue)
        try:
            for part in _parts(snapshot):
                yield app_pb2.AdmissionEvent(lines=part)
            for some in _slices(tasks):
                yield app_pb2.AdmissionEvent(tasks=some)
            # As of the moment the queue was made, like the lines: what changed since stands in the queue.
            yield app_pb2.AdmissionEvent(snapshot_end=True, pay_code_keys=keys, data=data)
            while queue in self._streams:
                try:
                    async with asyncio.timeout(self._heartbeat_s):
                        event = await queue.get()
                except TimeoutError:
                    if monotonic() - self._current_at > _STALE_AFTER_S:
                        continue
                    event = app_pb2.AdmissionEvent()
                yield event
            log.warning("gateway %r does not read the authorised list", gateway)
        finally:
            self._streams.discard(queue)


def _parts(lines: list[AdmittedLine]) -> Iterable[list[app_pb2.Line]]:
    for part in _slices(lines):
        yield [_message(line) for line in part]


def _slices(entries: Sequence[_T]) -> Iterable[Sequence[_T]]:
    for start in range(0, len(entries), _LINES_AN_EVENT):
        yield entries[start : start + _LINES_AN_EVENT]


def _message(line: AdmittedLine) -> app_pb2.Line:
    return app_pb2.Line(
        line_id=line.line_id,
        certificate_sha256=line.certificate_sha256,
        unit_id=line.unit_id,
        name=line.name,
        kind=app_pb2.FRONT_END if line.front_end else app_pb2.STRAIGHT_TERMINAL,
        refusal=int(line.refusal),  # type: ignore[arg-type]  # the same numbers, which a test compares
        valid_until_us=line.valid_until_us,
        terminals=[
            app_pb2.LineTerminal(
                terminal_id=t.terminal_id,
                tid=t.tid,
                mid=t.mid,
                certificate_sha256=t.certificate_sha256,
                driver=t.driver,
                known_seq=t.known_seq,
            )
            for t in line.terminals
        ],
    )
