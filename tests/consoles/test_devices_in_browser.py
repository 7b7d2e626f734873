"""The pages of devices in a real browser: the board refreshes, a template is previewed and applied, an alarm seen to."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from onecard.services.devices.models import Device, ParameterTemplate
from tests.consoles import devicecity
from tests.consoles.browser import Seen, browser_page, chromium, served
from tests.consoles.conftest import PASSWORD
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

_ENGLISH = re.compile(r"\b(?:Search|Save|Name|State|Clock|Backlog|Alarm|Model|Place|Preview|Apply|None|This field)\b")


@pytest.fixture
def address(city: City, centre: TestDatabase, staff: Callable[..., User]) -> Iterator[str]:
    chromium()
    staff()
    with served(centre) as base:
        yield base


def look(page: Page, seen: Seen, name: str) -> None:
    """What every page must be: ours alone, without errors, Chinese, as wide as its window; kept where somebody asks."""
    assert seen.foreign == [], "a request left this machine"
    assert seen.errors == []
    assert _ENGLISH.findall(page.inner_text("main" if page.locator("main").count() else "body")) == [], name
    folder = os.environ.get("ONECARD_SCREENSHOTS")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over == 0, f"{name} is wider than {width}"
        if folder:
            page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_devices_are_watched_configured_and_seen_to(address: str, city: City) -> None:
    devices = devicecity.build(city)
    model = Device.objects.get(serial="FE-0001").model_id
    with browser_page(address) as (page, seen):
        page.goto("/centre/")
        page.fill("#id_username", "administrator")
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button[type=submit]")
        expect(page.locator("#live")).to_be_visible()
        page.goto("/centre/device-status/")
        expect(page.locator("[data-state=online] strong")).to_have_text("2")
        look(page, seen, "board")
        # Not through Django, which refuses to work beside the browser's event loop.
        city.ledger.execute("UPDATE devices_linestatus SET online = true, since = now() WHERE line_id = %s", [devices.broken])
        expect(page.locator("[data-state=online] strong")).to_have_text("3", timeout=20_000)
        page.click("#board a:has-text('一号门前置机')")
        expect(page.locator("#state")).to_have_text("在线")
        look(page, seen, "line")
        page.goto(f"/centre/device-parameters/template/?model={model}")
        page.fill("[name=p-volume]", "9")
        page.click("#values button")
        expect(page.locator("#touched")).to_have_text("3")
        expect(page.locator("#preview tbody tr")).to_have_count(3)
        look(page, seen, "preview")
        page.click("#apply button")
        expect(page.locator("#templates")).to_contain_text("提示音量 = 9")
        look(page, seen, "templates")
        page.goto("/centre/device-alarms/")
        page.click("#alarms a:has-text('防拆报警')")
        page.fill("#act [name=note]", "保安已到场")
        page.click("#act button[value=acknowledge]")
        expect(page.locator("#steps")).to_contain_text("administrator: 保安已到场")
        look(page, seen, "alarm")
        page.goto("/centre/device-alarms/")
        expect(page.locator("#open-count")).to_have_text(str(page.locator("#alarms tbody tr").count()))
        look(page, seen, "alarms")
        page.goto("/centre/device-alarms/rules/")
        page.fill("#add-recipient [name=name]", "值班室")
        page.fill("#add-recipient [name=address]", "duty@example.cn")
        page.click("#add-recipient button")
        expect(page.locator("#recipients")).to_contain_text("duty@example.cn")
        look(page, seen, "rules")
        page.goto("/centre/device-registry/")
        look(page, seen, "registry")
        page.click("#devices a:has-text('FE-0002')")
        page.select_option("#move [name=at]", "operator")
        page.select_option("#move [name=operator]", str(city.operators["A"].pk))
        page.fill("#move [name=note]", "送修")
        page.click("#move button")
        expect(page.locator("#moves")).to_contain_text("未带走数据")
        look(page, seen, "moved")
    assert ParameterTemplate.objects.get().values == {"volume": 9}
    assert Device.objects.get(serial="FE-0002").operator_id == city.operators["A"].pk
