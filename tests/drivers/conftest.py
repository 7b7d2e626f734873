"""Fixtures: the gateway's own house (fake application server, authorised list), with ports."""

import secrets

import pytest
import uvloop

from onecard.gateway.attached import AttachedPorts, Attachment
from onecard.gateway.drivers.base import PortSettings
from onecard.gateway.drivers.loader import find_driver
from onecard.gateway.drivers.osdp.keys import build_keys, write_private
from tests.gateway.conftest import authority  # noqa: F401
from tests.gateway.harness import House

LINE = 7


@pytest.fixture
async def house(authority, tmp_path):  # noqa: F811
    house = House(authority, tmp_path)
    yield house
    await house.stop()


class Ports:
    """Attaches ports to the house's gateway, whose line is on the list with all their terminals."""

    def __init__(self, house: House, folder) -> None:
        self.house = house
        self._folder = folder
        self._attached: list[AttachedPorts] = []

    async def attach(self, driver: str, transport: str, terminals: dict[str, int], *, quirks=(), **options):
        issued = self.house.list_line(LINE, {number: f"{number:08d}" for number in terminals.values()}, front_end=True)
        if self.house.gateway is None:
            await self.house.start()
        settings = PortSettings(
            name="trial", driver=driver, transport=transport, terminals=terminals, state_dir=self._folder / "state",
            options=options, quirks=frozenset(quirks),
        )  # fmt: skip
        attached = AttachedPorts(self.house.gateway, [Attachment(settings, issued.fingerprint, find_driver(driver).make())])
        self._attached.append(attached)
        attached.start()
        return attached

    def key_file(self, keys: dict[int, bytes]) -> str:
        """A file of readers' keys, for the option `keys`."""
        path = self._folder / f"keys-{secrets.token_hex(4)}.toml"
        write_private(path, build_keys(scbks=keys))
        return str(path)

    async def close(self) -> None:
        for attached in reversed(self._attached):
            await attached.stop()


@pytest.fixture
async def ports(house, tmp_path):
    ports = Ports(house, tmp_path)
    yield ports
    await ports.close()


def pytest_asyncio_loop_factories(config, item):
    """The loop the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}
