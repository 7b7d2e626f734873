"""A device's whole life with the platform: a one-time code, its line, data and lease, an event, and its end; all parts real."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes
from time import monotonic, time_ns

import pytest

from onecard.datacenter.home import Home
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import GatewaySettings, ReportLimits
from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.proto.device_pb2 import DeviceEvent, Tasks
from onecard.terminal.enrol import Invitation, enrol
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.native import Device, Listeners, NativeClient
from tests.appserver.conftest import StartApp, Town, in_thread, until

PASSPHRASE = b"seven small boats at anchor"
_CUT_OFF_WITHIN_S = 5.0


@dataclass
class Platform:
    """Application server and gateway before the town's database."""

    town: Town
    gateway: Gateway
    home: Home

    def latest(self, tasks: list[Tasks], name: str) -> int:
        """The version that a device was told last."""
        return {version.name: version.version for version in tasks[-1].current}.get(name, 0) if tasks else 0


@pytest.fixture
async def platform(
    town: Town, start_app: StartApp, new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Platform]:
    from onecard.services.actors import Actor
    from onecard.services.devices import api as devices
    from onecard.services.keys import api as keys
    from onecard.services.rollouts import api as rollouts

    home = new_home()
    home.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(home.path))
    for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)

    def found() -> None:
        keys.init_demo(home, kdf=keys.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1), uses=())
        rollouts.init_repository(tmp_path / "offline", PASSPHRASE, actor=Actor.system("test"))
        devices.ensure_gateway_files(hosts=["localhost", "127.0.0.1"])

    await in_thread(found)
    client = await start_app(listen=f"unix:{tmp_path / 'app.sock'}")
    settings = GatewaySettings(
        name="gateway", apps=(client.server.settings.listen,), tls_dir=home.tls_dir, host="127.0.0.1", metrics_port=0,
        enrol_port=0, report_s=0.2, reports=ReportLimits(states_s=0.2, linger_s=0.02),
    )  # fmt: skip
    gateway = Gateway(settings, {NativeDriver(): 0})
    await gateway.start()
    yield Platform(town, gateway, home)
    await gateway.stop()
    await in_thread(keys.close_vault)


async def test_from_the_code_to_the_last_refusal(platform: Platform, tmp_path: Path) -> None:
    from onecard.services.actors import Actor
    from onecard.services.devices import api as devices
    from onecard.services.rollouts import api as rollouts

    town, gateway = platform.town, platform.gateway
    admin = Actor("admin", frozenset({"*"}))
    made = await in_thread(lambda: devices.make_enrolment_code(line_id=town.unit_line, actor=admin))
    asked = Invitation.parse(made.uri)
    here = Invitation("127.0.0.1", gateway.ports["enrol"], asked.code, asked.ca_sha256)
    enrolment = await in_thread(enrol, here, tmp_path / "fep")
    assert enrolment.line_id == town.unit_line

    tasks: list[Tasks] = []
    client = NativeClient(
        "127.0.0.1", gateway.ports["native"], enrolment.identity, device=Device(maker="acme", model="F1", serial="F-1"),
        listeners=Listeners(on_tasks=tasks.append),
    )  # fmt: skip
    await _connected(client)
    await until(lambda: bool(tasks) and tasks[-1].lease_serial == 1)
    assert (await client.ask_lease()).code == Result.APPROVED

    await in_thread(lambda: rollouts.publish_data("deny", b"a deny list", version=7))
    await until(lambda: platform.latest(tasks, "deny") == 7)
    await in_thread(lambda: rollouts.publish_data(f"rules/{town.unit}", b"{}", version=3))
    await until(lambda: platform.latest(tasks, "rules") == 3)
    assert b'"timestamp"' in (await client.fetch("metadata/timestamp.json", 0, 10_000)).data

    event = DeviceEvent(event_id=bytes(range(16)), kind=EventKind.POWER_LOST, occurred_at_us=1_772_337_600_000_000)
    assert await client.send_events([event, event]) is Result.APPROVED
    assert town.execute("SELECT line_id, kind FROM devices_storedevent WHERE kind = %s", EventKind.POWER_LOST) == [
        (town.unit_line, int(EventKind.POWER_LOST))
    ]
    await until(lambda: town.execute("SELECT serial FROM devices_devicestatus WHERE line_id = %s", town.unit_line) == [("F-1",)])

    begin = monotonic()
    await in_thread(lambda: devices.revoke_line(town.unit_line, actor=admin))
    await until(lambda: not client.is_open)
    assert monotonic() - begin < _CUT_OFF_WITHIN_S
    with pytest.raises(LineRefused):
        await client.connect()
    await until(lambda: town.execute("SELECT line_id FROM devices_refusedattempt") == [(town.unit_line,)])
    await client.close()


class FrontEnd:
    """A front-end's line, and the deny lists that were named over it."""

    def __init__(self, platform: Platform, line_id: int, folder: Path) -> None:
        self.platform, self.line_id, self.folder = platform, line_id, folder
        self.tasks: list[Tasks] = []

    async def open(self) -> "FrontEnd":
        from onecard.services.actors import Actor
        from onecard.services.devices import api as devices

        admin, gateway = Actor("admin", frozenset({"*"})), self.platform.gateway
        made = await in_thread(lambda: devices.make_enrolment_code(line_id=self.line_id, actor=admin))
        asked = Invitation.parse(made.uri)
        here = Invitation("127.0.0.1", gateway.ports["enrol"], asked.code, asked.ca_sha256)
        enrolment = await in_thread(enrol, here, self.folder)
        self.client = NativeClient(
            "127.0.0.1", gateway.ports["native"], enrolment.identity, device=Device(maker="acme", model="F1"),
            listeners=Listeners(on_tasks=self.tasks.append),
        )  # fmt: skip
        await _connected(self.client)
        return self

    @property
    def named(self) -> int:
        return self.platform.latest(self.tasks, "deny")

    async def say(self, kind: EventKind, detail: str) -> None:
        event = DeviceEvent(event_id=token_bytes(16), kind=kind, detail=detail, occurred_at_us=time_ns() // 1000)
        assert await self.client.send_events([event]) is Result.APPROVED


async def test_a_deny_list_goes_to_one_front_end_first_and_no_further_when_refused(platform: Platform, tmp_path: Path) -> None:
    from onecard.services.actors import Actor
    from onecard.services.devices import api as devices
    from onecard.services.offline import api as offline

    town, admin = platform.town, Actor("admin", frozenset({"*"}))
    await in_thread(offline.tick)  # before anybody is on line: at once
    new = devices.NewLine("第二前置机", "front_end", unit_id=town.unit)
    line = await in_thread(lambda: devices.create_line(new))
    fronts = [await FrontEnd(platform, line, tmp_path / str(line)).open() for line in (town.unit_line, line)]
    await until(lambda: {front.named for front in fronts} == {1})
    on_line = "SELECT count(*) FROM devices_linestatus WHERE online"
    await until(lambda: town.execute(on_line) == [(2,)])
    worker = asyncio.create_task(_tick_on(offline.tick, every_s=2.0))
    lost = "SELECT ledger.set_card_status(card_no, 2) FROM ledger.card WHERE status = 1 ORDER BY card_no LIMIT 1"

    begin = monotonic()
    town.execute(lost)
    await until(lambda: sorted(front.named for front in fronts) == [1, 2])
    (canary,), (other,) = ([front for front in fronts if front.named == version] for version in (2, 1))
    await canary.say(EventKind.DATA_TAKEN, "deny 2, 60 bytes")
    await until(lambda: other.named == 2, within_s=20)
    assert monotonic() - begin < 15

    town.execute(lost)
    await until(lambda: canary.named == 3)
    await canary.say(EventKind.DATA_REFUSED, "deny 3: cannot be read")
    await until(lambda: town.execute("SELECT state FROM offline_denypublication WHERE version = 3") == [("stopped",)])
    assert (canary.named, other.named) == (3, 2)
    again = await in_thread(lambda: offline.release_deny(actor=admin))
    assert again is not None and again.version == 3
    await until(lambda: other.named == 3)
    told = [platform.latest([tasks], "deny") for tasks in canary.tasks]
    assert told == sorted(told)  # never back to an older one
    worker.cancel()
    for front in fronts:
        await front.client.close()


async def _tick_on(tick: Callable[[], object], *, every_s: float) -> None:
    """What the worker does."""
    while True:
        await in_thread(tick)
        await asyncio.sleep(every_s)


async def _connected(client: NativeClient) -> None:
    """The list hears of a new certificate a moment after the device has it."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.connect()
                return
            except (LineRefused, LineDown):
                await asyncio.sleep(0.05)
