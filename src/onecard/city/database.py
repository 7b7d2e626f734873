"""The data centre as the supervisor sees it: started before every role, stopped after them, and started again when it dies."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from onecard.city.lock import running_holder
from onecard.datacenter import dsn
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.kernel.errors import Unavailable

log = logging.getLogger(__name__)


def stop_embedded(home: Home | None = None) -> None:
    """Stop the embedded server; nothing to do where a DSN names the server."""
    if dsn.is_embedded():
        EmbeddedServer(home or Home.from_environment()).stop()


@contextmanager
def as_found(home: Home) -> Iterator[None]:
    """Stop the embedded server at the end if it did not run at the beginning: a command leaves no server behind."""
    was_running = not dsn.is_embedded() or EmbeddedServer(home).status().pid is not None
    try:
        yield
    finally:
        # A city that was started meanwhile needs it, and stops it itself.
        if not was_running and running_holder(home.path / "up.lock") is None:
            stop_embedded(home)


def revive_embedded(home: Home) -> bool:
    """Start the embedded server if it has died; whether it had, and answers again.

    What goes wrong is logged and tried again at the next call: a server may die a second time while it recovers.
    """
    if not dsn.is_embedded():
        return False
    server = EmbeddedServer(home)
    if server.status().pid is not None:
        return False
    log.warning("the database is gone, starting it again")
    try:
        return server.start()
    except (psycopg.OperationalError, Unavailable) as error:
        log.error("the database did not come back: %s", error)
        return False
