"""A city of cards to test on: operators of both issuing modes, card types with rules, stock, holders; audited at the end."""

from collections.abc import Iterator
from typing import Any

import pytest

from onecard.datacenter import dj

dj.setup()


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield
