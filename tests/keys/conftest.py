"""A vault on a fresh database: cheap key derivation, a clock that stands still, all roots of the demonstration."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from onecard.datacenter import dj
from onecard.datacenter.home import Home
from onecard.kernel.clock import ManualClock
from tests.support.postgres import TestDatabase

dj.setup()

from onecard.services.actors import Actor  # noqa: E402
from onecard.services.keys import api  # noqa: E402

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
FAST = api.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
_NEEDED = ("tac", "load", "purchase", "card_control", "app_maintenance", "transport", "sam_control", "pay_code")
USES = tuple(map(api.KeyUse, _NEEDED))
ADMIN = Actor("admin", frozenset({"*"}))


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def home(new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch, django_database: TestDatabase) -> Iterator[Home]:
    """A home of the test's own, so that no passphrase of another vault lies in it."""
    made = new_home()
    made.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(made.path))
    for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    yield made
    api.close_vault()


@pytest.fixture
def vault(home: Home, clock: ManualClock) -> Iterator[api.Vault]:
    """The demonstration's vault, without some uses that no test needs, on a clock that stands still."""
    api.init_demo(home, kdf=FAST, uses=USES)
    opened = api.open_vault(clock=clock)
    yield opened
    opened.close()
