"""A migrated database beside the platform's own, for a measurement: made, lent and dropped."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onecard.datacenter import dsn, roles
from onecard.datacenter.home import Home
from onecard.datacenter.migrate import migrate


@contextmanager
def scratch_database(owner: str, name: str) -> Iterator[tuple[str, str]]:
    """(owner's DSN, application's DSN) of a fresh migrated database on the server of `owner`, dropped afterwards, also on Ctrl-C.

    One that an earlier run left under this name is dropped first.
    """
    with psycopg.connect(owner, autocommit=True) as connection:
        roles.drop_database(connection, name)
        roles.create_database(connection, name, owner=str(conninfo_to_dict(owner).get("user") or roles.OWNER))
    owner_dsn = make_conninfo(owner, dbname=name)
    try:
        password = None if dsn.is_embedded() else Home.from_environment().secret(dsn.APPLICATION_PASSWORD)
        migrate(owner_dsn, password=password)
        yield owner_dsn, make_conninfo(dsn.app_dsn(), dbname=name)
    finally:
        with psycopg.connect(owner, autocommit=True) as connection:
            roles.drop_database(connection, name)
