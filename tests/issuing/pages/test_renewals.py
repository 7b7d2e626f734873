"""The card page and REST ask for a card with a chip: a job for a station, and the old card as it was until that is done."""

from collections.abc import Callable

from django.test import Client

from onecard.consoles.centre.roles import Role
from onecard.ledger.codes import Medium
from onecard.services.cards import api as cards
from onecard.services.issuing import api as issuing
from onecard.services.issuing.models import Job, JobState
from tests.consoles.cardcity import FIRST, PLATFORM, CardCity
from tests.httpapi.conftest import BASE


def _lost(made: CardCity) -> int:
    cards.operate(made.card_no, cards.Operation.REPORT_LOST, actor=PLATFORM)
    return made.card_no


def test_the_desk_sees_the_money_and_asks_for_a_job(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client, old = signed_in(Role.CARD_DESK, english=True), _lost(card_city)
    act, form = f"/centre/cards/{old}/do/replace/", {"key": "web-replace-1", "medium": "1", "reason": "lost", "confirmed": "0"}
    trial = client.post(act, form).context["trial"]
    assert trial["pays"] == "15.00"
    assert "any station with a reader" in trial["station"]
    assert not Job.objects.exists()
    for _ in range(2):
        assert client.post(act, form | {"confirmed": "1"}).status_code == 302
    job = Job.objects.get()
    assert (job.purpose, job.old_card_no, job.why, job.state) == ("replace", old, "lost", JobState.QUEUED)
    assert cards.card(old, actor=PLATFORM).state == "lost"
    page = client.get(f"/centre/cards/{old}/").content.decode()
    assert f"onecard cards job write {job.pk}" in page
    assert f"replacement job {job.pk} asked for" in page
    assert str(old) in client.get(f"/centre/batches/jobs/{job.pk}/").content.decode()
    issuing.roll_back(job.pk, actor=PLATFORM, reason="found again")
    assert "found again" in client.get(f"/centre/cards/{old}/").content.decode()


def test_a_chip_card_over_rest_is_accepted_with_its_job(card_city: CardCity, program: Callable[..., Client]) -> None:
    client, old = program(Role.CARD_DESK), _lost(card_city)

    def ask(medium: Medium, key: str, **more: object) -> tuple[int, dict[str, object]]:
        body = {"operation": "replace", "reason": "丢失", "new_card": {"medium": medium.value} | more}
        headers = {"Idempotency-Key": key}
        answer = client.post(f"{BASE}/cards/{old}/operations", body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    first, again = (ask(Medium.CPU, "replace-0001", serial=FIRST + 50) for _ in range(2))
    assert first == again
    assert first[0] == 202
    assert (first[1]["purpose"], first[1]["old_card_no"], first[1]["state"]) == ("replace", old, "queued")
    other = ask(Medium.SIM, "replace-0002")
    assert (other[0], other[1]["rule"]) == (409, "C2")
    assert cards.card(old, actor=PLATFORM).state == "lost"
    done = ask(Medium.QR, "replace-0003")
    assert (done[0], done[1]["state_after"]) == (200, "replaced")
