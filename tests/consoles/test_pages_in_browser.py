"""The management centre in a real browser: sign in, watch the figures, settle a day, take the sheet home."""

import csv
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from onecard.services.monitoring.models import LiveFigure
from onecard.services.settlement.models import Level, SettlementRun, SheetRow
from tests.consoles.browser import Seen, browser_page, chromium, role, served
from tests.consoles.conftest import PASSWORD
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

# What Unfold and Django would show in English if our catalogue missed it, and words of ours.
_ENGLISH = re.compile(
    r"\b(?:Filters?|Search|Save|Home|Log ?out|Type to|State|Select|Next|Previous|Change|Add|Today|Transactions?)\b"
)


@pytest.fixture
def address(city: City, centre: TestDatabase, staff: Callable[..., User]) -> Iterator[str]:
    chromium()
    staff()
    holder = city.holder("A", public=900_000, unit="works")
    for n in range(30):
        city.pay(holder, "canteen" if n % 2 else "metro", 1000 + n)
    with served(centre) as base:
        yield base


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.goto("/centre/")
    page.fill("#id_username", "administrator")
    page.fill("#id_password", password)
    page.click("#login-form button[type=submit]")


def clean(seen: Seen) -> None:
    assert seen.foreign == [], "a request left this machine"
    assert seen.errors == []


def test_signing_in_a_wrong_password_and_the_lock(address: str) -> None:
    with browser_page(address) as (page, seen):
        sign_in(page, "wrong-password")
        expect(page.locator("#login-form")).to_be_visible()
        expect(page.locator("body")).to_contain_text("请输入一个正确的")
        clean(seen)
        for _ in range(4):
            sign_in(page, "wrong-password")
        expect(page.locator("#locked")).to_contain_text("登录已锁定")
        sign_in(page)
        expect(page.locator("#locked")).to_be_visible()


def test_the_home_page_shows_live_figures_and_asks_nobody_else(address: str) -> None:
    now = timezone.now()
    figure = {"server": "app", "interval_ms": 2000, "purchases": 2468, "advices": 0, "others": 0, "approved": 1, "refused": 0}
    figure |= {
        "busy": 0,
        "latency_p50_us": 6400,
        "latency_p99_us": 31_000,
        "batches": 9,
        "queue_rows": 0,
        "oldest_unposted_ms": 0,
    }
    LiveFigure.objects.bulk_create(LiveFigure(at=now - timedelta(seconds=2 * n - 20), **figure) for n in range(60))
    with browser_page(address) as (page, seen):
        sign_in(page)
        expect(page.locator("[data-live=rate]")).to_have_text("1,234")
        expect(page.locator("[data-live=p50]")).to_have_text("6.4")
        expect(page.locator("[data-live=p99]")).to_have_text("31.0")
        expect(page.locator("[data-live=today_count]")).to_have_text("30")
        expect(page.locator("#by-unit tbody tr")).to_have_count(2)
        expect(page.locator("#live[data-polls='2']")).to_be_visible(timeout=10_000)
        assert _ENGLISH.findall(page.inner_text("body")) == []
        clean(seen)


def test_a_day_is_cut_settled_and_taken_home_from_the_page(address: str, centre: TestDatabase) -> None:
    with role(centre, "worker"), browser_page(address) as (page, seen):
        sign_in(page)
        page.goto("/centre/settlement/")
        page.click("#cut-now")
        expect(page.locator("#run[data-done='1']")).to_be_visible(timeout=60_000)
        expect(page.locator("#run-state")).to_have_text("已平账")
        page.click(".oc-tabs a:has-text('商户')")
        with page.expect_download() as download:
            page.click("#csv")
        with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
            totals = [row for row in csv.DictReader(file) if row["业务日期 Business date"] == "合计 Total"]
        clean(seen)
    run = SettlementRun.objects.get()
    rows = SheetRow.objects.filter(run=run, level=Level.MERCHANT, business_date=None).order_by("parent_id", "party_id")
    for column, field in (
        ("清分金额 Gross CNY", "gross_fen"),
        ("手续费 Fee CNY", "fee_fen"),
        ("应付净额 Net payable CNY", "net_fen"),
    ):
        assert [row[column] for row in totals] == [f"{fen // 100}.{fen % 100:02d}" for fen in rows.values_list(field, flat=True)]
    assert sum(round(float(row["清分金额 Gross CNY"]) * 100) for row in totals) == sum(1000 + n for n in range(30))


def test_every_page_is_chinese_fits_its_width_and_reports_no_error(address: str) -> None:
    tables = ("operators/operator/", "operators/unit/", "operators/merchant/", "operators/cardtype/", "devices/terminal/")
    tables += ("devices/line/", "auth/user/", "auditlog/logentry/", "operators/unit/add/", "auth/user/add/")
    pages = ("tree/", "transactions/", "accounts/", "settlement/", "deny-list/", "quarantine/", "password_change/", *tables)
    with browser_page(address) as (page, seen):
        sign_in(page)
        expect(page.locator("#live")).to_be_visible()
        for name in pages:
            page.goto(f"/centre/{name}")
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 800})
                over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert over == 0, f"{name} is wider than {width}"
            assert _ENGLISH.findall(page.inner_text("body")) == [], name
        clean(seen)


def test_the_language_is_switched_from_the_menu(address: str) -> None:
    with browser_page(address) as (page, seen):
        sign_in(page)
        page.click("text=administrator")
        page.click("form[action='/i18n/setlang/'] button:has-text('English')")
        expect(page.locator("h3").first).to_have_text("Purchases per second")
        page.goto("/centre/operators/unit/")
        assert not re.search(r"[\u4e00-\u9fff]", page.inner_text("#nav-sidebar-apps"))
        clean(seen)
