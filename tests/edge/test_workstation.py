"""The unit's workstation: a unit sees itself alone, over a line only that line's unit; its proof cannot be made up."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from playwright.sync_api import expect

from onecard.datacenter.home import Home
from onecard.protocol.lineunit import HEADER, LineUnit, build_line_unit
from onecard.services.devices import api as devices
from onecard.services.devices.models import DeviceStatus
from onecard.services.operators import api as operators
from onecard.services.operators.models import Unit
from tests.consoles.browser import browser_page, served
from tests.services.conftest import Tree
from tests.support.postgres import TestDatabase

PAGE = "/workstation/"


@pytest.fixture
def credential(tree: Tree) -> operators.OpenedUnit:
    return operators.renew_credential(tree.unit)


@pytest.fixture
def line(tree: Tree) -> int:
    made, _ = devices.create_lines(
        [devices.NewLine("前置机甲", "front_end", tree.unit), devices.NewLine("前置机乙", "front_end", tree.own_unit)]
    )
    merchant = operators.create_merchant("食堂", unit_id=tree.unit).pk
    devices.create_terminals([devices.NewTerminal(merchant, made, name="窗口一")])
    now = datetime.now(UTC)
    DeviceStatus.objects.create(
        line_id=made, heard_at=now, since=now, sampled_at=now, backlog=1234, versions={"deny": 17}, last_error="纸将尽"
    )
    return made


def client(**extra: str) -> Client:
    return Client(headers={"host": "127.0.0.1"}, **extra)


def sign_in(who: Client, credential: operators.OpenedUnit, **headers: str):
    form = {"username": credential.user_name, "password": credential.password}
    return who.post(PAGE + "login/", form, headers=headers)


def proof(unit: int, line: int, target: str, *, method: str = "GET", age_s: int = 0, secret: str = "") -> dict[str, str]:
    key = (secret or Home.from_environment().secret("line-unit")).encode()
    value = build_line_unit(key, LineUnit(unit, line), method=method, target=target, now_s=int(time.time()) - age_s)
    return {HEADER: value, "Host": "192.168.7.2:8480", "X-Forwarded-Proto": "https"}


def test_a_unit_sees_its_own_devices_and_nothing_of_another(tree: Tree, credential, line):
    who = client()
    assert who.get(PAGE).headers["Location"] == PAGE + "login/"
    assert sign_in(who, credential).status_code == 302
    page = who.get(PAGE).content.decode()
    assert all(text in page for text in ("一中", "前置机甲", "窗口一", "1,234", "黑名单 17", "纸将尽", "未上送"))
    assert "工厂" not in page and "前置机乙" not in page
    who.post(PAGE + "logout/")
    assert who.get(PAGE).status_code == 302


def test_in_english_where_it_is_chosen(credential, line):
    who = client()
    sign_in(who, credential)
    who.post(PAGE + "language/", {"language": "en"})
    page = who.get(PAGE).content.decode()
    assert "records not sent yet" in page and not re.search(
        "[\u4e00-\u9fff]", re.sub("一中|前置机甲|窗口一|纸将尽|简体中文", "", page)
    )


def test_wrong_passwords_are_refused_alike_and_then_shut_out(credential):
    who = client()
    answers = [who.post(PAGE + "login/", {"username": name, "password": "wrong"}) for name in (credential.user_name, "nobody")]
    assert [answer.status_code for answer in answers] == [403, 403]
    for _ in range(4):
        who.post(PAGE + "login/", {"username": credential.user_name, "password": "wrong"})
    assert sign_in(who, credential).status_code == 429
    assert who.get(PAGE).status_code == 302


def test_a_credential_made_anew_ends_the_session(tree: Tree, credential):
    who = client()
    sign_in(who, credential)
    assert who.get(PAGE).status_code == 200
    operators.renew_credential(tree.unit)
    assert who.get(PAGE).status_code == 302


def test_a_session_ends_when_nobody_is_there_and_a_page_that_reloads_itself_is_nobody(credential, settings):
    who = client()
    sign_in(who, credential)
    settings.SESSION_IDLE_SECONDS = 600
    held = who.session
    held["workstation"] = held["workstation"] | {"seen": int(time.time()) - 599}
    held.save()
    assert who.get(PAGE + "?poll").status_code == 200
    assert who.session["workstation"]["seen"] < time.time() - 590
    assert who.get(PAGE).status_code == 200
    held = who.session
    held["workstation"] = held["workstation"] | {"seen": int(time.time()) - 601}
    held.save()
    assert who.get(PAGE).status_code == 302


def test_over_a_line_only_that_lines_unit_signs_in(tree: Tree, credential, line):
    who, target = Client(), PAGE + "login/"
    stranger = proof(tree.own_unit, line, target, method="POST")
    refused = sign_in(who, credential, **stranger)
    assert refused.status_code == 403 and "其他单位" in refused.content.decode()
    assert sign_in(who, credential, **proof(tree.unit, line, target, method="POST")).status_code == 302
    assert who.get(PAGE, headers=proof(tree.unit, line, PAGE)).status_code == 200
    assert who.get(PAGE, headers=proof(tree.own_unit, line, PAGE)).status_code == 302


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers: headers | {HEADER: headers[HEADER][:-1] + ("0" if headers[HEADER][-1] != "0" else "1")},
        lambda headers: headers | {HEADER: "2" + headers[HEADER]},
        lambda headers: headers | {HEADER: ""},
        lambda headers: headers | {HEADER: "1.2.3"},
    ],
)
def test_a_proof_that_is_not_the_gateways_is_refused(spoil: Callable[[dict[str, str]], dict[str, str]]):
    headers = proof(1, 1, PAGE + "login/")
    assert Client().get(PAGE + "login/", headers=headers).status_code == 200
    assert Client().get(PAGE + "login/", headers=spoil(headers)).status_code == 403


def test_a_proof_serves_its_own_request_within_a_minute():
    target = PAGE + "login/"
    for headers in (
        proof(1, 1, PAGE),
        proof(1, 1, target + "?a"),
        proof(1, 1, target, method="POST"),
        proof(1, 1, target, age_s=61),
        proof(1, 1, target, age_s=-90),
        proof(1, 1, target, secret="another"),
    ):
        assert Client().get(target, headers=headers).status_code == 403
    assert Client().get(target, headers=proof(1, 1, target, age_s=50)).status_code == 200


def test_over_a_line_nothing_but_the_units_console_is_reached():
    for target in ("/centre/", "/centre/login/", "/api/v1/", "/", "/i18n/setlang/"):
        assert Client().get(target, headers=proof(1, 1, target)).status_code == 404


def test_a_form_of_a_foreign_page_is_refused_over_the_line(tree: Tree, credential, line):
    who, target = Client(enforce_csrf_checks=True), PAGE + "login/"
    who.get(target, headers=proof(tree.unit, line, target))
    form = {"username": credential.user_name, "password": credential.password}
    form["csrfmiddlewaretoken"] = who.cookies["onecard_csrf"].value

    def post(**headers: str) -> int:
        return who.post(target, form, headers=proof(tree.unit, line, target, method="POST") | headers).status_code

    assert post(Origin="https://elsewhere.example") == 403
    assert post(Origin="http://192.168.7.2:8480") == 403
    assert post() == 403  # over TLS a form says where it comes from
    assert post(Origin="https://192.168.7.2:8480") == 302


def test_the_page_in_a_browser(database: TestDatabase, tree: Tree, credential, line):
    assert Unit.objects.filter(pk=tree.unit).update(name="市第一中学") == 1
    with served(database) as base, browser_page(base) as (page, seen):
        target = PAGE + "login/?a=%E4%B8%80"
        answers = [
            page.request.get(base + target, headers=proof(tree.unit, line, signed)).status for signed in (target, PAGE + "login/")
        ]
        assert answers == [200, 403]  # the real server hands on what the gateway has signed
        page.goto(PAGE)
        page.fill("input[name=username]", credential.user_name)
        page.fill("input[name=password]", credential.password)
        page.click("#login button")
        expect(page.locator("h1")).to_contain_text("市第一中学")
        expect(page.locator("#lines")).to_contain_text("前置机甲")
        expect(page.locator("#devices")).to_contain_text("窗口一")
        page.click("button[value=en]")
        expect(page.locator("h2").first).to_have_text("Lines of this unit")
        page.click("text=Log out")
        expect(page.locator("#login")).to_be_visible()
        assert (seen.errors, seen.foreign) == ([], [])
