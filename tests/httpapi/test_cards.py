"""Cards, stock and cardholders over REST: the acts happen once, refusals say which rule, other operators' rows are not there."""

from collections.abc import Callable
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from onecard.consoles.centre.roles import Role
from onecard.services.cards import api as cards
from onecard.services.cards.models import StockDocument
from onecard.services.people.models import Holder, LoadJob
from tests.consoles import cardcity, chipcity
from tests.consoles.cardcity import FIRST, PLATFORM, CardCity
from tests.httpapi.conftest import BASE
from tests.settlement.city import City
from tests.support.postgres import TestDatabase


@pytest.fixture
def made(city: City) -> CardCity:
    return cardcity.build(city)


def post(client: Client, path: str, body: dict[str, Any] | None = None, *, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"{BASE}{path}", body or {}, content_type="application/json", headers=headers)


def test_a_receipt_sent_twice_moves_cards_once_and_other_content_is_refused(
    made: CardCity, program: Callable[..., Client]
) -> None:
    client = program(Role.CARD_DESK)
    body = {"supplier": "华卡厂", "lines": [{"card_type_id": made.card_type, "first": 90_001, "last": 90_100}]}
    first, again = (post(client, "/stock/receipts", body, key="receipt-0001") for _ in range(2))
    assert first.status_code == again.status_code == 200 and first.json() == again.json()
    assert StockDocument.objects.filter(kind="receipt").count() == 2, "the city's own and this one"
    other = post(client, "/stock/receipts", body | {"reason": "x"}, key="receipt-0001")
    assert (other.status_code, other.json()["code"], other.json()["rule"]) == (409, "RULE.VIOLATED", "N2")
    elsewhere = post(
        client, "/stock/orders", {"supplier": "x", "lines": [{"card_type_id": 1, "quantity": 1}]}, key="receipt-0001"
    )
    assert elsewhere.status_code == 409
    assert post(client, "/stock/receipts", body).json()["errors"][0]["where"] == "header.Idempotency-Key"


def test_a_refused_act_keeps_nothing_and_names_its_rule(made: CardCity, program: Callable[..., Client]) -> None:
    client = program(Role.CARD_DESK)
    body = {"supplier": "华卡厂", "lines": [{"card_type_id": made.card_type, "first": FIRST, "last": FIRST}]}
    refused = post(client, "/stock/receipts", body, key="receipt-0002")
    assert (refused.status_code, refused.json()["rule"]) == (409, "C1")
    assert refused.json()["zh"] and refused.json()["en"]
    body["lines"] = [{"card_type_id": made.card_type, "first": 80_001, "last": 80_001}]
    assert post(client, "/stock/receipts", body, key="receipt-0002").status_code == 200, "the key is free again"
    log = LogEntry.objects.filter(additional_data__act="called over REST").order_by("id")
    assert [(row.additional_data["answer"], row.actor.username) for row in log] == [(409, "card-desk"), (200, "card-desk")]


def test_a_card_is_tried_operated_once_and_undone(made: CardCity, program: Callable[..., Client]) -> None:
    client = program(Role.CARD_DESK)
    path = f"/cards/{made.card_no}"
    whole = client.get(f"{BASE}{path}").json()
    assert whole["state"] == "active" and {"report_lost", "return"} <= set(whole["operations"])
    assert "expire" not in whole["operations"] and "lift" not in whole["operations"]
    back = {"operation": "return", "reason": "不用了"}
    trial = post(client, f"{path}/operations/trial", back).json()
    assert (trial["cash_fen"], trial["state_after"], trial["id"]) == (-12_000, "returned", 0)
    assert client.get(f"{BASE}{path}").json()["state"] == "active"
    first, again = (post(client, f"{path}/operations", back, key="return-0001").json() for _ in range(2))
    assert first == again and first["cash_fen"] == -12_000 and sum(leg["amount_fen"] for leg in first["legs"]) == 12_000
    assert cards.events(made.card_no, actor=PLATFORM).filter(operation="return").count() == 1
    wrong = post(client, f"{path}/operations", {"operation": "lift"}, key="lift-00001")
    assert (wrong.status_code, wrong.json()["rule"]) == (409, "C3")
    undone = post(client, f"{path}/events/{first['id']}/undo", {"reason": "误操作"}, key="undo-00001").json()
    assert undone["cash_fen"] == 12_000 and client.get(f"{BASE}{path}").json()["state"] == "active"
    lines = client.get(f"{BASE}{path}/timeline").json()
    assert [line["title"]["en"] for line in lines if line["source"] == "life"] == ["issue", "return", "undo"]
    assert {"stock", "life", "money"} <= {line["source"] for line in lines}


def test_a_chip_that_was_not_read_is_not_paid_and_half_a_reading_is_refused(
    centre: TestDatabase, city: City, made: CardCity, program: Callable[..., Client]
) -> None:
    chip, client = chipcity.trouble(centre, city), program(Role.CARD_DESK)
    path, back = f"/cards/{chip.card_no}/operations/trial", {"operation": "return"}
    assert "records are missing" in post(client, path, back).json()["chip_note"]["en"]
    read = post(client, path, back | {"chip_counter": 9, "chip_balance_fen": 100}).json()
    assert "the chip counts 9" in read["chip_note"]["en"] and read["chip_note"]["zh"]
    half = post(client, path, back | {"chip_counter": 9})
    assert half.status_code == 422 and "both" in half.json()["en"]
    assert post(client, f"/cards/{made.card_no}/operations/trial", back).json()["chip_note"] is None


def test_another_operators_rows_are_not_there(made: CardCity, program: Callable[..., Client]) -> None:
    other, account = cardcity.issue(made.city, operator="root")
    client = program(Role.CARD_DESK, operators=[made.operator])
    assert [row["card_no"] for row in client.get(f"{BASE}/cards").json()["items"]] == [made.card_no]
    freeze = {"operation": "freeze"}
    for answer in (
        client.get(f"{BASE}/cards/{other}"),
        client.get(f"{BASE}/cards/{other}/timeline"),
        client.get(f"{BASE}/accounts/{account}"),
        post(client, f"/cards/{other}/operations", freeze, key="freeze-0001"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    stock = {"supplier": "x", "lines": [{"card_type_id": made.card_type, "first": 1, "last": 2}]}
    assert post(client, "/stock/receipts", stock, key="receipt-0009").status_code == 403
    assert client.get(f"{BASE}/stock/levels").json()["items"] == []
    new = {"operator_id": made.city.operators["root"].pk, "name": "外人"}
    assert post(client, "/holders", new, key="holder-0001").status_code == 403
    assert not Holder.objects.filter(name="外人").exists()


def test_rules_are_read_set_and_taken_back(made: CardCity, program: Callable[..., Client]) -> None:
    client, path = program(), f"/card-types/{made.card_type}/rules"
    assert [row["deposit_fen"] for row in client.get(f"{BASE}{path}").json()] == [2000]
    body = {"valid_from": "2099-01-01", "media": [1, 4], "deposit_fen": 2500}
    assert post(client, path, body).json()["media"] == [1, 4]
    assert post(client, path, body | {"valid_from": "2020-01-01"}).json()["rule"] == "C5"
    assert post(client, path, body | {"media": [9]}).status_code == 422
    assert client.delete(f"{BASE}{path}/2099-01-01").status_code == 204
    assert post(client, "/card-types/99/rules", body).status_code == 404


def test_a_holder_is_registered_found_changed_and_closed(made: CardCity, program: Callable[..., Client]) -> None:
    client = program(Role.CARD_DESK)
    body = {"operator_id": made.operator, "name": "韩梅梅", "document_type": "passport", "document_no": "E87654321"}
    holder = post(client, "/holders", body, key="holder-0001").json()
    assert holder["document_last4"] == "4321" and "E87654321" not in str(holder)
    asked = {"operator_id": made.operator, "document_type": "passport", "document_no": "E87654321"}
    assert post(client, "/holders/find-by-document", asked).json()["id"] == holder["id"]
    changed = client.patch(f"{BASE}/holders/{holder['id']}", {"phone": "13700000000"}, content_type="application/json").json()
    assert (changed["phone"], changed["name"]) == ("13700000000", "韩梅梅")
    assert post(client, f"/holders/{holder['id']}/close").json()["state"] == "closed"
    wrong = SimpleUploadedFile("x.jpg", b"not a picture")
    refused = client.post(f"{BASE}/holders/{made.holder.pk}/photo", {"photo": wrong})
    assert (refused.status_code, refused.json()["code"]) == (422, "INPUT.INVALID")


def test_a_load_waits_for_a_worker_and_says_how_far_it_is(made: CardCity, program: Callable[..., Client]) -> None:
    client = program(Role.CARD_DESK)
    file = SimpleUploadedFile("people.csv", "姓名,手机号\n赵一,13600000000\n".encode())
    begun = client.post(f"{BASE}/loads", {"file": file, "operator_id": made.operator, "dry_run": "true"})
    assert begun.status_code == 202, begun.content
    job = begun.json()
    assert (job["state"], job["is_finished"], job["file_name"]) == ("queued", False, "people.csv")
    assert client.get(f"{BASE}/loads/{job['id']}").json()["id"] == job["id"]
    assert LoadJob.objects.get().created_by == "card-desk"


def test_batches_and_jobs_are_made_controlled_and_bound(made: CardCity, program: Callable[..., Client]) -> None:
    client = program(Role.CARD_DESK)
    body = {"name": "春季", "operator_id": made.operator, "card_type_id": made.card_type, "medium": 3, "count": 3}
    batch = post(client, "/batches", body, key="batch-0001").json()
    assert post(client, f"/batches/{batch['id']}/start").json()["state"] == "running"
    jobs = client.get(f"{BASE}/jobs", {"batch_id": batch["id"]}).json()["items"]
    assert len(jobs) == 3
    bound = post(client, f"/jobs/{jobs[0]['id']}/bind", {}, key="bind-00001")
    assert bound.status_code == 200 and bound.json()["state"] == "done", bound.content
    assert client.get(f"{BASE}/batches/{batch['id']}/progress").json()["done"] == 1
    ended = post(client, f"/jobs/{jobs[1]['id']}/roll-back", {"reason": "停"}).json()
    assert (ended["state"], ended["reason_zh"]) == ("rolled_back", "停"), "it is not made again by itself"
    assert post(client, f"/jobs/{jobs[1]['id']}/retry").json()["retry_of_id"] == jobs[1]["id"]
    assert post(client, f"/batches/{batch['id']}/cancel").json()["state"] == "cancelled"
    assert post(client, "/touches/none", {"number": 1, "response": "9000"}).json()["code"] in {"UNAVAILABLE", "NOT_FOUND"}
    assert post(client, "/touches/none", {"number": 1, "response": "9"}).status_code == 422
