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

from django.db import transaction  # noqa: E402

from onecard.services.actors import Actor  # noqa: E402
from onecard.services.keys import api  # noqa: E402

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
FAST = api.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
USES = tuple(map(api.KeyUse, ("tac", "load", "purchase", "card_control", "app_maintenance", "transport")))
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
    """A demonstration vault with one 3DES root of some uses and a signing key, on a clock that stands still."""
    api.init_demo(home, kdf=FAST, uses=())
    opened = api.open_vault(clock=clock)
    with transaction.atomic():
        for use in USES:
            opened.activate(opened.rotate(use, actor=ADMIN).key_id, actor=ADMIN)
        signing = opened.rotate("pay_code", algorithm=api.KeyAlgorithm.ED25519, actor=ADMIN)
        opened.activate(signing.key_id, actor=ADMIN)
    yield opened
    opened.close()
