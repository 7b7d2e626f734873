"""Replacing and exchanging a card with a chip: the old card's operation and the new chip are one end, or neither is."""

import pytest
from django.db import IntegrityError, connection, transaction

from onecard.kernel.errors import Forbidden, InvalidInput, RuleViolated
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api as cards
from onecard.services.issuing import api, desk
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.models import Job, JobState, Purpose
from onecard.services.issuing.station import Trouble
from tests.issuing.conftest import DESK, FIRST_SERIAL, City, lost_card, public_data

CLERK = Actor("clerk", frozenset({"cards.replace"}))
WRITER = Actor("station", frozenset({"issuing.write"}))


def _listed(card_no: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM ledger.deny_list WHERE card_no = %s", [card_no])
        return cursor.fetchone() is not None


def test_a_lost_card_is_replaced_when_the_new_chip_is_proved(city: City) -> None:
    old = lost_card(city)
    before = cards.card(old, actor=DESK)
    job = city.renewal(old, actor=CLERK)
    assert (city.state(old), _listed(old)) == ("lost", True)
    card = city.blank()
    report = city.touch(card, job_id=job.pk, actor=WRITER)
    assert report.result is not None, report
    assert report.result.outcome is Outcome.DONE
    new = cards.card(report.result.card_no or 0, actor=DESK)
    assert (new.replaces_id, new.account_no, new.holder_id, new.state) == (old, before.account_no, before.holder_id, "active")
    assert (city.state(old), _listed(old)) == ("replaced", True)
    content = public_data(card)
    assert content is not None
    assert content.card_no == new.card_no
    event = cards.events(old, actor=DESK).get(operation="replace")
    assert (event.cash_fen, event.reason, event.other_card, event.key) == (1500, "丢失", new.card_no, f"issuing-{job.pk}")
    assert cards.deposit_fen(new.card_no) == 2000
    told = [entry.title.zh for entry in cards.timeline(old, actor=DESK) if entry.source == "issuing"]
    assert told[-3:] == [f"补卡作业 {job.pk}已建立", f"补卡作业 {job.pk}已领卡", f"补卡作业 {job.pk}完成"]
    city.check(card)


def test_an_exchanged_card_is_taken_back_with_the_new_one(city: City) -> None:
    old = city.issued()
    job = city.renewal(old, Purpose.EXCHANGE, fee_waived=True, serial=FIRST_SERIAL + 9)
    refused = city.touch(city.blank(), job_id=job.pk, serial=FIRST_SERIAL + 8)
    assert refused.trouble is Trouble.REFUSED
    report = city.touch(city.blank(), job_id=job.pk)
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE
    new = cards.card(report.result.card_no or 0, actor=DESK)
    assert (new.serial, city.state(old)) == (FIRST_SERIAL + 9, "replaced")
    assert city.place_of(cards.card(old, actor=DESK).serial or 0) == "scrapped"
    assert cards.events(old, actor=DESK).get(operation="exchange").cash_fen == 0


def test_an_old_card_has_one_open_job(city: City) -> None:
    old = lost_card(city)
    job = city.renewal(old)
    with pytest.raises(RuleViolated, match="has a job already"):
        city.renewal(old)
    with pytest.raises(IntegrityError, match="issuing_job_renewal"), transaction.atomic():
        Job.objects.create(
            purpose=Purpose.REPLACE, old_card_no=old, operator_id=city.operator, card_type_id=city.card_type,
            medium=Medium.CPU.value, account_no=job.account_no, actor="x",
        )  # fmt: skip
    with pytest.raises(Exception, match="is to replace"), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(old_card_no=old + 1)
    desk.roll_back(job.pk, actor=DESK, reason="找到了")
    assert city.state(old) == "lost"
    other = city.renewal(old)
    with pytest.raises(RuleViolated, match="has a job already"):
        desk.retry(job.pk, actor=DESK)
    desk.roll_back(other.pk, actor=DESK)
    again = desk.retry(other.pk, actor=DESK)
    assert (again.purpose, again.old_card_no, again.why) == (Purpose.REPLACE, old, "丢失")


def test_what_may_not_be_asked_is_refused_at_once(city: City) -> None:
    old = city.issued()
    with pytest.raises(RuleViolated, match="cannot have replace"):
        city.renewal(old)
    with pytest.raises(Forbidden):
        city.renewal(old, Purpose.EXCHANGE, actor=CLERK)
    with pytest.raises(Forbidden):
        city.renewal(lost_card(city), fee_waived=True, actor=CLERK)
    with pytest.raises(InvalidInput, match="not written"):
        city.renewal(old, Purpose.EXCHANGE, medium=Medium.QR)
    with pytest.raises(InvalidInput, match="names its old card"):
        desk.create_job(desk.JobOrder(city.operator, city.card_type, purpose=Purpose.REPLACE), actor=DESK)
    with pytest.raises(InvalidInput, match="those of the old card"):
        desk.create_job(desk.JobOrder(city.operator + 1, city.card_type, purpose=Purpose.EXCHANGE, old_card_no=old), actor=DESK)
    assert not Job.objects.filter(state=JobState.QUEUED).exists()


def test_a_refusal_by_the_table_reaches_the_reject_pile_before_a_chip_is_written(city: City) -> None:
    old = lost_card(city)
    job, card = city.renewal(old), city.blank()
    cards.operate(old, cards.Operation.LIFT, actor=DESK)
    report = city.touch(card, job_id=job.pk)
    assert report.trouble is Trouble.REFUSED
    ended = desk.get_job(job.pk)
    assert (ended.state, ended.card_no, ended.stock_serial) == (JobState.FAILED, None, None)
    assert "不能补卡" in ended.reason_zh
    assert not desk.steps(job.pk)
    city.check(card)


def test_a_refusal_by_money_reaches_the_reject_pile_before_a_chip_is_written(city: City) -> None:
    old = city.issued()
    job = city.renewal(old, Purpose.EXCHANGE, fee_from_purse=True)
    report = city.touch(city.blank(), job_id=job.pk)
    assert report.trouble is Trouble.REFUSED
    assert desk.get_job(job.pk).state == JobState.FAILED
    assert city.state(old) == "active"


def test_what_changes_after_the_claim_has_the_new_card_erased(city: City) -> None:
    old = lost_card(city)
    job, card = city.renewal(old), city.blank()
    talk = api.touch(api.Request("A", DESK, job_id=job.pk), city.vault)
    report = _lift_in_the_middle(city, card, talk, old)
    assert report.outcome is Outcome.ROLLED_BACK
    ended = desk.get_job(job.pk)
    assert ended.state == JobState.ROLLED_BACK
    assert "不能补卡" in ended.reason_zh
    assert public_data(card) is None
    assert city.state(old) == "active"
    city.check(card)


def _lift_in_the_middle(city: City, card: object, talk: object, old: int) -> api.Result:
    from tests.issuing.conftest import CardSlot

    slot = CardSlot(card)
    slot.await_card()

    def exchange(command: object) -> object:
        if slot.trips == 30:
            cards.operate(old, cards.Operation.LIFT, actor=DESK)
        return slot.exchange(command)  # type: ignore[arg-type]

    result, _ = api.play(talk, exchange)  # type: ignore[arg-type,type-var]
    slot.release(wait=False)
    return result  # type: ignore[return-value]


def test_a_replaced_card_can_be_put_back(city: City) -> None:
    old = lost_card(city)
    job = city.renewal(old)
    city.touch(city.blank(), job_id=job.pk)
    cards.undo(cards.events(old, actor=DESK).get(operation="replace").pk, actor=DESK, reason="误办")
    assert city.state(old) == "lost"
    assert city.renewal(old).state == JobState.QUEUED
