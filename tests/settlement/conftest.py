"""The worked example of docs/settlement.md as a fixture, and a city with nothing in it."""

from collections.abc import Iterator
from typing import Any

import pytest

from onecard.datacenter import dj
from tests.support.postgres import TestDatabase

dj.setup()  # models can be imported from here on

from tests.settlement.city import City  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def empty_city(django_database: TestDatabase) -> Iterator[City]:
    city = City(django_database.app_dsn)
    yield city
    city.close()


@pytest.fixture
def city(empty_city: City) -> City:
    """Operators root, A and B (unified) and C (independent), a merchant of each."""
    from onecard.services.settlement import api

    made = empty_city
    for code in ("root", "A", "B"):
        made.operator(code)
    made.operator("C", mode="independent")
    api.set_fee_share(made.operators["B"].pk, 300)
    made.unit("works", "A")
    made.unit("mall", "B")
    made.unit("school", "C")
    made.merchant("canteen", unit="works", per_mille=6)
    made.merchant("shop", unit="mall", per_mille=3, per_item=2)
    made.merchant("metro", operator="root", per_mille=5)
    made.merchant("school shop", unit="school", per_mille=10)
    return made
