"""Fixtures of the front-end's tests: one authority a session, one unit a test."""

import pytest
import uvloop

from tests.fep.unit import Unit, make_home
from tests.gateway.harness import House
from tests.gateway.pki import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def unit(authority, tmp_path):
    house = House(authority, tmp_path)
    made = Unit(house, make_home(tmp_path / "fep", authority))
    yield made
    await made.stop()
    await house.stop()


def pytest_asyncio_loop_factories(config, item):
    """The loop the front-end runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def town(django_database, new_home, monkeypatch, django_db_blocker, tmp_path):
    """The platform's real processes."""
    from tests.fep.town import running_town

    async with running_town(django_database, new_home, monkeypatch, django_db_blocker, tmp_path) as made:
        yield made
