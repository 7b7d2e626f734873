"""The data centre ready to be used: the embedded server started, the schema current. What every command calls first."""

from onecard.datacenter import dsn
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.datacenter.migrate import Progress, migrate


def start(home: Home | None = None) -> None:
    """Have the embedded server answering; nothing to do where a DSN names the server."""
    if dsn.is_embedded():
        EmbeddedServer(home or Home.from_environment()).start()


def ensure(home: Home | None = None, *, progress: Progress = lambda line: None) -> None:
    """Start the server and bring the database to this program's schema. Quick where both are so already."""
    home = home or Home.from_environment()
    start(home)
    password = None if dsn.is_embedded() else home.secret(dsn.APPLICATION_PASSWORD)
    migrate(dsn.owner_dsn(home), password=password, progress=progress)


def ensure_embedded(home: Home | None = None) -> None:
    """`ensure` for the embedded server. A server given by a DSN is migrated by whoever keeps it, with `onecard db migrate`."""
    if dsn.is_embedded():
        ensure(home)
