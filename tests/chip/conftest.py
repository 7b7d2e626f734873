"""A ledger town for the chip's SQL; a vault in memory with chips for the service (`kit.py`)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from onecard.datacenter import dj
from onecard.ledger import audit
from tests.ledger.town import Town, prepare
from tests.support.postgres import TestDatabase, TestServer, cloned_database

dj.setup()  # models cannot be imported before, and a conftest is read before pytest-django is ready

if TYPE_CHECKING:
    from tests.chip.kit import Kit


@pytest.fixture(scope="module")
def town(postgres: TestServer) -> Iterator[Town]:
    """A town for a file of tests; the auditor has to be content with all of it at the end."""
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
    """A town of one test's own. Not audited."""
    with (
        cloned_database(postgres) as database,
        psycopg.connect(database.app_dsn, autocommit=True) as app,
        psycopg.connect(database.admin_dsn, autocommit=True) as admin,
    ):
        prepare(admin)
        yield Town(database, app, admin)


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def kit(django_database: TestDatabase) -> Iterator["Kit"]:
    """Chips, SAMs and a vault in memory on a real database; the auditor is content at the end."""
    from onecard.services.operators.models import CardType
    from tests.chip.kit import CARD_TYPE, INDEPENDENT, UNIFIED, Kit

    made = Kit(django_database)
    CardType.objects.create(pk=CARD_TYPE, code="STD", name="普通卡")
    made.execute("INSERT INTO ledger.issuer VALUES (%s, true), (%s, false)", UNIFIED, INDEPENDENT)
    yield made
    with psycopg.connect(django_database.app_dsn, autocommit=True) as connection:
        report = audit.run(connection)
        assert report.ok, report.first_failure
