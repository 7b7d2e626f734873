"""The pages of admission: codes shown once, revoking in two steps, replacing, settings, refused attempts; then in Chromium."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from auditlog.models import LogEntry
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from playwright.sync_api import expect

from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.roles import Role
from onecard.kernel.clock import to_epoch_us
from onecard.protocol.proto.app_pb2 import RefusedHandshake
from onecard.services.devices import api
from onecard.services.devices.models import EnrolmentCode, Line, RefusedAttempt, Terminal
from onecard.services.operators.models import Unit
from onecard.terminal.enrol import Invitation
from tests.consoles.browser import browser_page, chromium, served
from tests.consoles.test_pages_in_browser import _ENGLISH, clean, sign_in
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

_ADDRESS = re.compile(r"onecard://enrol\?[^&\s]+&(?:amp;)?code=[0-9A-Z-]+&(?:amp;)?ca=[0-9a-f]{64}")


@pytest.fixture
def line(city: City) -> Line:
    made = api.create_line(api.NewLine("食堂前置机", kind="front_end", unit_id=city.units["works"].pk))
    api.create_terminals([api.NewTerminal(city.merchants["canteen"].pk, made, tid="POS00001")])
    return Line.objects.get(pk=made)


def enrol(line: Line) -> bytes:
    return api.enrol(line.pk, api.build_request()[1])


def test_a_code_is_shown_in_one_answer_and_nowhere_again(line: Line, signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    page = f"/centre/admission/lines/{line.pk}/"
    shown = client.post(f"{page}code/")
    found = _ADDRESS.search(shown.content.decode())
    assert found is not None and "<svg" in shown.content.decode() and "no-store" in shown.headers["Cache-Control"]
    code = Invitation.parse(found[0].replace("&amp;", "&")).code
    for again in (page, "/centre/admission/"):
        assert code not in client.get(again).content.decode()
    assert not any(code in str(entry.changes) + str(entry.additional_data) for entry in LogEntry.objects.all())
    assert LogEntry.objects.filter(additional_data__act="enrolment code made").count() == 1
    row = EnrolmentCode.objects.get()
    assert (row.line_id, row.made_by) == (line.pk, "administrator")
    client.post(f"/centre/admission/codes/{row.pk}/withdraw/")
    row.refresh_from_db()
    assert row.withdrawn_at is not None


def test_a_terminal_behind_a_front_end_gets_a_code_of_its_own(line: Line, signed_in: Callable[..., Client]) -> None:
    client, terminal = signed_in(), Terminal.objects.get()
    shown = client.post(f"/centre/admission/lines/{line.pk}/code/", {"terminal": terminal.pk}).content.decode()
    assert "POS00001" in shown and EnrolmentCode.objects.get().terminal_id == terminal.pk
    for wrong in ("4711", "x", "9" * 30):
        assert client.post(f"/centre/admission/lines/{line.pk}/code/", {"terminal": wrong}).status_code == 404


def test_revoking_takes_two_steps_and_a_new_line_takes_the_place(line: Line, signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    enrol(line)
    page = f"/centre/admission/lines/{line.pk}/"
    assert "POS00001" in client.get(f"{page}revoke/").content.decode()
    for half in ({}, {"sure": "on"}, {"number": line.pk}, {"sure": "on", "number": line.pk + 1}):
        client.post(f"{page}revoke/", half)
        line.refresh_from_db()
        assert line.state == "active"
    client.post(f"{page}revoke/", {"sure": "on", "number": f" {line.pk} "})
    line.refresh_from_db()
    assert line.state == "revoked" and LogEntry.objects.filter(additional_data__act="line revoked").count() == 1
    assert client.get(f"{page}revoke/").status_code == 302
    assert "G2" in client.post(f"{page}code/", follow=True).content.decode()
    client.post(f"{page}reopen/")
    new = Line.objects.get(replaces=line)
    assert Terminal.objects.get().line_id == new.pk
    assert "G2" in client.post(f"{page}reopen/", follow=True).content.decode()


def test_the_state_of_a_line_follows_its_unit(line: Line, signed_in: Callable[..., Client]) -> None:
    client, page = signed_in(english=True), f"/centre/admission/lines/{line.pk}/"

    def state() -> str:
        found = re.search(r'id="line-state">([^<]+)<', client.get(page).content.decode())
        assert found
        return found[1].replace("&#x27;", "'")

    assert state() == "waits to be enrolled"
    enrol(line)
    assert state() == "admitted"
    unit = Unit.objects.filter(pk=line.unit_id)
    unit.update(valid_from=datetime.now(UTC) - timedelta(days=2), valid_until=datetime.now(UTC) - timedelta(seconds=1))
    assert state() == "disabled: the unit's validity has run out"
    unit.update(valid_until=datetime.now(UTC) + timedelta(days=2))
    assert state() == "admitted"
    unit.update(state="suspended")
    assert state() == "disabled: the unit is not in service"


def test_roles_and_operators_bound_what_is_seen_and_done(line: Line, city: City, signed_in: Callable[..., Client]) -> None:
    viewer = signed_in(Role.VIEWER)
    page = f"/centre/admission/lines/{line.pk}/"
    assert viewer.get(page).status_code == 200 and viewer.get("/centre/admission/").status_code == 200
    for act in ("code/", "revoke/", "reopen/"):
        assert viewer.post(f"{page}{act}").status_code == 403
    assert viewer.post("/centre/admission/settings/").status_code == 403
    der = b"whatever was shown"
    api.note_refused(
        [RefusedHandshake(at_us=to_epoch_us(datetime.now(UTC)), address="1.2.3.4:5", certificate_der=der, reason="x")]
    )
    bound = signed_in()
    StaffOperator.objects.create(staff_id=User.objects.get(username="administrator").pk, operator_id=city.operators["root"].pk)
    assert bound.get(page).status_code == 404, "the line is another operator's"
    assert "1.2.3.4" not in bound.get("/centre/admission/").content.decode()
    assert bound.get(f"/centre/admission/attempts/{RefusedAttempt.objects.get().pk}/").status_code == 404
    assert bound.post("/centre/admission/settings/", {"gateway": "x:1"}).status_code in (200, 302)
    assert api.admission_settings().gateway != "x:1"


def test_settings_are_checked_and_written_down(signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    good = {"gateway": "gw.example:8445", "renew_hours": 6, "warn_hours": 24, "no_new_cards_hours": 72}
    good |= {"no_sales_hours": 168, "stop_hours": 336}
    wrong = client.post("/centre/admission/settings/", good | {"warn_hours": 200})
    assert wrong.status_code == 200 and "oc-errors" in wrong.content.decode()
    assert client.post("/centre/admission/settings/", good | {"stop_hours": 400}).status_code == 302
    found = api.admission_settings()
    assert (found.gateway, found.stop_hours, found.version) == ("gw.example:8445", 400, 2)
    assert LogEntry.objects.filter(additional_data__act="admission settings changed").count() == 1


@pytest.fixture
def address(line: Line, centre: TestDatabase, staff: Callable[..., User]) -> Iterator[str]:
    chromium()
    staff()
    now = to_epoch_us(datetime.now(UTC))
    der = api.authority().certificate.public_bytes(Encoding.DER)
    api.note_refused(
        [
            RefusedHandshake(at_us=now, address="203.0.113.9:4000", reason="certificate_untrusted", certificate_der=der, times=3),
            RefusedHandshake(at_us=now, address="198.51.100.7:4000", reason="certificate_missing", times=12),
        ]
    )
    with served(centre) as base:
        yield base


def elsewhere(act: Callable[[], object]) -> None:
    """Playwright's own loop runs in this thread, and Django's connection is not for one."""

    def work() -> None:
        try:
            act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result(30)


def test_admission_in_a_browser_from_the_code_to_the_end_of_the_line(address: str, line: Line) -> None:
    with browser_page(address) as (page, seen):
        sign_in(page)
        page.goto(f"/centre/devices/line/{line.pk}/change/")
        page.click("#admission")
        expect(page.locator("#line-state")).to_have_text("等待登记")
        page.click("#make-code button")
        picture = page.locator("#enrol-qr svg")
        expect(picture).to_be_visible()
        box = picture.bounding_box()
        assert box and box["width"] >= 150 and box["width"] == pytest.approx(box["height"])
        code = page.inner_text("#enrol-code")
        uri = page.inner_text("#enrol-uri").split("'")[1]
        assert Invitation.parse(uri).code == code
        elsewhere(lambda: api.enrol_by_code(code, api.build_request()[1], address="10.0.0.9:1"))
        elsewhere(lambda: api.issue_lease(line.pk))
        page.goto(f"/centre/admission/lines/{line.pk}/")
        expect(page.locator("#line-state")).to_have_text("授信")
        expect(page.locator("#lease")).to_contain_text("停止服务")
        expect(page.locator("#enrol-code")).to_have_count(0)
        for name in (f"lines/{line.pk}/", f"lines/{line.pk}/revoke/", ""):
            page.goto(f"/centre/admission/{name}")
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 800})
                over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert over == 0, f"{name} is wider than {width}"
            assert _ENGLISH.findall(page.inner_text("body")) == [], name
        page.set_viewport_size({"width": 1280, "height": 800})
        expect(page.locator("#not-sealed")).to_contain_text("ca.key")
        expect(page.locator("#attempts tbody tr")).to_have_count(2)
        page.click("#attempts tbody tr:has-text('203.0.113.9') a")
        expect(page.locator("#attempt")).to_contain_text("One-Card platform CA")
        page.goto(f"/centre/admission/lines/{line.pk}/")
        page.click("#revoke")
        page.check("#revoke-form [name=sure]")
        page.fill("#revoke-form [name=number]", str(line.pk))
        page.click("#revoke-form button")
        expect(page.locator("#line-state")).to_have_text("已吊销")
        page.click("#reopen button")
        expect(page.locator("#line-state")).to_have_text("等待登记")
        expect(page.locator("#terminals")).to_contain_text("POS00001")
        page.goto("/centre/admission/")
        clean(seen)
