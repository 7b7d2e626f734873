"""A unit's browser through every real process: front-end, line, gateway, web tier; only the line's own unit is let in."""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from onecard.services.devices import api as devices
from onecard.services.operators import api as operators
from onecard.services.operators.models import Unit
from onecard.terminal.enrol import enrol
from tests.admission.conftest import ADMIN
from tests.admission.house import free_ports, front_end, running, until
from tests.admission.test_end_to_end import HOURS
from tests.consoles.browser import browser_page, served
from tests.support.postgres import TestDatabase

PAGE = "/workstation/"


@dataclass
class Place:
    """A unit with a front-end: what its people know, and where their browsers go."""

    unit: int
    line: int
    name: str
    user_name: str
    password: str
    home: Path
    port: int = 0


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


class Browser:
    """As much of one as a form needs: cookies, and the token of the form; over TLS, with the front-end's certificate checked."""

    def __init__(self, place: Place) -> None:
        self.port = place.port
        self.tls = ssl.create_default_context(cafile=str(place.home / "ca.pem"))
        self.cookies: SimpleCookie = SimpleCookie()

    def ask(self, method: str, target: str, body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.tls, timeout=20)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())
        origin = f"https://localhost:{self.port}"
        sent = {"Cookie": cookie, "Origin": origin, "Referer": origin + target} | headers
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, target, body, {name: value for name, value in sent.items() if value})
            got = connection.getresponse()
            for line in got.headers.get_all("Set-Cookie") or ():
                self.cookies.load(line)
            return Answer(got.status, got.headers, got.read().decode())
        finally:
            connection.close()

    def sign_in(self, who: Place) -> Answer:
        form = self.ask("GET", PAGE + "login/")
        assert form.status == 200, form
        token = form.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        fields = {"csrfmiddlewaretoken": token, "username": who.user_name, "password": who.password}
        return self.ask("POST", PAGE + "login/", urlencode(fields))


def open_place(root: int, name: str, folder: Path) -> Place:
    now = datetime.now(UTC)
    unit = Unit.objects.create(
        operator_id=root, code=name.upper(), name=name, state="active", purse_order=2, valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=365),
    )  # fmt: skip
    credential = operators.renew_credential(unit.pk)
    line = devices.create_line(devices.NewLine(f"front-end of {name}", kind="front_end", unit_id=unit.pk))
    return Place(unit.pk, line, name, credential.user_name, credential.password, folder / name)


@pytest.fixture
def places(
    root: int, new_home, monkeypatch: pytest.MonkeyPatch, django_database: TestDatabase, tmp_path: Path
) -> Iterator[tuple[Place, Place]]:
    """Two units, the browsers of the first over TLS, of the second on the machine itself."""
    home = new_home()
    home.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(home.path))
    devices.ensure_gateway_files()
    school, mill = open_place(root, "school", tmp_path), open_place(root, "mill", tmp_path)
    with ExitStack() as stack:
        web = stack.enter_context(served(django_database)).removeprefix("http://")
        house = stack.enter_context(running(home, django_database, web=web))
        devices.set_admission_settings(f"127.0.0.1:{house.enrol}", HOURS, actor=ADMIN)
        for place, over_tls in ((school, True), (mill, False)):
            enrol(devices.make_enrolment_code(line_id=place.line, actor=ADMIN).uri, place.home)
            (place.port,) = free_ports(1)
            stack.enter_context(front_end(place.home, house.native, browsers=place.port, over_tls=over_tls))
        yield school, mill


def test_a_unit_signs_in_over_its_own_front_end_and_nobody_else_does(places: tuple[Place, Place]) -> None:
    school, mill = places
    browser = Browser(school)
    until(lambda: reachable(browser), 30, what=lambda: (school.home / "fep.log").read_text()[-3000:])
    assert browser.ask("GET", PAGE).headers["Location"] == PAGE + "login/"

    refused = browser.sign_in(mill)
    assert refused.status == 403 and "其他单位" in refused.text
    assert browser.ask("GET", PAGE).status == 302, "and is not signed in"

    assert browser.sign_in(school).status == 302
    page = browser.ask("GET", PAGE)
    assert page.status == 200 and "front-end of school" in page.text and "mill" not in page.text
    assert all(morsel["secure"] and morsel["httponly"] for morsel in browser.cookies.values())

    claimed = browser.ask("GET", PAGE, **{"X-OneCard-Line-Unit": f"{mill.unit}.{mill.line}.9.x", "X-Forwarded-For": "1.2.3.4"})
    assert claimed.status == 200 and "front-end of school" in claimed.text
    assert browser.ask("GET", "/centre/").status == 404
    forged = browser.ask("POST", PAGE + "logout/", "", Origin="https://elsewhere.example", Referer="")
    assert forged.status == 403

    for bad, status in (
        ({f"X-{number}": "y" for number in range(70)}, 431),
        ({"Cookie": "c=" + "d" * 20_000}, 431),
        ({"X": "\x01"}, 400),
    ):
        assert browser.ask("GET", PAGE, **bad).status == status
        assert browser.ask("GET", PAGE).status == 200, "the line is up as before"
    assert (school.home / "fep.log").read_text().count("is up") == 1

    operators.set_unit_state(school.unit, "suspended")
    until(lambda: browser.ask("GET", PAGE).status == 503, 20)
    until(lambda: "终端不能消费" in browser.ask("GET", PAGE).text, 20)
    assert "继续营业" not in browser.ask("GET", PAGE).text


def test_in_chromium_a_unit_signs_in_over_its_own_front_end(places: tuple[Place, Place]) -> None:
    school, mill = places
    with browser_page(f"http://127.0.0.1:{mill.port}") as (page, seen):
        until(lambda: page.goto(PAGE + "login/").status == 200, 30)
        seen.errors.clear()  # of the time before the line was up
        for who, greets in ((school, "其他单位"), (mill, "front-end of mill")):
            page.fill("input[name=username]", who.user_name)
            page.fill("input[name=password]", who.password)
            page.click("#login button")
            expect(page.locator("body")).to_contain_text(greets)
        expect(page.locator("body")).not_to_contain_text("school")
        assert page.url.endswith(PAGE)
        assert [error for error in seen.errors if "403" not in error] == [] and seen.foreign == []


def reachable(browser: Browser) -> bool:
    try:
        return browser.ask("GET", PAGE + "login/").status == 200
    except OSError:
        return False
