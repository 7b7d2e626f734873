"""What takes two people takes two people, within a day, and once: held by the service and, without it, by the database."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from onecard.kernel.clock import ManualClock
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.keys.custody import requests
from onecard.services.keys.models.custody import KeyRequest, RequestAction, RequestState
from onecard.services.keys.models.sams import Sam, SamEvent, SamState
from onecard.services.keys.sams import stock
from tests.custody.conftest import person
from tests.support.postgres import TestDatabase

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
SYSTEM = Actor.system("test")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def blocked(django_database: TestDatabase) -> int:
    (number,) = stock.order_sams(1, order_ref="PO-1", actor=SYSTEM)
    stock.receive_sams(["CHIP0001"], order_ref="PO-1", actor=SYSTEM)
    stock.block_sam(number, reason="lost", actor=SYSTEM)
    return number


def ask(sam_no: int, actor: Actor, clock: ManualClock) -> KeyRequest:
    return requests.ask(RequestAction.SAM_UNBLOCK, sam_no=sam_no, reason="found again", actor=actor, clock=clock)


def state_of(sam_no: int) -> str:
    return Sam.objects.get(pk=sam_no).state


def test_another_person_approves_and_it_is_done(blocked: int, chen: Actor, zhao: Actor, clock: ManualClock) -> None:
    asked = ask(blocked, chen, clock)
    assert state_of(blocked) == SamState.BLOCKED
    done = requests.approve(asked.pk, actor=zhao, clock=clock)
    assert (done.state, done.requested_by, done.decided_by) == (RequestState.EXECUTED, "chen", "zhao")
    assert done.result == {"state": "received"}
    assert state_of(blocked) == SamState.RECEIVED
    assert SamEvent.objects.filter(sam_id=blocked, act="unblocked").get().who == "chen+zhao"


def test_who_asked_does_not_decide(blocked: int, chen: Actor, clock: ManualClock) -> None:
    asked = ask(blocked, chen, clock)
    for decide, name in itertools.product((requests.approve, requests.refuse), ("chen", "CHEN", "Chen")):
        with pytest.raises(RuleViolated, match="who asks does not decide"):
            decide(asked.pk, actor=person(name), clock=clock)
    assert state_of(blocked) == SamState.BLOCKED
    asked.refresh_from_db()
    assert asked.state == RequestState.WAITING


def test_an_approval_counts_once(blocked: int, chen: Actor, zhao: Actor, clock: ManualClock) -> None:
    asked = ask(blocked, chen, clock)
    requests.approve(asked.pk, actor=zhao, clock=clock)
    stock.block_sam(blocked, reason="lost again", actor=SYSTEM)
    for decide in (requests.approve, requests.refuse):
        with pytest.raises(RuleViolated, match="decided already"):
            decide(asked.pk, actor=person("wang"), clock=clock)
    assert state_of(blocked) == SamState.BLOCKED


def test_of_many_approvals_at_once_one_is_carried_out(
    blocked: int, chen: Actor, clock: ManualClock, at_once: Callable[[Callable[[int], Any], int], list[Any]]
) -> None:
    asked = ask(blocked, chen, clock)
    results = at_once(lambda n: requests.approve(asked.pk, actor=person(f"p{n}"), clock=clock), 6)
    assert sum(isinstance(result, KeyRequest) for result in results) == 1
    assert SamEvent.objects.filter(sam_id=blocked, act="unblocked").count() == 1


def test_after_a_day_it_is_too_late(blocked: int, chen: Actor, zhao: Actor, clock: ManualClock) -> None:
    asked = ask(blocked, chen, clock)
    clock.advance(timedelta(hours=24))
    with pytest.raises(RuleViolated, match="24 hours"):
        requests.approve(asked.pk, actor=zhao, clock=clock)
    assert requests.requests(clock=clock)[0].state == RequestState.EXPIRED
    assert state_of(blocked) == SamState.BLOCKED
    again = ask(blocked, chen, clock)
    assert requests.approve(again.pk, actor=zhao, clock=clock).state == RequestState.EXECUTED


def test_what_cannot_be_carried_out_still_waits(blocked: int, chen: Actor, zhao: Actor, clock: ManualClock) -> None:
    asked = ask(blocked, chen, clock)
    stock.scrap_sam(blocked, reason="broken", actor=SYSTEM)
    with pytest.raises(RuleViolated, match="K3"):
        requests.approve(asked.pk, actor=zhao, clock=clock)
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by, asked.result) == (RequestState.WAITING, "", {})


def test_a_request_is_refused_by_another_and_withdrawn_by_oneself(
    blocked: int, chen: Actor, zhao: Actor, clock: ManualClock
) -> None:
    first = ask(blocked, chen, clock)
    with pytest.raises(Forbidden, match="own request"):
        requests.withdraw(first.pk, actor=zhao)
    assert requests.withdraw(first.pk, actor=chen).state == RequestState.WITHDRAWN
    second = ask(blocked, chen, clock)
    assert requests.refuse(second.pk, actor=zhao, clock=clock).state == RequestState.REFUSED
    assert state_of(blocked) == SamState.BLOCKED


def test_the_same_is_not_asked_for_twice(blocked: int, chen: Actor, zhao: Actor, clock: ManualClock) -> None:
    ask(blocked, chen, clock)
    with pytest.raises(RuleViolated, match="waiting already"):
        ask(blocked, zhao, clock)


def test_processes_and_people_without_the_permission_are_refused(blocked: int, chen: Actor, clock: ManualClock) -> None:
    asked = ask(blocked, chen, clock)
    for actor in (SYSTEM, Actor("li", frozenset({permission_of("read")})), Actor("", chen.permissions)):
        with pytest.raises(Forbidden):
            requests.approve(asked.pk, actor=actor, clock=clock)
        with pytest.raises(Forbidden):
            ask(blocked, actor, clock)


def permission_of(verb: str) -> str:
    return f"keys.{verb}"


def test_bad_requests_are_refused(blocked: int, chen: Actor, zhao: Actor, clock: ManualClock) -> None:
    with pytest.raises(InvalidInput, match="reason"):
        requests.ask(RequestAction.SAM_UNBLOCK, sam_no=blocked, reason=" ", actor=chen, clock=clock)
    with pytest.raises(InvalidInput):
        requests.ask(RequestAction.SAM_UNBLOCK, reason="x", actor=chen, clock=clock)
    with pytest.raises(InvalidInput):
        requests.ask(RequestAction.ACTIVATE, sam_no=blocked, reason="x", actor=chen, clock=clock)
    with pytest.raises(NotFound):
        requests.ask(RequestAction.SAM_UNBLOCK, sam_no=blocked + 1, reason="x", actor=chen, clock=clock)
    with pytest.raises(NotFound):
        requests.approve(999, actor=zhao, clock=clock)


_INSERT = """
INSERT INTO keys_keyrequest
       (action, sam_no, parameters, reason, state, requested_by, requested_at, expires_at, decided_by, result)
VALUES ('sam_unblock', %s, '{}', 'x', %s, 'chen', now(), now() + %s::interval, '', '{}') RETURNING id"""


_REFUSED = (
    "state = 'executed', decided_by = 'chen', decided_at = now()",
    "state = 'executed', decided_by = 'CHEN', decided_at = now()",
    "state = 'executed', decided_by = '', decided_at = now()",
    "state = 'executed', decided_by = 'zhao', decided_at = now() + interval '25 hours'",
    "state = 'executed', decided_by = 'zhao', decided_at = now() - interval '1 hour'",
    "state = 'executed'",
    "requested_by = 'wang'",
    "sam_no = 7",
    "expires_at = now() + interval '30 hours'",
)


def test_the_database_itself_refuses(database: TestDatabase) -> None:
    """As the application's role, without any of our code."""
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        connection.execute(_INSERT, (5, "waiting", "24 hours"))
        for change in _REFUSED:
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(f"UPDATE keys_keyrequest SET {change}".encode())
        with pytest.raises(psycopg.errors.IntegrityError):
            connection.execute("DELETE FROM keys_keyrequest")
        assert connection.execute("SELECT state, requested_by FROM keys_keyrequest").fetchall() == [("waiting", "chen")]


def test_the_database_itself_keeps_a_decision(database: TestDatabase) -> None:
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        for state, life in (("executed", "24 hours"), ("waiting", "25 hours")):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(_INSERT, (5, state, life))
        connection.execute(_INSERT, (5, "waiting", "24 hours"))
        connection.execute("UPDATE keys_keyrequest SET state = 'executed', decided_by = 'zhao', decided_at = now()")
        connection.execute("UPDATE keys_keyrequest SET result = '{\"a\": 1}'")
        for change in ("result = '{\"a\": 2}'", "state = 'waiting', decided_by = '', decided_at = NULL", "decided_by = 'wang'"):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(f"UPDATE keys_keyrequest SET {change}".encode())
