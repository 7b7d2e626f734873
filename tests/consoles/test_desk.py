"""The quarantine desk: what waits is shown with its age and reason, one proposes, another approves, and money moves then."""

from collections.abc import Callable

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client

from onecard.consoles.centre.roles import Role
from onecard.services.chip.models import Decision, HeldRecord
from onecard.services.chip.raw import raw
from tests.chip.kit import Chip
from tests.consoles import chipcity
from tests.httpapi.conftest import BASE, program, token  # noqa: F401 - fixtures
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

PAGE = "/centre/desk/"


@pytest.fixture
def chip(city: City, centre: TestDatabase) -> Chip:
    return chipcity.trouble(centre, city)


def _shadow(chip: Chip) -> int:
    row = raw().execute("SELECT balance_fen FROM ledger.chip_purse WHERE card_no = %s", [chip.card_no]).fetchone()
    return int(row[0]) if row else 0


def test_each_list_shows_its_rows_with_age_and_reason(chip: Chip, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.FINANCE)
    first = client.get(PAGE)
    assert {key: figure.count for key, _title, figure in first.context["tabs"] if figure} == {
        "quarantine": 1, "gray": 1, "holes": 2, "doubts": 1,
    }  # fmt: skip
    assert "TAC 错误" in first.content.decode() and "¥12.50" in first.content.decode()
    for tab, said in (("gray", "灰记录"), ("holes", "笔记录尚未上送"), ("doubts", "已扣款")):
        page = client.get(PAGE, {"tab": tab}).content.decode()
        assert said in page and str(chip.card_no) in page, tab
    assert client.get(PAGE, {"age": "24"}).context["rows"] == []
    assert len(client.get(PAGE, {"reason": "tac_wrong", "card": chip.card_no}).context["rows"]) == 1
    assert client.get(PAGE, {"reason": "time_old"}).context["rows"] == []
    assert client.get(PAGE, {"tab": "nothing"}).status_code == 404
    life = client.get(f"/centre/cards/{chip.card_no}/").content.decode()
    assert 'class="chip"' in life, "the chip's part of the time line"


def test_a_chip_below_zero_is_listed_and_may_be_written_off(
    chip: Chip, centre: TestDatabase, signed_in: Callable[..., Client]
) -> None:
    client = signed_in(Role.FINANCE)
    assert "没有余额为负的芯片" in client.get(PAGE, {"tab": "below"}).content.decode()
    with psycopg.connect(centre.owner_dsn, autocommit=True) as owner:
        owner.execute("UPDATE ledger.chip_purse SET balance_fen = -725 WHERE card_no = %s", [chip.card_no])
    page = client.get(PAGE, {"tab": "below"}).content.decode()
    assert "¥-7.25" in page and str(chip.card_no) in page and 'value="write_off"' in page


def test_a_record_is_released_by_two_people_and_by_no_one_alone(
    chip: Chip, signed_in: Callable[..., Client], staff: Callable[..., User]
) -> None:
    finance, admin = signed_in(Role.FINANCE), signed_in(Role.ADMINISTRATOR)
    record, before = HeldRecord.objects.get(gray=False), _shadow(chip)
    form = {"subject": "record", "id": record.pk, "outcome": "release", "reason": "与终端日志一致", "tab": "quarantine"}
    assert "请写明事由" in finance.post(f"{PAGE}propose/", form | {"reason": " "}, follow=True).content.decode()
    assert "须由另一人批准" in finance.post(f"{PAGE}propose/", form, follow=True).content.decode()
    decision = Decision.objects.get()
    own = finance.get(PAGE, {"tab": "waiting"}).content.decode()
    assert "撤回" in own and 'value="approve"' not in own
    finance.post(f"{PAGE}{decision.pk}/", {"act": "approve"})
    record.refresh_from_db()
    assert (record.state, _shadow(chip)) == ("open", before), "the same person approves nothing"
    assert 'value="approve"' in admin.get(PAGE).content.decode()
    done = admin.post(f"{PAGE}{decision.pk}/", {"act": "approve", "tab": "quarantine"}, follow=True).content.decode()
    record.refresh_from_db()
    assert "已批准并执行" in done and (record.state, _shadow(chip)) == ("posted", before - 1250)
    again = admin.post(f"{PAGE}{decision.pk}/", {"act": "approve"}, follow=True).content.decode()
    assert "oc-" in again and _shadow(chip) == before - 1250, "what is decided is decided once"


def test_a_proposal_is_turned_down_and_the_record_stays_open(chip: Chip, signed_in: Callable[..., Client]) -> None:
    finance, admin = signed_in(Role.FINANCE), signed_in(Role.ADMINISTRATOR)
    record = HeldRecord.objects.get(gray=False)
    form = {"subject": "record", "id": record.pk, "outcome": "refuse", "reason": "伪造"}
    finance.post(f"{PAGE}propose/", form)
    admin.post(f"{PAGE}{Decision.objects.get().pk}/", {"act": "reject"})
    record.refresh_from_db()
    assert record.state == "open" and Decision.objects.get().approved is False
    assert finance.get(PAGE, {"tab": "waiting"}).context["rows"] == []
    assert finance.post(f"{PAGE}propose/", form | {"outcome": "nonsense"}).status_code == 404


def test_the_desk_over_rest_takes_two_people_as_well(chip: Chip, program: Callable[..., Client]) -> None:  # noqa: F811
    finance, admin = program(Role.FINANCE), program(Role.ADMINISTRATOR)
    overview = finance.get(f"{BASE}/desk").json()
    assert [overview[name]["count"] for name in ("quarantine", "gray", "holes", "doubts")] == [1, 1, 2, 1], (
        "the hole is one of the card and one of the SAM"
    )
    (record,) = finance.get(f"{BASE}/desk/quarantine").json()["items"]
    assert record["reasons"] == ["tac_wrong"] and record["amount_fen"] == 1250 and record["proposed"] is None
    for path, count in (("gray", 1), ("holes", 2), ("doubts", 1)):
        rows = finance.get(f"{BASE}/desk/{path}").json()["items"]
        assert [row["age_s"] < 600 for row in rows] == [True] * count, path
    body = {"subject": "record", "subject_id": record["id"], "outcome": "release", "reason": "ok"}
    kind, before = "application/json", _shadow(chip)
    decision = finance.post(f"{BASE}/desk/decisions", body, kind, headers={"Idempotency-Key": "propose-01"}).json()
    approve = f"{BASE}/desk/decisions/{decision['id']}/approve"
    own = finance.post(approve, {}, kind, headers={"Idempotency-Key": "approve-01"})
    assert (own.status_code, own.json()["code"]) == (403, "FORBIDDEN")
    for _ in range(2):
        done = admin.post(approve, {}, kind, headers={"Idempotency-Key": "approve-01"})
        assert done.json()["approved"] is True
    assert _shadow(chip) == before - 1250
    standing = admin.get(f"{BASE}/chips/{chip.card_no}").json()
    assert (standing["balance_fen"], standing["open_holes"]) == (_shadow(chip), 1) and standing["missing"]
