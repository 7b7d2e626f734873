"""Keys, ceremonies, dual control and SAMs in the management centre: who sees what, and a ceremony in a real browser."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect

from onecard.consoles.centre.roles import Role
from onecard.services.keys.api import Vault
from onecard.services.keys.custody import requests
from onecard.services.keys.models import Key, Usage
from onecard.services.keys.models.custody import Ceremony, KeyRequest, RequestAction
from onecard.services.keys.models.sams import Sam
from onecard.services.keys.sams import stock
from tests.consoles.browser import Seen, browser_page, chromium, served
from tests.custody.conftest import PASSWORD, person
from tests.support.postgres import TestDatabase

Officers = Callable[..., list[User]]
_ENGLISH = re.compile(r"\b(?:Filters?|Search|Save|Home|State|Select|Next|Previous|Change|Add|Keys?|Reason|Custodian|Enter)\b")


def client_of(user: User) -> Client:
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_only_key_officers_and_administrators_come_in(vault: Vault, officers: Officers) -> None:
    pages = ("keys/status/", "keys/ceremonies/", "keys/requests/", "sams/")
    (officer,), (administrator,) = officers("chen"), officers("root", role=Role.ADMINISTRATOR)
    (finance,), (desk,) = officers("fin", role=Role.FINANCE), officers("desk", role=Role.CARD_DESK)
    for user, status in ((officer, 200), (administrator, 200), (finance, 403), (desk, 403)):
        assert {client_of(user).get(f"/centre/{page}").status_code for page in pages} == {status}, user
    for path in ("keys/ceremonies/open/", "keys/requests/ask/", "sams/take-in/"):
        assert client_of(finance).post(f"/centre/{path}").status_code == 403
        assert client_of(officer).get(f"/centre/{path}").status_code == 405


def test_a_component_is_on_one_page_that_nobody_stores(vault: Vault, officers: Officers) -> None:
    chen, zhang, _li = officers("chen", "zhang", "li")
    form = {"use": "purchase", "algorithm": "0", "scheme": "xor2", "custodians": "zhang\r\nli"}
    client_of(chen).post("/centre/keys/ceremonies/open/", form)
    number = Ceremony.objects.get().pk
    client = client_of(zhang)
    answer = client.post(f"/centre/keys/ceremonies/{number}/component/", {"act": "make"})
    text = answer.context["sheet"].text
    assert text in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert text not in client.get(f"/centre/keys/ceremonies/{number}/").content.decode()
    stranger = client_of(chen).post(f"/centre/keys/ceremonies/{number}/component/", {"act": "make"}, follow=True)
    assert "chen 不是本次仪式的保管人" in stranger.content.decode()


def test_an_own_request_has_no_button_to_approve_it_and_posting_one_is_refused(vault: Vault, officers: Officers) -> None:
    chen, zhao = officers("chen", "zhao")
    (number,) = stock.order_sams(1, order_ref="PO-1", actor=person("chen"))
    stock.receive_sams(["CHIP0001"], order_ref="PO-1", actor=person("chen"))
    stock.block_sam(number, reason="lost", actor=person("chen"))
    client_of(chen).post(f"/centre/sams/{number}/change/", {"act": "unblock", "text": "found"})
    asked = KeyRequest.objects.get()
    own = client_of(chen)
    assert 'value="approve"' not in own.get("/centre/keys/requests/").content.decode()
    refused = own.post(f"/centre/keys/requests/{asked.pk}/", {"act": "approve"}, follow=True)
    assert "申请人不能批准自己的申请" in refused.content.decode()
    assert Sam.objects.get().state == "blocked"
    other = client_of(zhao)
    assert 'value="approve"' in other.get("/centre/keys/requests/").content.decode()
    other.post(f"/centre/keys/requests/{asked.pk}/", {"act": "approve"})
    assert Sam.objects.get().state == "received"


def test_sams_are_ordered_taken_in_found_and_blocked_from_the_pages(vault: Vault, officers: Officers) -> None:
    client = client_of(officers("chen")[0])
    client.post("/centre/sams/take-in/", {"act": "order", "order_ref": "PO-1", "count": "2"})
    client.post("/centre/sams/take-in/", {"act": "receive", "order_ref": "PO-1", "serials": "CHIP0001\r\n"})
    assert [(row["no"], row["state_code"]) for row in client.get("/centre/sams/").context["rows"]] == [
        ("000000000001", "received"),
        ("000000000002", "ordered"),
    ]
    assert len(client.get("/centre/sams/", {"q": "0000 0000 0002"}).context["rows"]) == 1
    assert client.get("/centre/sams/", {"q": "xyz"}).context["problem"]
    client.post("/centre/sams/1/change/", {"act": "block", "text": "stolen"})
    assert Sam.objects.get(pk=1).state == "blocked"
    refused = client.post("/centre/sams/1/change/", {"act": "bind", "text": "10000001"}, follow=True)
    assert "无此终端" in refused.content.decode()
    assert client.get("/centre/sams/99/").status_code == 404


def test_without_a_vault_the_page_says_what_to_do(django_database: TestDatabase, officers: Officers) -> None:
    answer = client_of(officers("chen")[0]).get("/centre/keys/status/")
    assert (answer.status_code, "onecard keys init" in answer.context["problem"]) == (200, True)


@contextmanager
def as_(base: str, name: str) -> Iterator[tuple[Page, Seen]]:
    """A browser of this person's own, signed in."""
    with browser_page(base) as (page, seen):
        page.goto("/centre/")
        page.fill("#id_username", name)
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button[type=submit]")
        expect(page.locator("#login-form")).to_have_count(0)
        yield page, seen
        assert seen.foreign == [], "a request left this machine"
        assert seen.errors == []


def is_chinese_and_fits(page: Page) -> None:
    assert _ENGLISH.findall(page.inner_text("body")) == []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0, page.url


def test_two_custodians_make_a_key_and_two_people_put_it_to_work(
    vault: Vault, database: TestDatabase, officers: Officers
) -> None:
    chromium()
    officers("chen", "zhang", "li")
    with served(database) as base:
        with as_(base, "chen") as (page, _):
            page.goto("/centre/keys/ceremonies/")
            is_chinese_and_fits(page)
            page.select_option("#open-ceremony [name=use]", "purchase")
            page.fill("#open-ceremony [name=scheme]", "xor2")
            page.fill("#open-ceremony [name=custodians]", "zhang\nli")
            page.click("#open-ceremony button")
            expect(page.locator("#ceremony[data-state=open]")).to_be_visible()
            address = page.url
        for name in ("zhang", "li"):
            give_component(base, address, name)
        with as_(base, "chen") as (page, _):
            page.goto(address)
            page.click("#conclude button[value=finish]")
            expect(page.locator("#ceremony[data-state=done]")).to_be_visible()
            expect(page.locator("#kcv")).to_have_text(re.compile("^[0-9A-F]{6}$"))
            shown = page.inner_text("#kcv")
            expect(page.locator("#components tbody tr:has-text('已清除')")).to_have_count(2)
            is_chinese_and_fits(page)
            with page.expect_download() as download:
                page.click("#transcript")
            assert download.value.suggested_filename.startswith("key-ceremony-")
            page.goto("/centre/keys/status/")
            is_chinese_and_fits(page)
            page.fill("#keys .oc-ask [name=reason]", "投产")
            page.click("#keys .oc-ask button[value=activate]")
            expect(page.locator("#key-requests tbody")).to_contain_text("待批准")
            expect(page.locator("#key-requests button[value=approve]")).to_have_count(0)
        with as_(base, "zhang") as (page, _):
            page.goto("/centre/keys/requests/")
            page.click("#key-requests button[value=approve]")
            expect(page.locator("#key-requests tbody")).to_contain_text("已批准并执行")
            is_chinese_and_fits(page)
            page.goto("/centre/keys/status/")
            expect(page.locator("#keys tbody")).to_contain_text("使用中")
    key = Key.objects.get()
    assert (key.state, bytes(key.kcv).hex().upper()) == ("active", shown)
    assert Usage.objects.filter(operation="key.activate", actor__startswith="chen+zhang ").count() == 1


def give_component(base: str, address: str, name: str) -> None:
    """A custodian is given a component, mistypes its check value, then confirms it."""
    with as_(base, name) as (page, _):
        page.goto(address)
        page.click("#make button")
        expect(page.locator("#sheet-text")).to_have_text(re.compile(r"^([0-9A-F]{5} ){8}[0-9A-F]{5}$"))
        check = page.inner_text("#sheet-check")
        is_chinese_and_fits(page)
        page.fill("#confirm [name=check_value]", "000000" if check != "000000" else "111111")
        page.click("#confirm button[value=confirm]")
        expect(page.locator("body")).to_contain_text("校验值不符")
        expect(page.locator("#sheet-text")).to_have_count(0)
        page.fill("#confirm [name=check_value]", check)
        page.click("#confirm button[value=confirm]")
        expect(page.locator("body")).to_contain_text("您的分量已确认")
        expect(page.locator(f"#components tbody tr:has-text('{name}')")).to_contain_text(check)


def test_an_act_on_a_key_that_is_not_there_is_refused(vault: Vault, officers: Officers) -> None:
    answer = client_of(officers("chen")[0]).post(
        "/centre/keys/requests/ask/", {"action": str(RequestAction.DESTROY), "key": "99", "reason": "x"}, follow=True
    )
    assert "无此密钥" in answer.content.decode()
    assert requests.requests() == []
