"""Fixtures of the gateway's tests: one authority a session, one house a test."""

import pytest

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
