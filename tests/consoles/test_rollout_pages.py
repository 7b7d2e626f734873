"""The pages of roll-outs: who may open them, and in a browser: planned, approved by another, started, followed, stopped."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Page, expect

from onecard.consoles.centre.roles import Role
from onecard.kernel.events import EventKind
from onecard.services.devices.api import NewLine, create_lines
from onecard.services.rollouts import api
from onecard.services.rollouts.models import Rollout
from tests.consoles.browser import browser_page, chromium, served
from tests.consoles.conftest import PASSWORD
from tests.rollouts.house import ACTOR, House, open_house, release
from tests.rollouts.test_rollouts import Said
from tests.settlement.city import City
from tests.support.postgres import TestDatabase


@pytest.fixture
def house(city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with open_house(None, tmp_path, monkeypatch) as opened:  # type: ignore[arg-type]
        create_lines(NewLine(f"till {n}", unit_id=city.units["works"].pk) for n in range(10))
        release(opened, "tariff", 5, b"prices", title="Prices of May")
        yield opened


@pytest.mark.parametrize(("role", "looks", "plans"), [
    (Role.ADMINISTRATOR, 200, 200), (Role.VIEWER, 200, 403), (Role.FINANCE, 403, 403), (Role.CARD_DESK, 403, 403),
])  # fmt: skip
def test_roles(house: House, signed_in: Callable[..., Client], role: Role, looks: int, plans: int):
    client = signed_in(role, english=True)
    assert client.get("/centre/rollouts/").status_code == looks
    assert client.get("/centre/rollouts/new/1/").status_code == plans
    made = api.plan_rollout(1, title="May", target=api.TargetFilter(), actor=ACTOR, clock=house.clock)
    assert client.get(f"/centre/rollouts/{made.pk}/").status_code == looks
    answer = client.post(f"/centre/rollouts/{made.pk}/act/", {"act": "approve"})
    assert answer.status_code == (302 if plans == 200 else 403)
    made.refresh_from_db()
    assert made.state == ("approved" if plans == 200 else "draft")
    assert client.get("/centre/rollouts/99/").status_code == (404 if looks == 200 else 403)


def test_a_form_with_half_a_window_is_refused(house: House, signed_in: Callable[..., Client]):
    client = signed_in(english=True)
    fields = {
        "title": "May",
        "canary_share": 10,
        "canary_error": 0,
        "soak_minutes": 0,
        "second_share": 0,
        "success": 900,
        "error": 50,
    }
    answer = client.post("/centre/rollouts/new/1/", {**fields, "window_start": "23:00", "units": "1, x"})
    text = answer.content.decode()
    assert answer.status_code == 200 and "A window has a beginning and an end." in text and "Give numbers with commas" in text
    assert not Rollout.objects.exists()


def report(house: House, kind: EventKind, count: int) -> int:
    """So many of the devices that have been told say how it ended; gives how many had been told."""
    told = list(Rollout.objects.get().actions.filter(state="told"))
    at, text = house.clock.now(), "cannot use the data tariff"
    api.note_events([Said(one.line_id, None, kind, at, text, one.pk) for one in told[:count]])
    api.tick(house.clock)
    return len(told)


def sign_in(page: Page, name: str) -> None:
    page.context.clear_cookies()
    page.goto("/centre/")
    page.fill("#id_username", name)
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button[type=submit]")
    expect(page.locator("#login-form")).to_have_count(0)


def test_a_rollout_in_a_browser(house: House, centre: TestDatabase, staff: Callable[..., User], tmp_path: Path):
    chromium()
    first = staff()
    second = staff(Role.FINANCE)
    second.groups.set(first.groups.all())  # another person with the same role
    with served(centre) as base, browser_page(base) as (page, seen):
        sign_in(page, first.username)
        page.goto("/centre/rollouts/")
        expect(page.locator("#releases")).to_contain_text("Prices of May")
        page.click("#releases a")
        page.fill("#id_canary_share", "200")
        page.click("#act button")
        expect(page.locator("#rollout-state")).to_have_text("待审批")
        expect(page.locator("#controls button")).to_have_count(1)  # who planned it may only cancel it
        address = page.url
        sign_in(page, second.username)
        page.goto(address)
        page.click("#controls button[value=approve]")
        expect(page.locator("#rollout-state")).to_have_text("已审批")
        page.click("#controls button[value=start]")
        expect(page.locator("#rollout-state")).to_have_text("进行中")
        # Playwright has a loop running in this thread, in which Django would not work.
        assert house.threads.submit(report, house, EventKind.UPDATE_DONE, 2).result() == 2
        expect(page.locator("#rollout-done")).to_have_text("2 / 10")  # by itself
        page.screenshot(path="/tmp/rollout_running.png", full_page=True)
        assert house.threads.submit(report, house, EventKind.UPDATE_FAILED, 1).result() == 2
        expect(page.locator("#rollout-state")).to_have_text("因故障停止")
        page.goto(f"{address}?state=failed")
        expect(page.locator("#actions")).to_contain_text("cannot use the data tariff")
        page.screenshot(path="/tmp/rollout_stopped.png", full_page=True)
        page.goto("/centre/rollouts/")
        page.screenshot(path="/tmp/rollouts.png", full_page=True)
        assert seen.errors == [] and seen.foreign == []
