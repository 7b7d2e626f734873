"""One application server: its parts put together, listening, and drained when it is told to end."""

import asyncio
import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psycopg

from onecard.appserver.admission import AdmissionHub
from onecard.appserver.chipdesk import ChipDesk
from onecard.appserver.chips import ChipPath
from onecard.appserver.collector import Collector
from onecard.appserver.dates import DayTable
from onecard.appserver.desk import DjangoDesk
from onecard.appserver.devicedesk import DeviceDesk
from onecard.appserver.directory import DirectoryKeeper
from onecard.appserver.figures import FigureWriter
from onecard.appserver.http import serve_http
from onecard.appserver.meter import Meter, build_registry
from onecard.appserver.paycodes import CodeDesk
from onecard.appserver.service import ApplicationService, Desk
from onecard.appserver.statements import enquire, posting_of, totals_of
from onecard.appserver.tasks import TaskKeeper
from onecard.appserver.worker import WorkerLimits
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, Unavailable
from onecard.protocol.proto import app_pb2_grpc

log = logging.getLogger(__name__)
_HEALTHY_WITHIN_S = 5.0
_MAX_MESSAGE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificate, key and the authority that the peer's certificate must come from, as PEM."""

    certificate: bytes
    key: bytes
    authority: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """What one application server is told at its start."""

    listen: str
    """`unix:/path` or `host:port`; the latter needs `tls`."""
    dsn: str
    name: str = field(default_factory=socket.gethostname)
    tls: Tls | None = None
    metrics_port: int | None = None
    queue_rows: int = 20_000
    """Rows that may wait for one lane; what comes over it is answered BUSY."""
    drain_s: float = 20.0
    limits: WorkerLimits = field(default_factory=WorkerLimits)
    figures_every_s: float = 2.0
    pay_code_keys_every_s: float = 10.0


@dataclass(frozen=True, slots=True)
class _Gauges:
    """The queues of lanes and of chips together."""

    collector: Collector
    chips: ChipPath

    def depth(self) -> int:
        return self.collector.depth() + self.chips.depth()

    def oldest_age_s(self) -> float:
        return max(self.collector.oldest_age_s(), self.chips.oldest_age_s())

    @property
    def busy_answers(self) -> int:
        return self.collector.busy_answers + self.chips.busy_answers


class AppServer:
    """One application server in this process and event loop."""

    def __init__(self, settings: AppSettings, *, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self.settings = settings
        self.meter = Meter()
        self.days = DayTable()
        self.hub = AdmissionHub()
        self.directory = DirectoryKeeper(settings.dsn, hub=self.hub, days=self.days, clock=clock)
        self.collector = Collector(
            posting_of,
            enquire=enquire,
            queue_rows=settings.queue_rows,
            limits=settings.limits,
            connect=self._connect,
            on_batch=self.meter.on_batch,
        )
        self._desk = desk = DjangoDesk()
        self._chip_desk = ChipDesk(clock)
        self._device_desk = DeviceDesk(clock)
        self._task_keeper = TaskKeeper(settings.dsn, hub=self.hub, look=self._device_desk.standing)
        self._code_desk = CodeDesk(clock, self.directory.posts.resolve, self.days)
        self.chips = ChipPath(
            self._chip_desk.take_in,
            queue_rows=settings.queue_rows,
            batch_rows=settings.limits.batch_rows,
            on_batch=lambda records, answers: self.meter.on_chips(
                [record.merchant for record in records], [answer[0] for answer in answers]
            ),
        )
        self.service = ApplicationService(
            collector=self.collector,
            chips=self.chips,
            meter=self.meter,
            days=self.days,
            resolve=self.directory.posts.resolve,
            desk=Desk(
                sign_on=desk.sign_on,
                report=desk.report,
                load_chip=self._chip_desk.load,
                codes=self._code_desk,
                totals=totals_of(self._connect),
                watch_admission=self.hub.watch,
                devices=self._device_desk,
            ),
            peer_name=None if settings.tls is None else "gateway",
        )
        self._figures = FigureWriter(
            settings.name,
            meter=self.meter,
            collector=self.collector,
            units_of=self.directory.units_of,
            connect=self._connect,
            clock=clock,
            interval_s=settings.figures_every_s,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._server: grpc.aio.Server | None = None
        self.port = 0
        self.http: asyncio.Server | None = None

    async def start(self) -> None:
        """Loads the directory, then listens."""
        self._tasks = [asyncio.create_task(self.directory.run()), asyncio.create_task(self._figures.run())]
        self._tasks.append(asyncio.create_task(self._task_keeper.run()))
        every_s = self.settings.pay_code_keys_every_s
        self._tasks.append(asyncio.create_task(self._code_desk.watch_keys(self.hub.set_pay_code_keys, every_s=every_s)))
        await self.directory.loaded.wait()
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]
        )
        app_pb2_grpc.add_ApplicationServicer_to_server(self.service, server)  # type: ignore[no-untyped-call]
        self.port = self._listen(server)
        await server.start()
        self._server = server
        if self.settings.metrics_port is not None:
            gauges = _Gauges(self.collector, self.chips)
            registry = build_registry(self.meter, gauges, directory_age_s=self.directory.age_s)
            self.http = await serve_http(self.settings.metrics_port, registry=registry, healthy=self.healthy)
        log.info("application server %r listens on %s", self.settings.name, self.settings.listen)

    def healthy(self) -> bool:
        """Whether it takes calls and its directory is current."""
        return not self.service.draining.is_set() and self.directory.age_s() < _HEALTHY_WITHIN_S

    async def stop(self) -> None:
        """Refuses what is new, answers what was taken in, closes. A second call does nothing."""
        if self.service.draining.is_set():
            return
        self.service.draining.set()
        if not await self._drain():
            log.error("not everything was answered in %.0f s", self.settings.drain_s)
        if self._server is not None:
            await self._server.stop(1.0)
        await self.collector.stop()
        await self.chips.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.http is not None:
            self.http.close()
        await asyncio.to_thread(self._desk.close)
        await asyncio.to_thread(self._chip_desk.close)
        await asyncio.to_thread(self._code_desk.close)
        await asyncio.to_thread(self._device_desk.close)
        log.info("application server %r has ended", self.settings.name)

    async def _drain(self) -> bool:
        """Whether everything taken in was answered in time."""
        answered = await self.collector.drain(timeout_s=self.settings.drain_s)
        try:
            async with asyncio.timeout(self.settings.drain_s):
                await self.chips.drained()
        except TimeoutError:
            return False
        return answered

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self.settings.dsn, autocommit=True, connect_timeout=5, application_name="onecard app"
        )

    def _listen(self, server: grpc.aio.Server) -> int:
        """The port, which matters when 0 was asked for; 0 on a unix socket."""
        address, tls = self.settings.listen, self.settings.tls
        if address.startswith("unix:"):
            _free_socket(Path(address.removeprefix("unix:")))
            server.add_insecure_port(address)
            return 0
        if tls is None:
            raise InvalidInput(f"监听 {address} 需要证书", f"listening on {address} needs a certificate")
        credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)], tls.authority, require_client_auth=True)
        return int(server.add_secure_port(address, credentials))


def _free_socket(path: Path) -> None:
    """Removes the socket that a killed server left. Raises Unavailable when one that lives answers there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        if probe.connect_ex(str(path)) == 0:
            raise Unavailable(f"已有应用服务器在 {path} 服务", f"an application server serves at {path} already")
    path.unlink(missing_ok=True)
