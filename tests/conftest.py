"""Fixtures of all areas: the session's server, a migrated database for each test that asks, homes PostgreSQL can reach.

The environment is set before anything of ours is imported, so that no test can touch the machine's own installation.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

# Not pytest's tmp_path: as root that is a folder which PostgreSQL's user may not pass.
_SESSION_FOLDER = Path(tempfile.mkdtemp(prefix="onecard-test-"))
_SESSION_FOLDER.chmod(0o711)
os.environ["ONECARD_HOME"] = str(_SESSION_FOLDER / "home")
os.environ["DJANGO_SETTINGS_MODULE"] = "onecard.settings"
for _name in ("ONECARD_DATABASE", "ONECARD_APP_DATABASE"):
    os.environ.pop(_name, None)

from onecard.datacenter import dj  # noqa: E402
from onecard.datacenter.embedded import EmbeddedServer  # noqa: E402
from onecard.datacenter.home import Home  # noqa: E402
from tests.support.postgres import TestDatabase, TestServer, cloned_database, running_server  # noqa: E402

# Also where the session ends by an error of its own; not in processes forked from this one.
atexit.register(lambda owner: os.getpid() == owner and shutil.rmtree(_SESSION_FOLDER, ignore_errors=True), os.getpid())


@pytest.fixture(scope="session")
def postgres(django_db_blocker: "pytest.FixtureRequest") -> Iterator[TestServer]:
    """The session's PostgreSQL, with the migrated template database `onecard_template`."""
    with ExitStack() as stack:
        with django_db_blocker.unblock():  # type: ignore[attr-defined]
            server = stack.enter_context(running_server(Home.from_environment()))
        yield server


@pytest.fixture
def database(postgres: TestServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestDatabase]:
    """A fresh, fully migrated database; `ONECARD_DATABASE` names it, for this process and those it starts."""
    with cloned_database(postgres) as fresh:
        monkeypatch.setenv("ONECARD_DATABASE", fresh.owner_dsn)
        yield fresh


@pytest.fixture
def django_database(database: TestDatabase, django_db_blocker: "pytest.FixtureRequest") -> Iterator[TestDatabase]:
    """`database`, with Django's connections (of every thread) going there as the application."""
    with django_db_blocker.unblock(), dj.connected_as(database.app_dsn):  # type: ignore[attr-defined]
        yield database


@pytest.fixture
def new_home() -> Iterator[Callable[[], Home]]:
    """Makes homes that PostgreSQL's user can reach; whatever server runs in one is stopped at the end."""
    made: list[Home] = []

    def make() -> Home:
        made.append(Home(Path(tempfile.mkdtemp(prefix="home-", dir=_SESSION_FOLDER))))
        return made[-1]

    yield make
    for home in made:
        EmbeddedServer(home).stop(immediate=True)
        shutil.rmtree(home.path, ignore_errors=True)
