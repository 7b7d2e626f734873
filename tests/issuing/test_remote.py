"""A workstation far away carries commands and answers: every step one call, a lost session begun again."""

from collections.abc import Callable

import pytest

from onecard.kernel.errors import Forbidden, InvalidInput
from onecard.services.actors import Actor
from onecard.services.issuing.claims import Request
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.errors import AlreadyIssued, SessionLost
from onecard.services.issuing.models import Job, JobState
from onecard.services.issuing.remote import IDLE_S, Sessions, Step
from onecard.terminal.reader.local import LocalReader
from tests.issuing.conftest import DESK, City


def _relay(sessions: Sessions, reader: LocalReader, step: Step, *, steps: int | None = None) -> Step:
    """Carry commands until there is a result, or so many."""
    while step.command is not None and steps != 0:
        step = sessions.step(step.session, step.number, reader.transmit(step.command), actor=DESK)
        steps = steps - 1 if steps is not None else None
    return step


@pytest.fixture
def reader(city: City) -> LocalReader:
    reader = LocalReader(city.blank())
    reader.connect()
    return reader


@pytest.fixture
def begin(city: City) -> Callable[[Sessions], Step]:
    batch = city.batch(1)
    return lambda sessions: sessions.begin(Request("far", DESK, batch_id=batch.pk), city.vault)


def test_a_card_is_made_over_a_distance(reader: LocalReader, begin: Callable[[Sessions], Step]) -> None:
    sessions = Sessions()
    last = _relay(sessions, reader, begin(sessions))
    assert last.result is not None
    assert last.result.outcome is Outcome.DONE
    with pytest.raises(SessionLost):
        sessions.step(last.session, last.number, b"\x90\x00", actor=DESK)
    with pytest.raises(AlreadyIssued):
        _relay(sessions, reader, begin(sessions))


def test_a_step_whose_answer_was_lost_is_repeated(reader: LocalReader, begin: Callable[[Sessions], Step]) -> None:
    sessions = Sessions()
    step = begin(sessions)
    answer = reader.transmit(step.command or b"")
    first = sessions.step(step.session, step.number, answer, actor=DESK)
    assert sessions.step(step.session, step.number, answer, actor=DESK) == first
    with pytest.raises(InvalidInput):
        sessions.step(step.session, step.number + 5, answer, actor=DESK)
    with pytest.raises(InvalidInput):
        sessions.step(step.session, first.number, b"\x90", actor=DESK)
    assert _relay(sessions, reader, first).result is not None


def test_a_lost_session_is_begun_again_and_the_card_gone_on_with(reader: LocalReader, begin: Callable[[Sessions], Step]) -> None:
    before = Sessions()
    _relay(before, reader, begin(before), steps=30)
    after = Sessions()  # the web role was started anew
    with pytest.raises(SessionLost):
        after.step("gone", 1, b"\x90\x00", actor=DESK)
    last = _relay(after, reader, begin(after))
    assert last.result is not None
    assert (last.result.outcome, last.result.resumed) == (Outcome.DONE, True)
    assert Job.objects.get().attempts == 2


def test_a_session_is_its_owners(reader: LocalReader, begin: Callable[[Sessions], Step]) -> None:
    sessions = Sessions()
    step = begin(sessions)
    stranger = Actor.system("stranger")
    with pytest.raises(Forbidden):
        sessions.step(step.session, step.number, b"\x90\x00", actor=stranger)
    with pytest.raises(Forbidden):
        sessions.end(step.session, actor=stranger)
    sessions.end(step.session, actor=DESK)
    with pytest.raises(SessionLost):
        sessions.step(step.session, step.number, b"\x90\x00", actor=DESK)
    assert Job.objects.get().state == JobState.QUEUED


def test_sessions_nobody_steps_are_forgotten(reader: LocalReader, begin: Callable[[Sessions], Step]) -> None:
    now = 0.0
    sessions = Sessions(clock=lambda: now)
    idle = begin(sessions)
    now = IDLE_S + 1
    _relay(sessions, reader, begin(sessions))
    with pytest.raises(SessionLost):
        sessions.step(idle.session, idle.number, b"\x90\x00", actor=DESK)
