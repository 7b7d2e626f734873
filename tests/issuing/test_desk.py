"""Single jobs, jobs undone by hand, foreign and copied cards, rotated keys, and media that are not written (C4)."""

import pytest

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.ledger.codes import Medium
from onecard.protocol.purse.apdu import Response, Status
from onecard.services.cards import api as cards
from onecard.services.issuing import api, desk, station
from onecard.services.issuing.belonging import Recipient
from onecard.services.issuing.claims import Request
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.errors import TakenOver
from onecard.services.issuing.models import Job, JobState, LinePhase
from onecard.services.issuing.station import Trouble
from onecard.services.operators import api as operators
from onecard.services.operators.models import Operator
from onecard.services.people import api as people
from onecard.terminal.card.store import MemoryStore
from onecard.terminal.card.virtual import Medium as Carrier
from onecard.terminal.card.virtual import UidCard, VirtualCard
from tests.issuing.conftest import DESK, FIRST_SERIAL, CardSlot, City, public_data
from tests.issuing.tearing import TornSlot, Way


def _order(city: City, medium: Medium = Medium.CPU, **recipient: int) -> desk.JobOrder:
    return desk.JobOrder(city.operator, city.card_type, medium, recipient=Recipient(**recipient))


def _interrupt(city: City, card: VirtualCard, monkeypatch: pytest.MonkeyPatch, *, at: int, job_id: int) -> None:
    slot = TornSlot(card, at, Way.BEFORE_ANSWER, monkeypatch)
    slot.await_card()
    station.touch_once(Request("test", DESK, job_id=job_id), slot, city.vault)
    slot.release(wait=False)


def test_one_card_is_made_with_its_steps_on_record(city: City) -> None:
    job = desk.create_job(_order(city, holder_id=city.holder("张三")), actor=DESK)
    card = city.blank()
    report = city.touch(card, job_id=job.pk, serial=FIRST_SERIAL + 7)
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE
    done = desk.get_job(job.pk)
    assert done.stock_serial == FIRST_SERIAL + 7
    lines = desk.steps(job.pk)
    intents = [line.step for line in lines if line.phase == LinePhase.INTENT]
    outcomes = [line.step for line in lines if line.phase == LinePhase.DONE]
    assert intents == outcomes
    assert len(intents) > 20
    city.check(card)


def test_the_journal_cannot_be_changed(city: City) -> None:
    job = desk.create_job(_order(city), actor=DESK)
    city.touch(city.blank(), job_id=job.pk)
    with pytest.raises(Exception, match="append-only"):
        job.journal.update(note="x")
    with pytest.raises(Exception, match="append-only"):
        job.journal.first().delete()


def test_a_number_stays_with_its_job(city: City) -> None:
    job = desk.create_job(_order(city), actor=DESK)
    city.touch(city.blank(), job_id=job.pk)
    with pytest.raises(Exception, match="has its card number"):
        Job.objects.filter(pk=job.pk).update(card_no=None)
    with pytest.raises(Exception, match="done -> writing"):
        Job.objects.filter(pk=job.pk).update(state=JobState.WRITING)


def test_nothing_written_is_rolled_back_at_once(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    _interrupt(city, card, monkeypatch, at=7, job_id=job.pk)
    assert desk.get_job(job.pk).state == JobState.CLAIMED
    assert desk.roll_back(job.pk, actor=DESK, reason="放错") is JobState.ROLLED_BACK
    assert desk.get_job(job.pk).reason_zh == "放错"
    assert city.place_of(FIRST_SERIAL) == "centre"
    city.check(card)


def test_a_written_card_is_erased_at_its_next_touch(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    _interrupt(city, card, monkeypatch, at=30, job_id=job.pk)
    assert desk.roll_back(job.pk, actor=DESK, again=True, reason="放错") is JobState.WRITING
    report = city.touch(card)
    assert report.result is not None
    assert report.result.outcome is Outcome.ROLLED_BACK
    assert city.place_of(FIRST_SERIAL) == "centre"
    again = Job.objects.get(retry_of_id=job.pk)
    finished = city.touch(card, job_id=again.pk)
    assert finished.result is not None
    assert finished.result.outcome is Outcome.DONE
    assert finished.result.card_no != desk.get_job(job.pk).card_no
    city.check(card)


def test_a_card_that_never_comes_back_is_written_off(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    _interrupt(city, card, monkeypatch, at=40, job_id=job.pk)
    with pytest.raises(InvalidInput):
        desk.write_off(job.pk, actor=DESK, reason=" ")
    assert desk.write_off(job.pk, actor=DESK, reason="卡片丢失") is JobState.FAILED
    assert city.place_of(FIRST_SERIAL) == "scrapped"
    report = city.touch(card, job_id=Job.objects.get(retry_of_id=job.pk).pk)
    assert report.trouble is Trouble.REFUSED
    assert "no job of ours" in report.en


def test_a_failed_job_is_retried_once_by_hand(city: City) -> None:
    holder = city.holder()
    job = desk.create_job(_order(city, holder_id=holder), actor=DESK)
    desk.roll_back(job.pk, actor=DESK)
    again = desk.retry(job.pk, actor=DESK)
    assert (again.holder_id, again.state) == (holder, JobState.QUEUED)
    with pytest.raises(RuleViolated):
        desk.retry(job.pk, actor=DESK)
    with pytest.raises(NotFound):
        desk.retry(999, actor=DESK)


def test_an_issued_card_is_not_rolled_back_here(city: City) -> None:
    job = desk.create_job(_order(city), actor=DESK)
    city.touch(city.blank(), job_id=job.pk)
    for undo in (desk.roll_back, desk.retry):
        with pytest.raises(RuleViolated):
            undo(job.pk, actor=DESK)


def test_a_foreign_card_costs_neither_number_nor_stock(city: City) -> None:
    job = desk.create_job(_order(city), actor=DESK)
    report = city.touch(VirtualCard.in_memory(transport_key=bytes(range(16))), job_id=job.pk)
    assert report.trouble is Trouble.REFUSED
    assert "no blank" in report.en
    assert desk.get_job(job.pk).state == JobState.QUEUED
    assert city.place_of(FIRST_SERIAL) == "centre"


def test_a_copy_is_told_from_the_card(city: City) -> None:
    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    city.touch(card, job_id=job.pk)
    copy = VirtualCard(MemoryStore(card.state.image().replace(card.state.uid.encode(), b"04112233445566")))
    report = city.touch(copy)
    assert report.trouble is Trouble.REFUSED
    assert "copied" in report.en


def test_keys_rotated_under_way_have_the_card_made_anew(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    _interrupt(city, card, monkeypatch, at=30, job_id=job.pk)
    city.vault.version = 2
    report = city.touch(card)
    assert report.result is not None
    assert report.result.outcome is Outcome.ROLLED_BACK
    finished = city.touch(card, job_id=Job.objects.get(retry_of_id=job.pk).pk)
    assert finished.result is not None
    assert finished.result.outcome is Outcome.DONE


def test_a_station_that_lost_its_card_writes_nothing_more(city: City) -> None:
    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    slot = CardSlot(card)
    slot.await_card()
    first = api.touch(Request("A", DESK, job_id=job.pk), city.vault)
    command = next(first)
    for _ in range(25):
        command = first.send(slot.exchange(command))
    report = city.touch(card)
    assert report.result is not None
    assert (report.result.outcome, report.result.resumed) == (Outcome.DONE, True)
    with pytest.raises(TakenOver):
        while True:
            command = first.send(Response(bytes(command.le or 0), Status.OK))
    city.check(card)


def test_a_sim_is_known_by_the_serial_on_it(city: City) -> None:
    job = desk.create_job(_order(city, Medium.SIM), actor=DESK)
    sim = VirtualCard.in_memory(transport_key=city.vault.transport, medium=Carrier.SIM)
    unknown = city.touch(sim, job_id=job.pk)
    assert unknown.trouble is Trouble.REFUSED
    report = city.touch(sim, job_id=job.pk, serial=FIRST_SERIAL + 3)
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE
    content = public_data(sim)
    assert content is not None
    assert content.card_no == report.result.card_no
    assert cards.Card.objects.get().medium == Medium.SIM.value
    again = city.touch(sim, job_id=job.pk, serial=FIRST_SERIAL + 3)
    assert again.trouble is Trouble.REFUSED
    assert "issued already" in again.en


def test_a_uid_card_is_bound_and_not_written(city: City) -> None:
    job = desk.create_job(_order(city, Medium.UID), actor=DESK)
    uid = bytes.fromhex("04A1B2C3D4E5F6")
    done = desk.bind(job.pk, uid=uid, actor=DESK)
    assert (done.state, done.stock_serial, done.uid) == (JobState.DONE, FIRST_SERIAL, uid.hex())
    assert city.place_of(FIRST_SERIAL) == "issued"
    slot = CardSlot(UidCard(uid))
    slot.await_card()
    found, _ = api.play(api.recognise(), slot.exchange)
    assert (found.kind, found.card_no, found.state) == ("issued", done.card_no, "active")
    other = desk.create_job(_order(city, Medium.UID), actor=DESK)
    with pytest.raises(RuleViolated, match="bound"):
        desk.bind(other.pk, uid=uid, actor=DESK)
    with pytest.raises(InvalidInput):
        desk.bind(other.pk, actor=DESK)


def test_a_payment_code_needs_no_card(city: City) -> None:
    job = desk.create_job(_order(city, Medium.QR), actor=DESK)
    done = desk.bind(job.pk, actor=DESK)
    assert (done.state, done.stock_serial, done.uid) == (JobState.DONE, None, None)
    assert cards.Card.objects.get().medium == Medium.QR.value
    chip = desk.create_job(_order(city), actor=DESK)
    with pytest.raises(InvalidInput):
        desk.bind(chip.pk, actor=DESK)


def test_cards_are_recognised(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    def kind(card: VirtualCard) -> tuple[str, str]:
        slot = CardSlot(card)
        slot.await_card()
        found, _ = api.play(api.recognise(), slot.exchange)
        slot.release(wait=False)
        return found.kind, found.state

    job, card = desk.create_job(_order(city), actor=DESK), city.blank()
    assert kind(card) == ("blank", "")
    _interrupt(city, card, monkeypatch, at=40, job_id=job.pk)
    assert kind(card) == ("in_work", "writing")
    city.touch(card)
    assert kind(card) == ("issued", "active")
    elsewhere = VirtualCard(MemoryStore(card.state.image()))
    elsewhere.state.uid = "04aaaaaaaaaaaa"
    assert kind(VirtualCard(MemoryStore(elsewhere.state.image()))) == ("foreign", "")


def test_keys_that_do_not_fit_together_stop_the_station(city: City) -> None:
    real = city.vault.open_personalisation

    def half(card: object) -> object:
        keys = real(card)
        versions = keys.versions()
        keys.versions = lambda: {use: (2 if use == "tac" else v[0], *v[1:]) for use, v in versions.items()}  # type: ignore[method-assign]
        return keys

    city.vault.open_personalisation = half  # type: ignore[method-assign,assignment]
    job = desk.create_job(_order(city), actor=DESK)
    report = city.touch(city.blank(), job_id=job.pk)
    assert report.trouble is Trouble.REFUSED
    assert "K1" in report.en
    assert desk.get_job(job.pk).state == JobState.QUEUED


@pytest.mark.parametrize("at", [1, 3, 6, 9, 40])
def test_a_card_changed_for_another_during_the_work_is_not_issued(city: City, at: int) -> None:
    """As over a relay, which does not tell that a card was taken away: after so many commands another blank lies there."""
    job = desk.create_job(_order(city, holder_id=city.holder()), actor=DESK)
    first, second = city.blank(), city.blank()
    first.power_on()
    second.power_on()
    talk, sent = api.touch(Request("test", DESK, job_id=job.pk), city.vault), 0
    command = next(talk)
    try:
        while True:
            chip = first if sent < at else second
            command = talk.send(Response.parse(chip.transmit(bytes(command))))
            sent += 1
    except StopIteration as end:
        assert end.value.outcome is not Outcome.DONE
    except (NotFound, RuleViolated):
        pass
    assert not [
        card for card in (first, second) if public_data(card) is not None and city.state(public_data(card).card_no) == "active"
    ]
    assert not cards.Card.objects.exists()


def test_a_job_or_batch_is_for_the_operators_own_people_accounts_and_units(city: City) -> None:
    root = Operator.objects.get(parent=None).pk
    other = operators.create_operator("OTH", "别的运营单位", parent_id=root, holder_cap=100).pk
    unit = operators.create_unit(other, "U1", name="别的单位").pk
    stranger = people.create_holder(other, people.NewHolder(name="外人")).pk
    with pytest.raises(NotFound, match=f"no such unit: {unit}"):
        desk.create_job(desk.JobOrder(city.operator, city.card_type, unit_id=unit), actor=DESK)
    with pytest.raises(NotFound, match=f"no such cardholder: {stranger}"):
        desk.create_job(_order(city, holder_id=stranger), actor=DESK)
    with pytest.raises(NotFound, match="no such account"):
        desk.create_job(desk.JobOrder(other, city.card_type, recipient=Recipient(account_no=1000000000008)), actor=DESK)
    with pytest.raises(NotFound, match=f"no such cardholder: {stranger}"):
        city.batch(recipients=[Recipient(holder_id=city.holder()), Recipient(holder_id=stranger)])
    assert not Job.objects.exists()
