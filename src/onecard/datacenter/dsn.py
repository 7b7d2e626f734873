"""How to reach the data centre, by role: the embedded server of the home, or the server that `ONECARD_DATABASE` names.

    ONECARD_DATABASE        the owner's DSN on a server of PostgreSQL 15 to 18
    ONECARD_APP_DATABASE    the application's DSN, for machines that must not hold the owner's; else it is derived from the
                            owner's with the role `onecard_app` and the password in the home's secrets

Nothing here starts a server or connects: `prepared.ensure` does.
"""

import os

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.datacenter.roles import APPLICATION, OWNER
from onecard.kernel.errors import InvalidInput

APPLICATION_PASSWORD = "application-password"  # noqa: S105 (the name of the secret, not the secret)


def is_embedded() -> bool:
    """Whether the data centre is the home's own server."""
    return not os.environ.get("ONECARD_DATABASE") and not os.environ.get("ONECARD_APP_DATABASE")


def owner_dsn(home: Home | None = None) -> str:
    """The DSN of the owner: migrations, bulk loading, backup."""
    given = os.environ.get("ONECARD_DATABASE")
    if given:
        return _checked("ONECARD_DATABASE", given)
    return EmbeddedServer(home or Home.from_environment()).dsn(user=OWNER)


def app_dsn(home: Home | None = None) -> str:
    """The DSN of the application: everything that serves."""
    given = os.environ.get("ONECARD_APP_DATABASE")
    if given:
        return _checked("ONECARD_APP_DATABASE", given)
    home = home or Home.from_environment()
    if os.environ.get("ONECARD_DATABASE"):
        return make_conninfo(owner_dsn(home), user=APPLICATION, password=home.secret(APPLICATION_PASSWORD))
    return EmbeddedServer(home).dsn(user=APPLICATION)


def _checked(variable: str, value: str) -> str:
    try:
        parts = conninfo_to_dict(value)
    except psycopg.ProgrammingError as error:
        raise InvalidInput(f"{variable} 无效：{error}", f"{variable} is not a DSN: {error}") from None
    if not parts.get("dbname"):
        raise InvalidInput(f"{variable} 未指明数据库", f"{variable} names no database")
    return value
