"""One migrated database for a file of tests: each test opens accounts of its own, the auditor looks at all of it at the end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from onecard.ledger import audit
from onecard.ledger.balances import checkpoint
from tests.ledger.bank import Bank, Numbers
from tests.ledger.town import Town, prepare
from tests.support.postgres import TestDatabase, TestServer, cloned_database


@dataclass
class Shared:
    database: TestDatabase
    app: psycopg.Connection[Any]
    owner: psycopg.Connection[Any]
    numbers: Numbers

    @staticmethod
    @contextmanager
    def of(database: TestDatabase) -> "Iterator[Shared]":
        with (
            psycopg.connect(database.app_dsn, autocommit=True) as app,
            psycopg.connect(database.owner_dsn, autocommit=True) as owner,
        ):
            yield Shared(database, app, owner, Numbers())

    def bank(self) -> Bank:
        return Bank(self.database, self.app, self.owner, self.numbers)


@pytest.fixture(scope="module")
def shared(postgres: TestServer) -> Iterator[Shared]:
    """The file's database. Whatever its tests did, the auditor has to be content in the end, before and after a checkpoint."""
    with cloned_database(postgres) as database, Shared.of(database) as made:
        yield made
        for _ in range(2):
            report = audit.run(made.app, full=True)
            assert report.ok, report.first_failure
            checkpoint(made.app)


@pytest.fixture
def bank(shared: Shared) -> Bank:
    """Operators, a unit, a shop and a terminal of the test's own in the file's database."""
    return shared.bank()


@pytest.fixture
def connect(shared: Shared) -> Iterator[Callable[[], psycopg.Connection[Any]]]:
    """Further connections of the application to the file's database, closed at the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(psycopg.connect(shared.database.app_dsn, autocommit=True))


@pytest.fixture(scope="module")
def town(postgres: TestServer) -> Iterator[Town]:
    with (
        cloned_database(postgres) as database,
        psycopg.connect(database.app_dsn, autocommit=True) as app,
        psycopg.connect(database.admin_dsn, autocommit=True) as admin,
    ):
        prepare(admin)
        made = Town(database, app, admin)
        yield made
        made.audit()


@pytest.fixture
def own_town(postgres: TestServer) -> Iterator[Town]:
    """A town of one test's own, for those that break it or count everything in it. Not audited."""
    with (
        cloned_database(postgres) as database,
        psycopg.connect(database.app_dsn, autocommit=True) as app,
        psycopg.connect(database.admin_dsn, autocommit=True) as admin,
    ):
        prepare(admin)
        yield Town(database, app, admin)
