"""The gateway put together: listeners, the authorised list and who it cuts off, time limits, reports, and the orderly end."""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Coroutine
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from onecard.gateway.admission import AdmissionList, AdmittedLine
from onecard.gateway.apps import AppServers
from onecard.gateway.connection import Connection
from onecard.gateway.drivers.base import Driver, Services
from onecard.gateway.enrolment import EnrolDesk
from onecard.gateway.figures import FigureSender
from onecard.gateway.files import Files
from onecard.gateway.http import serve_http
from onecard.gateway.listener import Listener
from onecard.gateway.metrics import Counters
from onecard.gateway.platform import Platform
from onecard.gateway.reports import Reporter
from onecard.gateway.settings import GatewaySettings
from onecard.gateway.tasks import TaskBook, Teller
from onecard.gateway.tls import server_context, server_contexts
from onecard.gateway.uplink import Uplink
from onecard.gateway.workstation import Workstations
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.protocol.proto.app_pb2 import AdmissionEvent
from onecard.protocol.proto.device_pb2 import PlatformFrame

_log = logging.getLogger(__name__)
_SWEEP_S = 1.0
_SWEEP_SLICE = 500


class Gateway:
    """One gateway process. `start`, then `stop`; ports are known after `start`."""

    def __init__(self, settings: GatewaySettings, drivers: dict[Driver, int], *, clock: Clock | None = None) -> None:
        """`drivers` names the port of each driver. Needs a running loop."""
        self.settings = settings
        self.counters = Counters()
        self.admission = AdmissionList()
        self.ports: dict[str, int] = {}
        self.attached_lines: set[int] = set()
        """Lines that are ports of this gateway, open now (attached.py)."""
        self._loop = asyncio.get_running_loop()
        self._drivers = drivers
        self._listeners: list[Listener] = []
        self._http: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self._by_line: defaultdict[int, list[Connection]] = defaultdict(list)
        self._list_at = float("-inf")
        self._listed = asyncio.Event()
        self._emptied = asyncio.Event()
        self._apps = AppServers(settings.apps, gateway=settings.name, counters=self.counters, tls_dir=settings.tls_dir)
        self.uplink = Uplink(self._apps, limits=settings.uplink, counters=self.counters, gateway=settings.name)
        clock = clock or SystemClock()
        self.book = TaskBook()
        self.files = Files(self._apps, cache_bytes=settings.files_cache_bytes)
        self._teller = Teller(self._tell_tasks, settings.tell)
        self._enrol: EnrolDesk | None = None
        self.reports = Reporter(self._apps, gateway=settings.name, clock=clock, limits=settings.reports, counters=self.counters)
        self.services = Services(
            name=settings.name,
            uplink=self.uplink,
            platform=Platform(self._apps, gateway=settings.name, book=self.book, files=self.files),
            reports=self.reports,
            counters=self.counters,
            clock=clock,
            limits=settings.line,
            spawn=self._spawn,
        )
        self._figures = FigureSender(
            self._apps, self.services, interval_s=settings.report_s, lines=lambda: [*self._by_line, *self.attached_lines]
        )
        if settings.web:
            self.services.http = Workstations(
                settings.web, settings.web_secret, clock=clock, counters=self.counters, spawn=self._spawn
            )

    # life

    async def start(self) -> None:
        """Ask for the list, wait for it a moment, then open the ports. Raises OSError if a port is taken."""
        self._spawn(self._watch())
        self._spawn(self._sweep())
        self._spawn(self._figures.run())
        self._spawn(self.reports.run())
        self._spawn(self._teller.run())
        self._add_gauges()
        registry = CollectorRegistry()
        registry.register(self.counters)
        self._http = await serve_http(self.settings.metrics_port, registry, self.is_ready)
        self.ports["metrics"] = self._http.sockets[0].getsockname()[1]
        await self._await_list()
        context = server_context(self.settings.tls_dir)
        for driver, port in self._drivers.items():
            listener = Listener(
                context,
                partial(self._connect, driver),
                accept=self.settings.accept,
                line=self.settings.line,
                counters=self.counters,
            )
            self._listeners.append(listener)
            self.ports[driver.name] = await listener.open(self.settings.host, port)
            _log.info("%s on %s:%d", driver.name, self.settings.host, self.ports[driver.name])
        if self.settings.enrol_port is not None:
            await self._open_enrolment(self.settings.enrol_port)

    async def _open_enrolment(self, port: int) -> None:
        settings = self.settings
        self._enrol = EnrolDesk(
            self._apps, gateway=settings.name, limits=settings.enrol, counters=self.counters, spawn=self._spawn
        )
        tls_dir = settings.tls_dir
        contexts = server_contexts(tls_dir / "gateway.pem", tls_dir / "gateway.key", ca=None, names_ca=tls_dir / "ca.pem")
        listener = Listener(
            contexts, self._enrol.connect, accept=settings.enrol.accept, line=settings.line, counters=self.counters
        )
        self._listeners.append(listener)
        self.ports["enrol"] = await listener.open(settings.host, port)
        _log.info("enrolment on %s:%d", settings.host, self.ports["enrol"])

    async def stop(self) -> None:
        """Take no more lines, answer what is in flight, say good-bye, close."""
        for listener in self._listeners:
            listener.stop_accepting()
        if self._enrol is not None:
            self._enrol.close()
        await self.uplink.drain(self.settings.drain_s)
        for connection in list(self._connections):
            if connection.line is not None:
                connection.refuse(Result.UNAVAILABLE, "the gateway is closing; reconnect after a random wait", label="drain")
            else:
                connection.tls.abort("drain")
        await self._await_gone()
        await self.reports.drain(self.settings.drain_s)
        # More than once: a cancellation that meets an answer of the application server can be lost inside the call.
        while tasks := set(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)
        if self._http is not None:
            self._http.close()
        await self._apps.close()

    def is_ready(self) -> bool:
        """Whether money records would be passed on now."""
        return not self.uplink.halted

    @property
    def lines(self) -> int:
        """Connections that have been admitted."""
        return sum(map(len, self._by_line.values()))

    @property
    def background_tasks(self) -> int:
        """For leak tests: the five of the gateway itself and those its sessions started."""
        return len(self._tasks)

    # Owner of connections

    def admit(self, fingerprint: bytes) -> AdmittedLine | Result:
        if self._loop.time() - self._list_at > self.settings.admission.entry_s:
            return Result.UNAVAILABLE
        line = self.admission.find(fingerprint)
        if line is None:
            return Result.TERMINAL_NOT_ALLOWED
        return line.refusal_at(self.services.now_us()) or line

    def opened(self, connection: Connection) -> None:
        line = connection.line
        assert line is not None
        siblings = self._by_line[line.line_id]
        siblings.append(connection)
        limits = self.settings.line
        allowed = limits.connections_per_front_end if line.is_front_end else limits.connections_per_terminal_line
        if len(siblings) > allowed:
            siblings[0].refuse(Result.TERMINAL_NOT_ALLOWED, "another connection of this line took over", label="replaced")

    def refused(self, connection: Connection, reason: str) -> None:
        self.reports.refused(connection.peer, reason, certificate_der=connection.tls.shown_certificate())

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._emptied.set()
        if connection.line is not None:
            siblings = self._by_line[connection.line.line_id]
            if connection in siblings:
                siblings.remove(connection)
            if not siblings:
                del self._by_line[connection.line.line_id]

    def _connect(self, driver: Driver) -> Connection:
        connection = Connection(self, driver, self.services)
        self._connections.add(connection)
        return connection

    # the list

    async def _watch(self) -> None:
        limits = self.settings.admission
        while True:
            self.admission.begin_snapshot()
            self.book.begin_snapshot()
            async for event in self._apps.watch_admission(limits.silence_s):
                changed = self.admission.apply(event)
                if self.admission.complete and not self.admission.is_staging:
                    self._list_at = self._loop.time()
                    self._listed.set()
                    self._set_halted()
                for line_id in changed:
                    self._recheck(line_id)
                self._take_tasks(event)
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - spreading, not a secret

    def _take_tasks(self, event: AdmissionEvent) -> None:
        is_new, lines = self.book.apply(event)
        if is_new:
            self.files.forget_brief()
        self._teller.add(list(self._by_line) if is_new else lines & self._by_line.keys())

    def _tell_tasks(self, line_id: int) -> None:
        tasks = self.book.tasks(line_id)
        for connection in self._by_line.get(line_id, ()) if tasks is not None else ():
            connection.tell(PlatformFrame(tasks=tasks))

    def _recheck(self, line_id: int) -> None:
        """Cut a line off, or tell its sessions of its new terminals."""
        if line_id not in self._by_line:
            return
        line = self.admission.get(line_id)
        now_us = self.services.now_us()
        for connection in list(self._by_line[line_id]):
            if line is None or connection.line is None or line.fingerprint != connection.line.fingerprint:
                self._cut_off(connection, Result.TERMINAL_NOT_ALLOWED)
            elif (refusal := line.refusal_at(now_us)) is not None:
                self._cut_off(connection, refusal)
            else:
                connection.line_changed(line)

    def _cut_off(self, connection: Connection, refusal: Result) -> None:
        label = "cut_off_" + refusal.name.lower()
        connection.refuse(refusal, RESULT_TEXT[refusal].en, label=label)

    def _set_halted(self) -> None:
        age = self._loop.time() - self._list_at
        halted = age > self.settings.admission.posting_s
        if halted != self.uplink.halted:
            self.uplink.halted = halted
            level = logging.WARNING if halted else logging.INFO
            _log.log(level, "posting %s: the authorised list is %.1f s old", "halted" if halted else "goes on", age)

    async def _await_list(self) -> None:
        try:
            await asyncio.wait_for(self._listed.wait(), self.settings.admission.posting_s)
        except TimeoutError:
            _log.warning("no authorised list yet: every line is refused until it comes")

    # time

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self._set_halted()
            self.uplink.expire()
            connections = list(self._connections)
            for start in range(0, len(connections), _SWEEP_SLICE):
                now, now_us = self._loop.time(), self.services.now_us()
                for connection in connections[start : start + _SWEEP_SLICE]:
                    line = connection.line
                    if line is not None and (refusal := line.refusal_at(now_us)) is not None:
                        self._cut_off(connection, refusal)
                    else:
                        connection.overdue(now)
                await asyncio.sleep(0)

    async def _await_gone(self) -> None:
        for abort in (False, True):
            for connection in list(self._connections) if abort else ():
                connection.tls.abort("drain")
            try:
                if self._connections:
                    self._emptied.clear()
                    await asyncio.wait_for(self._emptied.wait(), self.settings.drain_s)
            except TimeoutError:
                continue

    def _add_gauges(self) -> None:
        self.counters.gauges |= {
            "connections": ("Open connections, handshakes included.", lambda: float(len(self._connections))),
            "lines": ("Admitted connections.", lambda: float(self.lines)),
            "listed": ("Lines on the authorised list.", lambda: float(len(self.admission))),
            "list_age_seconds": ("Age of the authorised list.", lambda: self._loop.time() - self._list_at),
            "waiting": ("Records waiting for an application server.", lambda: float(self.uplink.waiting)),
            "calls": ("Post calls in flight.", lambda: float(self.uplink.calls)),
        }

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)
