"""People who hold components and decide requests, and a vault for them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from onecard.datacenter import dj
from onecard.kernel.errors import OneCardError
from tests.support.postgres import TestDatabase

dj.setup()  # models can be imported from here on

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connections  # noqa: E402

from onecard.consoles.centre.models import StaffAccount  # noqa: E402
from onecard.consoles.centre.roles import Role, sync_roles  # noqa: E402
from onecard.services.actors import Actor  # noqa: E402
from onecard.services.keys import api  # noqa: E402
from onecard.services.keys.custody import permissions  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _reach_the_database(django_db_blocker: Any) -> Iterator[None]:
    """Migrating the session's template happens outside a test; pytest-django forbids that when this folder is run by itself."""
    with django_db_blocker.unblock():
        yield


def person(name: str) -> Actor:
    """Somebody who has signed in and may do everything in custody."""
    return Actor(name, frozenset(permissions.PERMISSIONS))


@pytest.fixture
def chen() -> Actor:
    return person("chen")


@pytest.fixture
def zhao() -> Actor:
    return person("zhao")


@pytest.fixture
def at_once(django_database: TestDatabase) -> Callable[[Callable[[int], Any], int], list[Any]]:
    """Runs a function in many threads, each with a connection of its own, let go at one moment; gives results and errors."""

    def run(work: Callable[[int], Any], times: int) -> list[Any]:
        barrier = Barrier(times)

        def one(number: int) -> Any:
            try:
                connections["default"].ensure_connection()
                barrier.wait(60)
                return work(number)
            except OneCardError as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(one, range(times)))

    return run


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A passphrase in a file, for this process and those it starts."""
    file = tmp_path / "passphrase"
    file.write_text("correct-horse-battery-staple\n")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("ONECARD_VAULT_PASSPHRASE_FILE", str(file))
    return file


@pytest.fixture
def vault(django_database: TestDatabase, passphrase: Path) -> Iterator[api.Vault]:
    """A vault without keys; its key derivation is cheap, which is the only thing that is not real about it."""
    fast = api.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
    api.init_vault(passphrase.read_text().strip(), actor=Actor.system("test"), kdf=fast)
    yield api.open_vault()
    api.close_vault()


PASSWORD = "correct-horse-7-battery"


@pytest.fixture
def officers(django_database: TestDatabase) -> Callable[..., list[User]]:
    """Makes users of the management centre, key officers where no other role is given, who have a password of their own."""
    sync_roles()

    def make(*names: str, role: Role = Role.KEY_OFFICER) -> list[User]:
        made = []
        for name in names:
            user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
            user.groups.add(Group.objects.get(name=str(role)))
            StaffAccount.objects.create(user=user, password_must_change=False)
            made.append(user)
        return made

    return make
