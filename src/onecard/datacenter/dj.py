"""The seam to Django: its connection settings from a DSN, and pointing its connection at another role or database."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.conninfo import conninfo_to_dict

_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def connection_settings(dsn: str) -> dict[str, Any]:
    """Django's `DATABASES` entry for a DSN."""
    parts = conninfo_to_dict(dsn)
    options = {name: value for name, value in parts.items() if name not in _NAMES}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "OPTIONS": {"connect_timeout": 10, **options},
        **{key: str(parts.get(name) or "") for name, key in _NAMES.items()},
    }


def setup() -> None:
    """Have Django ready. Reads the environment, connects to nothing."""
    import django
    from django.apps import apps

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onecard.settings")
    if not apps.ready:
        django.setup()


@contextmanager
def connected_as(dsn: str) -> Iterator[None]:
    """Django's connection of this thread goes to `dsn` inside; afterwards it is what it was. Not for processes that serve."""
    from django.db import connection

    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(connection_settings(dsn))
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
