"""One card from blank to issued; what is refused, and what is given back."""

from onecard.services.cards import api as cards
from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.models import Job, JobState
from onecard.services.issuing.station import Trouble
from tests.issuing.conftest import FIRST_SERIAL, City, is_sealed, public_data


def test_a_blank_becomes_an_issued_card(city: City) -> None:
    batch, card = city.batch(1), city.blank()
    report = city.touch(card, batch)
    assert report.trouble is None, report.en
    assert report.result is not None
    assert report.result.outcome is Outcome.DONE, report.result.en
    job = Job.objects.get()
    assert (job.state, job.stock_serial, job.attempts) == (JobState.DONE, FIRST_SERIAL, 1)
    content = public_data(card)
    assert content is not None
    assert (content.card_no, content.operator_id) == (job.card_no, city.operator)
    assert is_sealed(card, city.vault.transport)
    assert city.place_of(FIRST_SERIAL) == "issued"
    assert cards.Card.objects.get(pk=job.card_no).state == "active"
    city.check(card)


def test_an_issued_card_is_recognised(city: City) -> None:
    batch, card = city.batch(2), city.blank()
    city.touch(card, batch)
    report = city.touch(card, batch)
    assert report.trouble is Trouble.REFUSED
    number = Job.objects.get(state=JobState.DONE).card_no
    assert str(number) in report.en
    assert "active" in report.en
    assert Job.objects.filter(state=JobState.QUEUED).count() == 1
    city.check(card)
