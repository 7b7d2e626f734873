"""The PostgreSQL the tests run on: an embedded server of the session's own, or the one `ONECARD_TEST_DATABASE` names."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo

from onecard.datacenter import dsn, roles
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.datacenter.migrate import migrate

TEMPLATE = "onecard_template"
# Nothing a test makes has to live through a power cut; tests of durability start servers of their own with the real settings.
_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "256MB", "max_wal_size": "2GB", "min_wal_size": "256MB"}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class TestServer:
    """A server: `admin_dsn` is its superuser's, `password` that of both roles where the server asks for one."""

    __test__ = False

    home: Home
    admin_dsn: str
    password: str | None

    def dsn(self, *, user: str, database: str) -> str:
        if self.password is None:
            return make_conninfo(self.admin_dsn, user=user, dbname=database)
        return make_conninfo(self.admin_dsn, user=user, dbname=database, password=self.password)


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """A fully migrated database of one test's own."""

    __test__ = False

    name: str
    owner_dsn: str
    app_dsn: str
    admin_dsn: str

    @property
    def environment(self) -> dict[str, str]:
        """For a subprocess that is to work on this database."""
        return {**os.environ, "ONECARD_DATABASE": self.owner_dsn}


@contextmanager
def running_server(home: Home) -> Iterator[TestServer]:
    """The session's server with the template database made; stopped at the end, also where pytest itself is killed."""
    given = os.environ.get("ONECARD_TEST_DATABASE")
    if given:
        server = TestServer(home, given, home.secret(dsn.APPLICATION_PASSWORD))
        _make_template(server)
        yield server
        return
    embedded = EmbeddedServer(home, overrides=_FAST)
    embedded.start()
    watchdog = _stop_when_we_are_gone(home)
    try:
        server = TestServer(home, embedded.admin_dsn(), None)
        _make_template(server)
        yield server
    finally:
        watchdog.terminate()
        watchdog.communicate()
        embedded.stop(immediate=True)


@contextmanager
def cloned_database(server: TestServer) -> Iterator[TestDatabase]:
    """A copy of the template, dropped at the end."""
    with _database(server, TEMPLATE) as database:
        yield database


@contextmanager
def empty_database(server: TestServer) -> Iterator[TestDatabase]:
    """A database with nothing in it, dropped at the end."""
    with _database(server, None) as database:
        yield database


@contextmanager
def _database(server: TestServer, template: str | None) -> Iterator[TestDatabase]:
    name = f"onecard_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        roles.create_database(admin, name, template=template)
    try:
        yield TestDatabase(
            name=name,
            owner_dsn=server.dsn(user=roles.OWNER, database=name),
            app_dsn=server.dsn(user=roles.APPLICATION, database=name),
            admin_dsn=make_conninfo(server.admin_dsn, dbname=name),
        )
    finally:
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def _make_template(server: TestServer) -> None:
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        roles.create_roles(admin)
        if server.password is not None:
            for role in (roles.OWNER, roles.APPLICATION):
                admin.execute(f"ALTER ROLE {role} PASSWORD '{server.password}'")  # type: ignore[arg-type]
        admin.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        roles.create_database(admin, TEMPLATE)
    migrate(server.dsn(user=roles.OWNER, database=TEMPLATE))


def _stop_when_we_are_gone(home: Home) -> "subprocess.Popen[bytes]":
    """A process that waits for the end of ours (our side of its pipe closes), then stops the server and tidies up."""
    program = (
        "import shutil, sys; from pathlib import Path; sys.stdin.read();"
        "from onecard.datacenter.embedded import EmbeddedServer; from onecard.datacenter.home import Home;"
        "home = Home(Path(sys.argv[1])); EmbeddedServer(home).stop(immediate=True);"
        "shutil.rmtree(home.path, ignore_errors=True)"
    )
    return subprocess.Popen([sys.executable, "-c", program, str(home.path)], stdin=subprocess.PIPE, start_new_session=True)
