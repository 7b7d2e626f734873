"""What no schema can know is still refused in words: numbers nothing has, NUL, rights that were lost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.roles import Role
from onecard.services.cards.models import StockDocument
from onecard.services.issuing.models import Job
from tests.consoles import cardcity
from tests.consoles.cardcity import CardCity
from tests.httpapi.conftest import BASE
from tests.httpapi.test_cards import post
from tests.issuing.conftest import City as IssuingCity
from tests.issuing.conftest import make_city
from tests.issuing.vault import MemoryVault
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

HUGE = 10**23 - 1


@pytest.fixture
def made(city: City) -> CardCity:
    return cardcity.build(city)


def test_a_finished_job_with_a_stock_card_is_read_and_one_is_rolled_back(
    centre: TestDatabase, program: Callable[..., Client]
) -> None:
    city: IssuingCity = make_city(centre, MemoryVault())
    city.issued()
    done, client = Job.objects.get(), program()
    (row,) = client.get(f"{BASE}/jobs").json()["items"]
    assert (row["stock_serial"], row["state"]) == (done.stock_serial, "done")
    assert client.get(f"{BASE}/jobs/{done.pk}").json()["steps"]
    for act, state in (("roll-back", "rolled_back"), ("write-off", "")):
        asked = {"operator_id": city.operator, "card_type_id": city.card_type}
        job = post(client, "/jobs", asked, key=f"job-{act}")
        assert job.status_code == 200, job.content
        answer = post(client, f"/jobs/{job.json()['id']}/{act}", {"reason": "停"})
        assert answer.status_code == (200 if state else 409), "only a card that was taken up is written off"
        assert not state or answer.json()["state"] == state


def test_what_nothing_has_is_refused_in_words_of_our_own(made: CardCity, program: Callable[..., Client]) -> None:
    client = program()
    job = {"operator_id": made.operator, "card_type_id": made.card_type, "medium": 3}
    line = {"card_type_id": made.card_type, "quantity": 1}
    exchange = {"operation": "exchange", "new_card": {"medium": 4, "serial": HUGE}}
    answers: list[Any] = [
        post(client, "/jobs", job | {"recipient": {"holder_id": 987_654_321}}, key="job-000001"),
        post(client, "/jobs", job | {"card_type_id": 999}, key="job-000002"),
        post(client, "/jobs", job | {"card_type_id": HUGE}, key="job-000003"),
        post(client, "/jobs", job | {"card_type_id": 2**40}, key="job-000004"),
        post(client, "/jobs", job | {"unit_id": 99_999}, key="job-000005"),
        post(client, "/stock/orders", {"supplier": "x", "lines": [line | {"card_type_id": 999}]}, key="order-0001"),
        post(client, f"/cards/{made.card_no}/operations", exchange, key="exchange-1"),
        post(client, f"/cards/{made.card_no}/operations", {"operation": "freeze", "reason": "a\0b"}, key="freeze-001"),
        client.get(f"{BASE}/stock/serials/{HUGE}"),
        client.get(f"{BASE}/holders", {"name": "\0"}),
        client.get(f"{BASE}/holders", {"after": str(HUGE)}),
    ]
    for place, answer in enumerate(answers):
        assert answer.status_code in {404, 409, 422}, (place, answer.content)
        said = answer.content.decode().lower()
        assert not any(word in said for word in ("violates", "constraint", "fkey", "_fk_", "out of range", "postgres")), said
    assert "body.new_card.serial" in answers[6].json()["en"]
    assert not Job.objects.exists() and StockDocument.objects.filter(kind="order").count() == 0


def test_a_kept_answer_is_not_given_again_to_who_has_lost_the_right(made: CardCity, program: Callable[..., Client]) -> None:
    client = program(Role.CARD_DESK)
    body = {"supplier": "厂", "lines": [{"card_type_id": made.card_type, "first": 90_001, "last": 90_100}]}
    assert post(client, "/stock/receipts", body, key="receipt-0001").status_code == 200
    assert post(client, "/stock/receipts", body, key="receipt-0001").status_code == 200
    user = User.objects.get(username="card-desk")
    bound = StaffOperator.objects.create(staff_id=user.pk, operator_id=made.operator)
    assert post(client, "/stock/receipts", body, key="receipt-0001").status_code == 403
    bound.delete()
    user.groups.clear()
    assert post(client, "/stock/receipts", body, key="receipt-0001").status_code == 403
    assert StockDocument.objects.filter(kind="receipt").count() == 2, "the city's own and the first"
