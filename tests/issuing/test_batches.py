"""Batches: the queue, its control, several stations at once, the reject pile, and what a card costs in commands."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from onecard.kernel.errors import Forbidden, InvalidInput, RuleViolated
from onecard.protocol.purse.apdu import Command, Response, Status
from onecard.services.actors import Actor
from onecard.services.cards import api as cards
from onecard.services.issuing import batches, station
from onecard.services.issuing.batches import BatchOrder
from onecard.services.issuing.belonging import Recipient
from onecard.services.issuing.claims import Request
from onecard.services.issuing.ends import MAX_RETRIES
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.models import BatchState, Job, JobState, Pace
from onecard.services.issuing.station import Report, Trouble
from onecard.services.people import api as people
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.base import exchange
from tests.issuing.conftest import DESK, CardSlot, City


class Tray(CardSlot):
    """Cards that an operator lays on the reader one after another."""

    def __init__(self, cards: Iterator[VirtualCard]) -> None:
        super().__init__(None)
        self.cards = cards

    def await_card(self) -> bool:
        card = next(self.cards, None)
        if card is None:
            return False
        self.reader.put(card)
        self.reader.connect()
        return True


class Stubborn(VirtualCard):
    """A chip whose memory is worn: it takes no key file."""

    def transmit(self, command: bytes) -> bytes:
        if command[:4] == bytes.fromhex("80E00000"):
            return bytes(Response(b"", Status.MEMORY_ERROR))
        return super().transmit(command)


def _run(city: City, batch_id: int, tray: Tray) -> tuple[BatchState, list[Report]]:
    reports: list[Report] = []
    return station.run_batch(Request("A", DESK, batch_id=batch_id), tray, city.vault, reports.append), reports


def test_a_batch_runs_to_its_end_at_the_operators_pace(city: City) -> None:
    holders = [city.holder(name) for name in ("张三", "李四", "王五")]
    batch = city.batch(recipients=[Recipient(holder_id=holder) for holder in holders])
    tray = Tray(city.blank() for _ in range(9))
    state, reports = _run(city, batch.pk, tray)
    assert state is BatchState.FINISHED
    assert [report.result.outcome for report in reports if report.result] == [Outcome.DONE] * 3
    assert tray.waits == [True] * 3
    progress = batches.progress(batch.pk)
    assert (progress.done, progress.total, progress.rejected, progress.queued) == (3, 3, 0, 0)
    assert progress.per_hour is not None
    assert progress.per_hour > 0
    assert set(cards.Card.objects.values_list("holder_id", flat=True)) == set(holders)


def test_a_feeder_is_not_waited_for(city: City) -> None:
    order = BatchOrder("送卡机", city.operator, city.card_type, pace=Pace.FEEDER, count=1)
    batch = batches.start(batches.create(order, actor=DESK).pk, actor=DESK)
    tray = Tray(iter([city.blank()]))
    _run(city, batch.pk, tray)
    assert tray.waits == [False]


def test_a_card_takes_as_many_commands_as_it_should(city: City) -> None:
    report = city.touch(city.blank(), city.batch(1))
    assert report.figures is not None
    # look 3, the maker's key 3, opening twice 6 + 1, 25 writes of which 18 ask for a challenge, sealing and proving 17.
    assert report.figures.round_trips <= 70
    assert report.figures.own_s > 0


def test_stations_share_a_batch_without_sharing_a_card(city: City) -> None:
    batch = city.batch(12)
    trays = [Tray(city.blank() for _ in range(12)) for _ in range(3)]
    barrier = Barrier(3)

    def work(tray: Tray) -> list[Report]:
        try:
            barrier.wait(30)
            return _run(city, batch.pk, tray)[1]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as threads:
        reports = [report for found in threads.map(work, trays) for report in found]
    done = [report.result.job_id for report in reports if report.result and report.result.outcome is Outcome.DONE]
    assert len(done) == len(set(done)) == 12
    assert all(report.trouble is None for report in reports)
    assert batches.progress(batch.pk).state is BatchState.FINISHED


def test_a_card_that_fails_goes_to_the_reject_pile_and_the_batch_goes_on(city: City) -> None:
    batch = city.batch(1)
    good = city.blank()
    bad = city.blank()
    bad.__class__ = Stubborn
    first = city.touch(bad, batch)
    assert first.result is not None
    assert first.result.outcome is Outcome.FAILED
    assert "6581" in first.result.en
    failed = Job.objects.get(state=JobState.FAILED)
    assert failed.stock_serial is not None
    assert city.place_of(failed.stock_serial) == "scrapped"
    second = city.touch(good, batch)
    assert second.result is not None
    assert second.result.outcome is Outcome.DONE
    again = Job.objects.get(state=JobState.DONE)
    assert again.retry_of_id == failed.pk
    assert again.card_no != failed.card_no
    progress = batches.progress(batch.pk)
    assert (progress.done, progress.rejected, progress.state) == (1, 1, BatchState.FINISHED)
    city.check(good, bad)


def test_nobody_is_retried_for_ever(city: City) -> None:
    batch = city.batch(1)
    for _ in range(MAX_RETRIES):
        bad = city.blank()
        bad.__class__ = Stubborn
        city.touch(bad, batch)
    assert batches.progress(batch.pk).rejected == MAX_RETRIES
    assert batches.progress(batch.pk).state is BatchState.RUNNING
    bad = city.blank()
    bad.__class__ = Stubborn
    city.touch(bad, batch)
    assert batches.progress(batch.pk).state is BatchState.FINISHED


def test_a_recipient_who_may_have_no_card_is_rejected_before_a_card_is_touched(city: City) -> None:
    gone, there = city.holder("走了"), city.holder("在")
    batch = city.batch(recipients=[Recipient(holder_id=gone), Recipient(holder_id=there)])
    people.close_holder(gone)
    card = city.blank()
    report = city.touch(card, batch)
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE
    failed = Job.objects.get(state=JobState.FAILED)
    assert (failed.holder_id, failed.card_no, failed.stock_serial) == (gone, None, None)
    assert "C5" in failed.reason_en
    assert cards.Card.objects.get().holder_id == there


def test_an_empty_stock_stops_the_station_and_costs_nobody_his_turn(city: City) -> None:
    batch = city.batch(1)
    place = cards.centre()
    lines = [cards.Serials(row.card_type_id, row.first, row.last) for row in cards.ranges(place.pk)]
    cards.scrap(place.pk, lines, actor=DESK, reason="盘亏")
    report = city.touch(city.blank(), batch)
    assert report.trouble is Trouble.REFUSED
    assert "C1" in report.en
    assert Job.objects.get().state == JobState.QUEUED


def test_paused_gives_out_nothing_and_finishes_what_is_in_work(city: City) -> None:
    batch, begun = city.batch(2), city.blank()
    slot = CardSlot(begun)
    slot.await_card()
    talk_to = iter(range(30))

    def broken(command: Command) -> Response:
        if next(talk_to, None) is None:
            slot.reader.disconnect()
        return exchange(slot.reader, command)

    slot.exchange = broken  # type: ignore[method-assign]
    report = station.touch_once(Request("A", DESK, batch_id=batch.pk), slot, city.vault)
    assert report.trouble is Trouble.INTERRUPTED
    batches.pause(batch.pk, actor=DESK)
    fresh = city.touch(city.blank(), batch)
    assert fresh.trouble is Trouble.REFUSED
    finished = city.touch(begun, batch)
    assert finished.result is not None
    assert finished.result.outcome is Outcome.DONE
    assert batches.progress(batch.pk).queued == 1
    batches.start(batch.pk, actor=DESK)
    assert city.touch(city.blank(), batch).result is not None


def test_cancelled_drops_the_queue(city: City) -> None:
    batch = city.batch(3)
    city.touch(city.blank(), batch)
    batches.cancel(batch.pk, actor=DESK)
    progress = batches.progress(batch.pk)
    assert (progress.state, progress.done, progress.rolled_back, progress.queued) == (BatchState.CANCELLED, 1, 2, 0)
    with pytest.raises(RuleViolated, match="cancelled"):
        batches.start(batch.pk, actor=DESK)


def test_who_may_not_is_refused(city: City) -> None:
    nobody = Actor("nobody", frozenset({"issuing.read"}))
    elsewhere = Actor("elsewhere", frozenset({"issuing.plan", "issuing.write"}), frozenset({999}))
    for actor in (nobody, elsewhere):
        with pytest.raises(Forbidden):
            batches.create(BatchOrder("x", city.operator, city.card_type, count=1), actor=actor)
    batch, card = city.batch(1), city.blank()
    with pytest.raises(Forbidden):
        city.touch(card, batch, actor=elsewhere)
    writer = Actor("writer", frozenset({"issuing.write"}), frozenset({city.operator}))
    report = city.touch(card, batch, actor=writer)
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE


@pytest.mark.parametrize("bad", [{"count": 0}, {"recipients": [Recipient(holder_id=1), Recipient(holder_id=1)]}])
def test_an_order_that_is_no_order_is_refused(city: City, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        batches.create(BatchOrder("x", city.operator, city.card_type, **bad), actor=DESK)


def test_the_card_goes_to_the_account_it_was_ordered_for(city: City) -> None:
    holder = city.holder()
    first = city.batch(recipients=[Recipient(holder_id=holder)])
    city.touch(city.blank(), first)
    account = cards.Card.objects.get().account_no
    second = city.batch(recipients=[Recipient(account_no=account)])
    city.touch(city.blank(), second)
    assert set(cards.Card.objects.values_list("account_no", flat=True)) == {account}
    assert cards.Card.objects.count() == 2
