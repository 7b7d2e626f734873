"""Fixtures of the gateway's tests: one authority a session, one house a test."""

import pytest
import uvloop

from tests.gateway.harness import House
from tests.gateway.pki import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def house(authority, tmp_path):
    house = House(authority, tmp_path)
    yield house
    await house.stop()


def pytest_asyncio_loop_factories(config, item):
    """The loop the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}
