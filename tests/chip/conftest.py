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


@pytest.fixture(scope="module")
def platform(postgres: TestServer) -> Iterator[TestDatabase]:
    """A database for a file of tests, with Django on it; the auditor is content at the end."""
    from onecard.services.operators.models import CardType
    from tests.chip.kit import CARD_TYPE, INDEPENDENT, UNIFIED

    with cloned_database(postgres) as database, dj.connected_as(database.app_dsn):
        CardType.objects.create(pk=CARD_TYPE, code="STD", name="普通卡")
        with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
            owner.execute("INSERT INTO ledger.issuer VALUES (%s, true), (%s, false)", (UNIFIED, INDEPENDENT))
        yield database
        with psycopg.connect(database.app_dsn, autocommit=True) as connection:
            report = audit.run(connection)
            assert report.ok, report.first_failure


_EMPTY = """
SET session_replication_role = replica;
TRUNCATE chip_heldrecord, chip_decision, chip_load, chip_loaddoubt, chip_purchase, chip_counterhole, chip_cardstate,
         chip_samstate, chip_chiptypelimit;
UPDATE chip_chipparameter SET max_counter_jump = 300;
"""


@pytest.fixture
def kit(platform: TestDatabase) -> "Kit":
    """Chips, SAMs and a vault in memory. The chip's own tables are empty; only a superuser past all triggers can make them so."""
    from tests.chip.kit import Kit

    with psycopg.connect(platform.admin_dsn, autocommit=True) as admin:
        admin.execute(_EMPTY)
    return Kit(platform)
