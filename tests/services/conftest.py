"""A small tree to test on, made through the api."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from onecard.datacenter import dj
from onecard.kernel.clock import ManualClock
from onecard.kernel.errors import OneCardError
from tests.support.postgres import TestDatabase

dj.setup()  # models cannot be imported before, and a conftest is read before pytest-django is ready

from django.db import connections  # noqa: E402

from onecard.services.operators import api  # noqa: E402
from onecard.services.operators.models import Unit  # noqa: E402

NOW = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)
UNTIL = NOW + timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Tree:
    """Ids of a root operator, a unified and an independent second-level one, and an active unit of each of the two."""

    root: int
    unified: int
    independent: int
    unit: int
    own_unit: int


@pytest.fixture(scope="session", autouse=True)
def database_allowed(django_db_blocker: Any) -> Iterator[None]:
    """pytest-django closes the database to tests that do not carry its own mark; ours have fixtures of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def root(django_database: TestDatabase) -> int:
    return api.create_operator("ROOT", "根运营单位", parent_id=None, holder_cap=1000).pk


@pytest.fixture
def tree(root: int) -> Tree:
    unified = api.create_operator("U", "统一运营", parent_id=root, holder_cap=1000).pk
    independent = api.create_operator("I", "独立运营", parent_id=root, holder_cap=1000, settlement_mode="independent").pk
    unit = active_unit(unified, "SCHOOL", name="一中", purse_order=3)
    own_unit = active_unit(independent, "FACTORY", name="工厂")
    return Tree(root, unified, independent, unit, own_unit)


def active_unit(operator_id: int, code: str, *, name: str = "单位", until: datetime = UNTIL, purse_order: int = 2) -> int:
    """A unit that has been through its opening (without a password, whose hashing takes its time on purpose)."""
    made = Unit.objects.create(
        operator_id=operator_id,
        code=code,
        name=name,
        state="active",
        purse_order=purse_order,
        valid_from=NOW,
        valid_until=until,
    )
    return made.pk


@pytest.fixture
def at_once(django_database: TestDatabase) -> Iterator[Callable[[Callable[[int], Any], int], list[Any]]]:
    """Runs a function in many threads, each with a connection of its own, let go at one moment; gives results and errors."""

    def run(work: Callable[[int], Any], times: int) -> list[Any]:
        barrier = Barrier(times)

        def one(number: int) -> Any:
            try:
                connections["default"].ensure_connection()
                barrier.wait(60)
                return work(number)
            except OneCardError as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(one, range(times)))

    yield run
