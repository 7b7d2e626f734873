"""A gateway in this process before a fake application server, with lines for tests to use."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from onecard.gateway.drivers.iso8583.driver import IsoDriver
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import AcceptLimits, AdmissionLimits, GatewaySettings, LineLimits, ReportLimits, UplinkLimits
from onecard.kernel.clock import ManualClock
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Backoff
from tests.gateway.fake_app import MASTER_KEY, FakeApplication, mid_of
from tests.gateway.pki import Authority, Issued

CARD = 1000010000000017
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


@dataclass
class House:
    """Everything a test needs; `start` opens the gateway."""

    authority: Authority
    folder: Path
    app: FakeApplication = field(default_factory=FakeApplication)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    gateway: Gateway | None = None
    issued: dict[int, Issued] = field(default_factory=dict)
    _cleanups: list = field(default_factory=list)

    async def start(
        self, *, apps: tuple[str, ...] = (), line=None, uplink=None, admission=None, accept=None, report_s=0.2, **more
    ) -> Gateway:
        address = f"unix:{self.folder}/app.sock"
        if not apps:
            await self.app.start(address)
        settings = GatewaySettings(
            name="test",
            apps=apps or (address,),
            tls_dir=self.authority.folder,
            host="127.0.0.1",
            metrics_port=0,
            drain_s=2.0,
            report_s=report_s,
            line=line or LineLimits(),
            uplink=uplink or UplinkLimits(deadline_s=3.0),
            admission=admission or AdmissionLimits(),
            accept=accept or AcceptLimits(),
            reports=ReportLimits(states_s=0.2, linger_s=0.01, call_s=1.0),
            **more,
        )
        self.gateway = Gateway(settings, {NativeDriver(): 0, IsoDriver(): 0}, clock=self.clock)
        await self.gateway.start()
        return self.gateway

    def issue(self, line_id: int) -> Issued:
        if line_id not in self.issued:
            self.issued[line_id] = self.authority.issue(f"line-{line_id}")
        return self.issued[line_id]

    def list_line(self, line_id: int, terminals: dict[int, str] | None = None, **how) -> Issued:
        issued = self.issue(line_id)
        self.app.list_line(line_id, issued.fingerprint, terminals or {line_id * 10: f"{line_id * 10:08d}"}, **how)
        return issued

    def native(self, line_id: int, **options) -> NativeClient:
        client = NativeClient(
            "127.0.0.1", self.port("native"), self.issue(line_id).identity, clock=self.clock, backoff=Backoff(), **options
        )
        self._cleanups.append(client.close)
        return client

    def pos(self, line_id: int, terminal_id: int | None = None, *, journal: Journal | None = None, **options) -> Iso8583Terminal:
        number = terminal_id or line_id * 10
        if journal is None:
            journal = Journal(":memory:")
            self._cleanups.append(lambda: _sync(journal.close))
        pos = Iso8583Terminal(
            "127.0.0.1", self.port("iso8583"), self.issue(line_id).identity, terminal_id=number, tid=f"{number:08d}",
            mid=mid_of(f"{number:08d}"), master_key=MASTER_KEY, journal=journal, clock=self.clock, **options,
        )  # fmt: skip
        self._cleanups.append(pos.close)
        return pos

    async def raw(self, driver: str, line_id: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port(driver), ssl=self.issue(line_id).identity.context(), server_hostname="localhost"
        )
        self._cleanups.append(lambda: _close(writer))
        return reader, writer

    def port(self, driver: str) -> int:
        assert self.gateway is not None
        return self.gateway.ports[driver]

    async def stop(self) -> None:
        for cleanup in reversed(self._cleanups):
            await cleanup()
        if self.gateway is not None:
            await self.gateway.stop()
        await self.app.stop()


async def _sync(close) -> None:
    close()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 2)


async def until(condition, seconds: float = 5.0) -> None:
    """Wait for something no event tells of."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
