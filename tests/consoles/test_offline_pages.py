"""Deciding off line in the management centre: what is out, what is held, who may release it, and limits."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from onecard.consoles.centre.roles import Role
from onecard.protocol.cardset import build_card_set
from onecard.services.offline import api
from onecard.services.offline.models import CardLimit, DenyHold, DenyPublication
from onecard.services.rollouts import api as rollouts
from tests.consoles.browser import browser_page, chromium, served
from tests.consoles.conftest import PASSWORD
from tests.support.postgres import TestDatabase

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
PAGE = "/centre/offline/"


@pytest.fixture
def held(centre: TestDatabase) -> None:
    content = build_card_set([8800000000000013], version=1)
    DenyPublication.objects.create(
        version=1, cards=1, added=1, removed=0, size_bytes=len(content), content=content, published_at=NOW
    )
    DenyHold.objects.create(since=NOW, cards=901, added=900, removed=0)


def stop_second() -> None:
    DenyPublication.objects.create(
        version=2, cards=3, added=2, removed=0, size_bytes=40, content=b"", published_at=NOW, canary_lines=5,
        state="stopped", reason="先行 5 台中 1 台拒用：一中：deny 2: cannot be read",
    )  # fmt: skip


def test_a_held_change_is_shown_and_released_by_who_may(
    held: None, signed_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[str, int]] = []
    monkeypatch.setattr(
        rollouts, "publish_data", lambda name, content, *, version, ahead, clock: published.append((name, version))
    )
    viewer, administrator = signed_in(Role.VIEWER), signed_in()
    page = viewer.get(PAGE).content.decode()
    assert "新增 900 张" in page and "共 901 张" in page and 'id="release"' not in page
    assert viewer.post(PAGE + "release/").status_code == 403
    assert published == []
    assert 'id="release"' in administrator.get(PAGE).content.decode()
    administrator.post(PAGE + "release/")
    assert published == [("deny", 2)] and api.held_deny() is None
    assert "已按当前内容发布黑名单" in administrator.get(PAGE).content.decode()
    entry = LogEntry.objects.latest("id")
    assert entry.additional_data == {"act": "deny list released"} and entry.actor.get_username() == "administrator"


def test_a_list_that_was_stopped_is_shown_and_sent_out_by_who_may(
    held: None, signed_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[int] = []
    monkeypatch.setattr(rollouts, "open_data", lambda name, version: named.append(version))
    DenyHold.objects.all().delete()
    stop_second()
    viewer, administrator = signed_in(Role.VIEWER), signed_in()
    page = viewer.get(PAGE).content.decode()
    assert 'id="stopped"' in page and "一中：黑名单 2：无法解析" in page and 'id="release"' not in page
    assert viewer.post(PAGE + "release/").status_code == 403 and named == []
    assert 'id="release"' in administrator.get(PAGE).content.decode()
    administrator.post(PAGE + "release/")
    assert named == [2]
    page = administrator.get(PAGE).content.decode()
    assert "黑名单开始向全部前置机下达" in page and 'id="stopped"' not in page


def test_a_limit_is_set_and_an_empty_amount_is_none(signed_in: Callable[..., Client]) -> None:
    administrator = signed_in()
    form = {"others": "on", "offline": "on", "per_transaction_fen": "12.50", "per_day_fen": "0", "per_day_count": "3"}
    assert administrator.post(PAGE + "limits/", form).status_code == 302
    row = CardLimit.objects.get(others=True)
    assert (row.per_transaction_fen, row.per_meal_fen, row.per_day_fen, row.per_day_count) == (1250, None, 0, 3)
    assert row.changed_by == "administrator"
    refused = administrator.post(PAGE + "limits/", form | {"per_day_fen": "a lot"})
    assert refused.status_code == 200 and "请填写" in refused.content.decode()
    assert signed_in(Role.VIEWER).post(PAGE + "limits/", form).status_code == 403


def test_figures_are_set_within_their_ranges(signed_in: Callable[..., Client]) -> None:
    administrator = signed_in()
    form = {"fallback_ms": "2000", "guard_permille": "30", "hold_over_cards": "100", "hold_over_permille": "150"}
    form |= {"canary_permille": "20", "canary_soak_s": "6"}
    assert administrator.post(PAGE + "figures/", form).status_code == 302
    assert api.policy() == api.Policy(2000, 30, 100, 150, 20, 6)
    assert administrator.post(PAGE + "figures/", form | {"fallback_ms": "5"}).status_code == 200
    assert api.policy().fallback_ms == 2000


@pytest.fixture
def address(held: None, centre: TestDatabase, staff: Callable[..., User]) -> Iterator[str]:
    chromium()
    staff()
    stop_second()
    with served(centre) as base:
        yield base


def test_the_page_in_a_browser(address: str) -> None:
    with browser_page(address) as (page, seen):
        page.goto(PAGE)
        page.fill("#id_username", "administrator")
        page.fill("#id_password", PASSWORD)
        page.click("#login-form button[type=submit]")
        page.goto(PAGE)
        expect(page.locator("#held")).to_contain_text("900")
        expect(page.locator("#stopped")).to_contain_text("版本 2 在先行前置机上被拒用")
        expect(page.locator("#deny-versions")).to_contain_text("已停止")
        expect(page.locator("#offline-limits")).to_contain_text("外单位卡")
        page.fill("#offline-limit input[name=per_transaction_fen]", "8")
        page.click("#offline-limit button")
        expect(page.locator("#offline-limits")).to_contain_text("8.00")
        main = page.locator(".oc-page").inner_text()
        assert not re.search(r"\b(?:Unit|Card|Limit|Save|Version|Published)\b", main), main
        assert (seen.errors, seen.foreign) == ([], [])
