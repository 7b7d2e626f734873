"""The data centre as the supervisor sees it: started before every role, stopped after them, and started again when it dies."""

import logging

from onecard.datacenter import dsn
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home

log = logging.getLogger(__name__)


def stop_embedded(home: Home | None = None) -> None:
    """Stop the embedded server; nothing to do where a DSN names the server."""
    if dsn.is_embedded():
        EmbeddedServer(home or Home.from_environment()).stop()


def revive_embedded(home: Home) -> bool:
    """Start the embedded server if it has died; whether it had."""
    if not dsn.is_embedded():
        return False
    server = EmbeddedServer(home)
    if server.status().pid is not None:
        return False
    log.warning("the database is gone, starting it again")
    return server.start()
