"""C2: an interruption at every command, in three ways, ends as a card that is done or one that is blank; never in between."""

import pytest

from onecard.services.issuing import batches, station
from onecard.services.issuing.claims import Request
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.models import Job, JobState
from onecard.services.issuing.station import Report, Trouble
from onecard.terminal.card.virtual import VirtualCard
from tests.issuing.conftest import DESK, CardSlot, City, is_sealed, lost_card, public_data
from tests.issuing.tearing import TornSlot, Way, WritesSlot


def _touch(city: City, slot: CardSlot, batch_id: int | None = None, job_id: int | None = None) -> Report:
    slot.await_card()
    try:
        return station.touch_once(Request("test", DESK, batch_id=batch_id, job_id=job_id), slot, city.vault)
    finally:
        slot.release(wait=False)


@pytest.fixture
def whole_run(city: City, monkeypatch: pytest.MonkeyPatch) -> WritesSlot:
    """One card from blank to done, with what went over the reader."""
    slot = WritesSlot(city.blank(), monkeypatch)
    report = _touch(city, slot, city.batch(1).pk)
    monkeypatch.undo()
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE
    assert len(slot.writes) == len(set(slot.writes.values())) > 20
    assert list(slot.writes.values())[-1] == "master.key.card_control"
    return slot


@pytest.mark.parametrize("way", Way)
def test_every_interrupted_card_is_gone_on_with(
    city: City, whole_run: WritesSlot, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    cards: list[VirtualCard] = [whole_run.card]
    places = range(1, whole_run.trips + 1) if way is Way.BEFORE_COMMAND else sorted(whole_run.writes)
    batch = city.batch(len(places))
    for at in places:
        card = city.blank()
        cards.append(card)
        torn = _touch(city, TornSlot(card, at, way, monkeypatch), batch.pk)
        assert torn.trouble in (Trouble.INTERRUPTED, Trouble.DATABASE_AWAY), (at, torn)
        city.check(card)
        report = city.touch(card, batch)
        assert report.result is not None, (at, whole_run.writes.get(at), report)
        assert report.result.outcome is Outcome.DONE, (at, whole_run.writes.get(at), report)
        job = Job.objects.get(pk=report.result.job_id)
        assert job.attempts == 1 + report.result.resumed
        content = public_data(card)
        assert content is not None
        assert content.card_no == job.card_no
        city.check(card)
    assert batches.progress(batch.pk).done == len(places)
    city.check(*cards)


@pytest.mark.parametrize("way", Way)
def test_an_interrupted_replacement_leaves_the_old_card_lost_until_it_is_done(
    city: City, whole_run: WritesSlot, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    writes = sorted(whole_run.writes)
    proof = [] if way is Way.BEFORE_JOURNAL else [whole_run.trips]  # the proof's commands are not journalled
    for at in (writes[0], writes[len(writes) // 2], writes[-1], *proof):
        old = lost_card(city)
        job, card = city.renewal(old), city.blank()
        torn = _touch(city, TornSlot(card, at, way, monkeypatch), job_id=job.pk)
        assert torn.trouble in (Trouble.INTERRUPTED, Trouble.DATABASE_AWAY), (at, torn)
        assert city.state(old) == "lost"
        city.check(card)
        report = city.touch(card)
        assert report.result is not None, (at, report)
        assert (report.result.outcome, report.result.resumed) == (Outcome.DONE, True), (at, report)
        assert city.state(old) == "replaced"
        city.check(card)


@pytest.mark.parametrize("sealed", [False, True])
def test_every_interrupted_roll_back_is_finished(
    city: City, whole_run: WritesSlot, monkeypatch: pytest.MonkeyPatch, *, sealed: bool
) -> None:
    last_write = max(whole_run.writes)
    stop_at = last_write + 1 if sealed else last_write - 10
    for way in Way:
        for at in range(1, 40):
            card, batch = city.blank(), city.batch(1)
            _touch(city, TornSlot(card, stop_at, Way.BEFORE_COMMAND, monkeypatch), batch.pk)
            assert is_sealed(card, city.vault.transport) == sealed
            batches.cancel(batch.pk, actor=DESK)
            slot = TornSlot(card, at, way, monkeypatch)
            _roll_back(city, slot, sealed=sealed)
            if slot.trips < at:
                break  # the whole roll-back has fewer commands: every one has been torn
        else:
            raise AssertionError("the roll-back has no end")


def _roll_back(city: City, slot: TornSlot, *, sealed: bool) -> None:
    """One roll-back torn once: afterwards the chip is empty, and the stock card where it belongs."""
    report = _touch(city, slot)
    city.check(slot.card)
    if report.trouble is not None:
        assert report.trouble in (Trouble.INTERRUPTED, Trouble.DATABASE_AWAY), (slot.at, report)
        report = city.touch(slot.card)
    assert report.result is not None, (slot.at, report)
    assert report.result.outcome is Outcome.ROLLED_BACK, (slot.at, report)
    job = Job.objects.get(pk=report.result.job_id)
    assert job.state == JobState.ROLLED_BACK
    assert job.stock_serial is not None
    assert city.place_of(job.stock_serial) == ("scrapped" if sealed else "centre")
    assert public_data(slot.card) is None
    city.check(slot.card)
