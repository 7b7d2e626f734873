"""The pages of cards, stock, cardholders and the desk: what each role may open, and what each does through the services."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from onecard.consoles.centre.roles import Role
from onecard.services.cards import api as cards
from onecard.services.cards.api import State
from onecard.services.people import api as people
from onecard.services.people.models import Department, Holder, LegalCap
from tests.consoles import chipcity
from tests.consoles.cardcity import FIRST, PLATFORM, CardCity, issue
from tests.consoles.conftest import PASSWORD  # noqa: F401
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

VIEWER, FINANCE, DESK, ADMIN, KEYS = Role.VIEWER, Role.FINANCE, Role.CARD_DESK, Role.ADMINISTRATOR, Role.KEY_OFFICER
ALL = {VIEWER, FINANCE, DESK, ADMIN, KEYS}
PAGES = {
    "card-types/": ALL,
    "card-types/{type}/": ALL,
    "stock/": ALL - {KEYS},
    "stock/places/{place}/": ALL - {KEYS},
    "stock/documents/{document}/": ALL - {KEYS},
    "stock/new/order/": {DESK, ADMIN},
    "stock/new/receive/": {DESK, ADMIN},
    "stock/new/hand-over/": {DESK, ADMIN},
    "stock/new/return/": {DESK, ADMIN},
    "stock/new/scrap/": {DESK, ADMIN},
    "batches/": ALL - {KEYS},
    "batches/new/": {DESK, ADMIN},
    "cards/": {FINANCE, DESK, ADMIN},
    "cards/{card}/": {FINANCE, DESK, ADMIN},
    "cards/{card}/do/report_lost/": {DESK, ADMIN},
    "holders/": {FINANCE, DESK, ADMIN},
    "holders/new/": {DESK, ADMIN},
    "holders/{holder}/": {FINANCE, DESK, ADMIN},
    "departments/": {FINANCE, DESK, ADMIN},
    "legal-caps/": {FINANCE, DESK, ADMIN},
    "loads/": {DESK, ADMIN},
    "desk/": {FINANCE, ADMIN},
    "desk/?tab=gray": {FINANCE, ADMIN},
    "desk/?tab=holes": {FINANCE, ADMIN},
    "desk/?tab=doubts": {FINANCE, ADMIN},
    "desk/?tab=waiting": {FINANCE, ADMIN},
}
ACTS = {
    "card-types/{type}/drop/": {ADMIN},
    "batches/1/control/": {DESK, ADMIN},
    "batches/jobs/1/act/": {DESK, ADMIN},
    "cards/{card}/undo/1/": {DESK, ADMIN},
    "holders/{holder}/set-photo/": {DESK, ADMIN},
    "holders/{holder}/close/": {DESK, ADMIN},
    "departments/1/": {DESK, ADMIN},
    "desk/propose/": {FINANCE, ADMIN},
    "desk/1/": {FINANCE, ADMIN},
}


def _fill(path: str, made: CardCity) -> str:
    document = cards.documents().first()
    values = {"type": made.card_type, "place": cards.centre().pk, "card": made.card_no, "holder": made.holder.pk}
    return "/centre/" + path.format(document=document.pk if document else 0, **values)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_pages_and_acts_and_no_others(role: Role, card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(role)
    opened = {page for page in PAGES if client.get(_fill(page, card_city)).status_code == 200}
    assert opened == {page for page, roles in PAGES.items() if role in roles}
    acted = {path for path in ACTS if client.post(_fill(path, card_city)).status_code != 403}
    assert acted == {path for path, roles in ACTS.items() if role in roles}
    assert client.get(_fill("desk/propose/", card_city)).status_code in (403, 405), "acts are posted"


def test_rules_are_set_from_a_day_on_and_refused_for_the_past(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    page = f"/centre/card-types/{card_city.card_type}/"
    shown = client.get(page).content.decode()
    assert "in force" in shown and "¥20.00" in shown
    first = re.findall(r'name="valid_from" value="([^"]+)"', shown)[0]
    form = {
        "valid_from": first, "on_media": ["1"], "real_name_allowed": "on", "public_purse": "on", "deposit_fen": "30",
        "issue_fee_fen": "", "replace_fee_fen": "12.5", "exchange_fee_fen": "0", "return_fee_fen": "0", "validity_months": "60",
        "waiting_days": "7", "max_per_holder": "1", "undo_minutes": "30",
    }  # fmt: skip
    assert client.post(page, form).status_code == 302
    newest = cards.find_rules(card_city.card_type, __import__("datetime").date(2099, 1, 1))
    assert newest is not None and (newest.deposit_fen, newest.replace_fee_fen, newest.created_by) == (3000, 1250, "administrator")
    refused = client.post(page, form | {"valid_from": "2020-01-01"}).content.decode()
    assert "rules cannot begin in the past" in refused
    assert "Give an amount in yuan" in client.post(page, form | {"deposit_fen": "1.234"}).content.decode()
    assert client.post(f"{page}drop/", {"valid_from": first}).status_code == 302
    newest = cards.find_rules(card_city.card_type, __import__("datetime").date(2099, 1, 1))
    assert newest is not None and newest.deposit_fen == 2000


def test_stock_moves_by_documents_and_a_second_press_moves_nothing_more(
    card_city: CardCity, signed_in: Callable[..., Client]
) -> None:
    client = signed_in(Role.CARD_DESK, english=True)
    page = client.get("/centre/stock/new/receive/").content.decode()
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    form = {"key": key, "supplier": "华卡厂", "card_type": card_city.card_type, "first": 20_001, "last": 20_300, "reason": ""}
    first, second = (client.post("/centre/stock/new/receive/", form).headers["Location"] for _ in range(2))
    assert first == second
    taken = client.post("/centre/stock/new/receive/", form | {"key": "web-another-key"}).content.decode()
    assert "C1" in taken
    backwards = client.post("/centre/stock/new/receive/", form | {"key": "web-third-key", "first": 9, "last": 3}).content.decode()
    assert "The last serial comes before the first" in backwards
    scrap = {"key": "web-scrap-key", "source": "centre", "card_type": card_city.card_type, "first": 20_001, "last": 20_010}
    assert "This field is required" in client.post("/centre/stock/new/scrap/", scrap).content.decode()
    assert client.post("/centre/stock/new/scrap/", scrap | {"reason": "water damage"}).status_code == 302
    stock = client.get("/centre/stock/", {"serial": 20_005}).content.decode()
    assert "water damage" in stock and stock.count("20,005") == 0
    levels = {(str(row.place), row.quantity) for row in cards.levels()}
    assert ("市中心库", 500 - 1 + 300 - 10) in levels


def test_a_card_is_reported_lost_seen_first_and_lifted(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.CARD_DESK)
    page = f"/centre/cards/{card_city.card_no}/"
    assert client.get("/centre/cards/", {"q": card_city.card_no}).headers["Location"] == page
    for text in ("王小明", "13800000001", card_city.account_no):
        assert str(card_city.card_no) in client.get("/centre/cards/", {"q": text}).content.decode()
    shown = client.get(page).content.decode()
    assert "书面挂失" in shown and "解挂" not in shown
    act = f"{page}do/report_lost/"
    key = re.findall(r'name="key" value="([^"]+)"', client.get(act).content.decode())[0]
    trial = client.post(act, {"key": key, "reason": "丢了", "confirmed": "0"}).content.decode()
    assert "不收付现金" in trial
    assert cards.card(card_city.card_no, actor=PLATFORM).state == State.ACTIVE, "a trial leaves nothing"
    for _ in range(2):
        client.post(act, {"key": key, "reason": "丢了", "confirmed": "1"})
    assert cards.card(card_city.card_no, actor=PLATFORM).state == State.LOST
    assert cards.events(card_city.card_no, actor=PLATFORM).filter(operation="report_lost").count() == 1
    shown = client.get(page).content.decode()
    assert "丢了" in shown and "解挂" in shown
    lift = f"{page}do/lift/"
    client.post(lift, {"key": "web-lift-key-1", "confirmed": "1"})
    assert cards.card(card_city.card_no, actor=PLATFORM).state == State.ACTIVE
    (event,) = re.findall(rf"/centre/cards/{card_city.card_no}/undo/(\d+)/", client.get(page).content.decode())
    client.post(f"{page}undo/{event}/", {"reason": "误操作"})
    assert cards.card(card_city.card_no, actor=PLATFORM).state == State.LOST


def test_money_is_shown_before_it_moves_and_moves_exactly_so(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.CARD_DESK, english=True)
    act = f"/centre/cards/{card_city.card_no}/do/return/"
    trial = client.post(act, {"key": "web-return-key", "confirmed": "0"}).context["trial"]
    assert trial is not None and trial["gets"] == "120.00", "the deposit of 20 and the purse's 100"
    client.post(act, {"key": "web-return-key", "confirmed": "1"})
    (event,) = cards.events(card_city.card_no, actor=PLATFORM).filter(operation="return")
    assert event.cash_fen == -12_000
    again = client.post(act, {"key": "web-return-key2", "confirmed": "1"})
    assert again.status_code == 404, "a returned card has no such button"


def test_a_return_shows_what_of_a_chip_that_was_not_read_stays(
    centre: TestDatabase, city: City, card_city: CardCity, signed_in: Callable[..., Client]
) -> None:
    chip = chipcity.trouble(centre, city)
    act = f"/centre/cards/{chip.card_no}/do/return/"
    client = signed_in(Role.CARD_DESK, english=True)
    assert {"chip_counter", "chip_balance"} <= set(client.get(act).context["form"].fields)
    for typed, told in (
        ({}, "records are missing"),
        ({"chip_counter": "9", "chip_balance": "1.00"}, "the chip counts 9"),
    ):
        page = client.post(act, {"key": "web-chip-return", "confirmed": "0", **typed})
        assert page.context["trial"]["chip"] == "" and told in page.context["trial"]["chip_note"]
        assert 'id="chip-note"' in page.content.decode()
    half = client.post(act, {"key": "web-chip-return", "confirmed": "0", "chip_counter": "9"})
    assert half.context["trial"] is None and "both" in half.content.decode()
    assert "chip_counter" not in client.get(f"/centre/cards/{card_city.card_no}/do/return/").context["form"].fields


def test_a_lost_card_is_replaced_with_its_blank_and_fee(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client, old = signed_in(Role.CARD_DESK, english=True), card_city.card_no
    cards.operate(old, cards.Operation.REPORT_LOST, actor=PLATFORM)
    form = {"key": "web-replace-1", "medium": "4", "serial": FIRST + 100, "confirmed": "0"}
    form["medium"] = str(cards.card(old, actor=PLATFORM).medium)
    page = client.post(f"/centre/cards/{old}/do/replace/", form)
    assert page.context["trial"]["pays"] == "15.00"
    assert cards.where_is(FIRST + 100).place == cards.centre(), "the trial claims no blank"
    assert client.post(f"/centre/cards/{old}/do/replace/", form | {"confirmed": "1"}).status_code == 302
    replaced = cards.card(old, actor=PLATFORM)
    assert replaced.state == State.REPLACED and replaced.replaced_by.serial == FIRST + 100


def test_another_operators_card_is_not_there(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    from django.contrib.auth.models import User

    from onecard.consoles.centre.models import StaffOperator

    other, _account = issue(card_city.city, operator="root")
    client = signed_in(Role.CARD_DESK)
    StaffOperator.objects.create(staff_id=User.objects.get().pk, operator_id=card_city.operator)
    assert client.get(f"/centre/cards/{card_city.card_no}/").status_code == 200
    assert client.get(f"/centre/cards/{other}/").status_code == 404
    assert client.post(f"/centre/cards/{other}/do/freeze/", {"key": "web-freeze-1", "confirmed": "1"}).status_code == 404
    assert str(other) not in client.get("/centre/cards/").content.decode()
    assert client.get("/centre/stock/new/receive/").status_code == 403, "receipts are the city centre's"


def test_holders_are_registered_changed_found_and_closed(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.CARD_DESK, english=True)
    unit = card_city.city.units["works"]
    form = {
        "operator": card_city.operator, "name": "李雷", "document_type": "passport", "document_no": "E12345678",
        "unit": unit.pk, "staff_no": "S1", "gender": "m", "phone": "13900000000",
    }  # fmt: skip
    made = client.post("/centre/holders/new/", form)
    holder = Holder.objects.get(name="李雷")
    assert made.headers["Location"] == f"/centre/holders/{holder.pk}/"
    page = client.get(f"/centre/holders/{holder.pk}/").content.decode()
    assert "E12345678" not in page and "****5678" in page
    found = client.post("/centre/holders/find/", {"document_type": "passport", "document_no": "E12345678"})
    assert found.headers["Location"] == f"/centre/holders/{holder.pk}/"
    change = {"name": "李蕾", "unit": unit.pk, "department": "", "staff_no": "S1", "gender": "f", "phone": "13900000001"}
    assert client.post(f"/centre/holders/{holder.pk}/", change).status_code == 302
    holder.refresh_from_db()
    assert (holder.name, holder.gender, holder.phone) == ("李蕾", "f", "13900000001")
    again = client.post("/centre/holders/new/", form).content.decode()
    assert "oc-errors" in again and Holder.objects.filter(name="李雷").count() == 0
    client.post(f"/centre/holders/{holder.pk}/close/")
    holder.refresh_from_db()
    assert holder.state == "closed"


def test_departments_and_legal_caps_are_kept(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    client, unit = signed_in(english=True), card_city.city.units["works"]
    for name, parent in (("工程部", ""), ("一组", "1")):
        parent = parent and str(Department.objects.get(name="工程部").pk)
        assert (
            client.post(f"/centre/departments/?unit={unit.pk}", {"name": name, "code": "", "parent": parent}).status_code == 302
        )
    page = client.get(f"/centre/departments/?unit={unit.pk}").content.decode()
    assert page.index("工程部") < page.index("　一组")
    top = Department.objects.get(name="工程部")
    refused = client.post(f"/centre/departments/{top.pk}/", {"act": "remove", "unit": unit.pk}, follow=True).content.decode()
    assert "still has departments" in refused
    cap = {"valid_from": "2099-01-01", "anonymous_fen": "1000", "registered_fen": "5000", "basis": "人民银行公告"}
    assert client.post("/centre/legal-caps/", cap).status_code == 302
    assert LegalCap.objects.get(valid_from="2099-01-01").anonymous_fen == 100_000
    assert people.caps()[0].created_by == "administrator" if hasattr(people.caps()[0], "created_by") else True
