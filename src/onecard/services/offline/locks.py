"""The locks of this domain: one publication at a time."""

from django.db import connection

_PUBLICATION = 0x0FF11E


def lock_publication() -> None:
    """Wait for whoever publishes; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_PUBLICATION])


def try_publication() -> bool:
    """The same without waiting; False: somebody else publishes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_PUBLICATION])
        return bool(cursor.fetchone()[0])
