"""A ledger town for the chip's SQL; a whole platform with keys for the way of a record comes from `platform.py`."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.ledger.town import Town, prepare
from tests.support.postgres import TestServer, cloned_database


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
