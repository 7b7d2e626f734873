"""A small city to look at, and people of each role who are signed in."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onecard.datacenter import dj
from tests.support.postgres import TestDatabase

dj.setup()  # models can be imported from here on

from django.contrib.auth.models import Group, User  # noqa: E402
from django.test import Client  # noqa: E402

from onecard.consoles.centre import figures  # noqa: E402
from onecard.consoles.centre.models import StaffAccount  # noqa: E402
from onecard.consoles.centre.roles import Role, sync_roles  # noqa: E402
from tests.consoles import cardcity  # noqa: E402
from tests.consoles.cardcity import CardCity  # noqa: E402
from tests.settlement.city import City  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _reach_the_database(django_db_blocker: Any) -> Iterator[None]:
    """Migrating the session's template happens outside a test; pytest-django forbids that when this folder is run by itself."""
    with django_db_blocker.unblock():
        yield


PASSWORD = "correct-horse-7-battery"


@pytest.fixture
def centre(django_database: TestDatabase) -> TestDatabase:
    """An empty platform with the roles of the management centre."""
    sync_roles()
    figures.forget()
    return django_database


@pytest.fixture
def staff(centre: TestDatabase) -> Callable[..., User]:
    """Makes users of a role who have their own password already."""

    def make(role: Role = Role.ADMINISTRATOR, *, must_change: bool = False) -> User:
        user = User.objects.create_user(str(role), password=PASSWORD, is_staff=True)
        user.groups.add(Group.objects.get(name=str(role)))
        StaffAccount.objects.create(user=user, password_must_change=must_change)
        return user

    return make


@pytest.fixture
def signed_in(staff: Callable[..., User]) -> Callable[..., Client]:
    """Makes clients of a role; English where asked for."""

    def make(role: Role = Role.ADMINISTRATOR, *, english: bool = False) -> Client:
        client = Client(headers={"host": "127.0.0.1"})
        client.force_login(staff(role), backend="django.contrib.auth.backends.ModelBackend")
        if english:
            client.cookies["onecard_language"] = "en"
        return client

    return make


@pytest.fixture
def city(centre: TestDatabase) -> Iterator[City]:
    """Two operators, a canteen in a unit and a public shop."""
    made = City(centre.app_dsn)
    made.operator("root")
    made.operator("A")
    made.unit("works", "A")
    made.merchant("canteen", unit="works", per_mille=6)
    made.merchant("metro", operator="root", per_mille=5)
    yield made
    made.close()


@pytest.fixture
def card_city(city: City) -> CardCity:
    """The small city with card rules, stock, a holder and a card."""
    return cardcity.build(city)
