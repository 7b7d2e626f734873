"""A small tree, a home of the test's own, and a vault where a test asks for one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onecard.datacenter.home import Home
from tests.services.conftest import at_once, clock, database_allowed, root, tree  # noqa: F401 - fixtures
from tests.support.postgres import TestDatabase

from onecard.services.actors import Actor  # isort: skip
from onecard.services.keys import api as keys  # isort: skip

ADMIN = Actor("admin", frozenset({"*"}))
FAST = keys.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)


@pytest.fixture(autouse=True)
def home(new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch, django_database: TestDatabase) -> Iterator[Home]:
    """No authority and no passphrase of another test lies in it."""
    made = new_home()
    made.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(made.path))
    for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    yield made
    keys.close_vault()


@pytest.fixture
def make_vault(home: Home) -> Callable[[], Any]:
    """Makes the vault of a demonstration, without keys."""

    def make() -> None:
        keys.init_demo(home, kdf=FAST, uses=())

    return make
