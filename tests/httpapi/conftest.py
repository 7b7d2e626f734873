"""Programs that call: signed in by session or by token, of every role, bound to operators or not."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from onecard.datacenter import dj

dj.setup()  # models can be imported from here on
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from onecard.consoles.centre import identity  # noqa: E402
from onecard.consoles.centre.models import StaffOperator  # noqa: E402
from onecard.consoles.centre.roles import Role  # noqa: E402
from onecard.consoles.centre.tokens import issue_token  # noqa: E402
from onecard.httpapi import failures  # noqa: E402
from tests.consoles.conftest import PASSWORD, _reach_the_database, centre, city, signed_in, staff  # noqa: E402, F401

BASE = "/api/workstation/v1"


@pytest.fixture(autouse=True)
def _nobody_has_failed() -> Iterator[None]:
    failures.forget()
    yield
    failures.forget()


@pytest.fixture
def token(staff: Callable[..., User]) -> Callable[..., str]:  # noqa: F811
    """Makes the text of a token: of a new user of a role, by default with everything the role carries."""

    def make(role: Role = Role.ADMINISTRATOR, *, only: Iterable[str] | None = None, operators: Iterable[int] = ()) -> str:
        user = User.objects.filter(username=str(role)).first() or staff(role)
        StaffOperator.objects.bulk_create(StaffOperator(staff_id=user.pk, operator_id=operator) for operator in operators)
        user = User.objects.get(pk=user.pk)  # without the permissions it has cached
        permissions = identity.actor_of(user).permissions if only is None else only
        until = timezone.now() + timedelta(days=1)
        return issue_token(user, name="workstation", permissions=permissions, expires_at=until)[1]

    return make


@pytest.fixture
def program(token: Callable[..., str]) -> Callable[..., Client]:
    """Makes clients that present a token."""

    def make(*args: Any, **kwargs: Any) -> Client:
        return Client(headers={"host": "127.0.0.1", "authorization": f"Bearer {token(*args, **kwargs)}"})

    return make


def anybody() -> Client:
    """A client that presents nothing."""
    return Client(headers={"host": "127.0.0.1"})
