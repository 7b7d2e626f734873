"""The cards' pages in a real browser: rules, stock, a batch, a card lost and lifted, a chip record released by two people."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from onecard.consoles.centre.roles import Role
from onecard.services.cards import api as cards
from onecard.services.operators.api import allow_card_type
from onecard.services.people import api as people
from tests.consoles import cardcity, chipcity
from tests.consoles.browser import Seen, browser_page, chromium, role, served
from tests.consoles.cardcity import PLATFORM
from tests.consoles.conftest import PASSWORD
from tests.settlement.city import City
from tests.support.postgres import TestDatabase

_ENGLISH = re.compile(
    r"\b(?:Search|Save|Back|Name|State|Reason|Confirm|Card|Start|Number|Number of|Document|Choose|This field)\b"
)


@pytest.fixture
def address(city: City, centre: TestDatabase, staff: Callable[..., User]) -> Iterator[str]:
    chromium()
    for each in (Role.ADMINISTRATOR, Role.FINANCE, Role.CARD_DESK):
        staff(each)
    with served(centre) as base:
        yield base


def sign_in(page: Page, who: Role) -> None:
    page.context.clear_cookies()
    page.goto("/centre/")
    page.fill("#id_username", str(who))
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button[type=submit]")
    expect(page.locator("#live")).to_be_visible()


def clean(page: Page, seen: Seen) -> None:
    assert seen.foreign == [], "a request left this machine"
    assert seen.errors == []
    assert _ENGLISH.findall(page.inner_text("main" if page.locator("main").count() else "body")) == []


def test_from_the_rules_of_a_card_type_to_a_card_lost_and_found(address: str, city: City) -> None:
    operator, card_type = city.operators["A"], city.card_type
    with browser_page(address) as (page, seen):
        sign_in(page, Role.ADMINISTRATOR)
        page.goto(f"/centre/operators/operator/{operator.pk}/change/")
        page.select_option("#card-types select[name=card_type]", str(card_type.pk))
        page.click("#card-types form:last-of-type button")
        expect(page.locator("#card-types tbody")).to_contain_text(card_type.name)
        page.goto(f"/centre/card-types/{card_type.pk}/")
        page.check("#new-rules input[name=on_media][value='4']")
        page.check("#new-rules input[name=anonymous_allowed]")
        page.fill("#new-rules input[name=deposit_fen]", "20")
        page.fill("#new-rules input[name=issue_fee_fen]", "5.00")
        page.click("#new-rules button")
        expect(page.locator("#rules")).to_contain_text("生效中")
        expect(page.locator("#rules")).to_contain_text("¥20.00")
        clean(page, seen)

        sign_in(page, Role.CARD_DESK)
        page.goto("/centre/stock/")
        expect(page.locator("#levels")).to_contain_text("各库位均无卡片")
        page.click("#stock-acts a:has-text('入库')")
        page.fill("input[name=supplier]", "华卡厂")
        page.select_option("select[name=card_type]", str(card_type.pk))
        page.fill("input[name=first]", "5001")
        page.fill("input[name=last]", "5100")
        page.click("#act button")
        expect(page.locator("#lines")).to_contain_text("5001")
        page.goto("/centre/stock/?serial=5050")
        expect(page.locator("#levels")).to_contain_text("100")
        expect(page.locator("#way")).to_contain_text("入库单")

        page.goto("/centre/holders/new/")
        page.fill("input[name=name]", "王小明")
        page.select_option("select[name=operator]", str(operator.pk))
        page.select_option("select[name=document_type]", "passport")
        page.fill("input[name=document_no]", "E12345678")
        page.click("#act button")
        expect(page.locator(".oc-person h2")).to_contain_text("王小明")
        holder = page.url.rstrip("/").rpartition("/")[2]

        page.goto("/centre/batches/new/")
        page.fill("input[name=name]", "春季新生")
        page.select_option("select[name=operator]", str(operator.pk))
        page.select_option("select[name=medium]", "4")
        page.fill("textarea[name=holders]", holder)
        page.click("#act button")
        page.click("#controls button[value=start]")
        expect(page.locator("#batch-state")).to_have_text("制卡中")
        page.click("#jobs tbody a")
        page.fill("input[name=uid]", "04A1B2C3D4E5F6")
        page.fill("input[name=serial]", "5001")
        page.click("button[value=bind]")
        expect(page.locator(".oc-panel h2").first).to_contain_text("完成")
        page.click(".oc-page a.oc-link:has-text('制卡批次')")
        expect(page.locator("#batch-done")).to_have_text("1 / 1")
        clean(page, seen)

        page.click("#jobs tbody td:nth-child(2) a")
        expect(page.locator("#card-state")).to_have_text("正常")
        expect(page.locator("#timeline")).to_contain_text("入库单")
        page.click("#operations a:has-text('书面挂失')")
        page.fill("input[name=reason]", "地铁上丢失")
        page.click("#preview")
        expect(page.locator("#trial")).to_contain_text("不收付现金")
        page.click("#confirm")
        expect(page.locator("#card-state")).to_have_text("挂失")
        assert city.rows("SELECT state FROM cards_card") == [("lost",)]
        page.click("#operations a:has-text('解挂')")
        page.click("#preview")
        page.click("#confirm")
        expect(page.locator("#card-state")).to_have_text("正常")
        expect(page.locator("#timeline")).to_contain_text("地铁上丢失")
        clean(page, seen)


def test_a_chip_record_is_released_by_two_people(address: str, city: City, centre: TestDatabase) -> None:
    chip = chipcity.trouble(centre, city)
    with browser_page(address) as (page, seen):
        sign_in(page, Role.FINANCE)
        page.goto("/centre/desk/")
        row = page.locator("#desk tbody tr")
        expect(row).to_contain_text("TAC 错误")
        row.locator("input[name=reason]").fill("与终端日志一致")
        row.locator("button").click()
        expect(row).to_contain_text("finance 申请")
        expect(row.locator("button[value=approve]")).to_have_count(0)
        clean(page, seen)
        sign_in(page, Role.ADMINISTRATOR)
        page.goto("/centre/desk/?tab=waiting")
        page.click("button[value=approve]")
        expect(page.locator("#desk")).to_contain_text("没有等待第二人处理的申请")
        page.goto(f"/centre/desk/?tab=quarantine&card={chip.card_no}")
        expect(page.locator("#desk")).to_contain_text("没有待处理的芯片记录")
        clean(page, seen)


def test_a_file_of_people_is_checked_then_loaded_while_the_page_watches(address: str, city: City, centre: TestDatabase) -> None:
    rows = "".join(f"学生{n},1390000{n:04d},一中/{n % 3 + 1}班\n" for n in range(40))
    file = {"name": "新生.csv", "mimeType": "text/csv", "buffer": f"学生姓名,联系电话,班级\n{rows},坏行,\n".encode()}
    with role(centre, "worker"), browser_page(address) as (page, seen):
        sign_in(page, Role.CARD_DESK)
        page.goto("/centre/loads/")
        page.set_input_files("input[name=file]", [file])  # type: ignore[list-item]
        page.click("#file-form button")
        expect(page.locator("#preview")).to_contain_text("学生0")
        expect(page.locator("select[name=column_phone]")).to_have_value("联系电话")
        page.select_option("select[name=operator]", str(city.operators["A"].pk))
        page.select_option("select[name=unit]", str(city.units["works"].pk))
        page.check("input[name=make_departments]")
        page.click("#columns button")
        expect(page.locator("#load[data-done='1']")).to_be_visible(timeout=60_000)
        expect(page.locator("#load-state")).to_have_text("试运行完成")
        expect(page.locator("#problems tbody tr").first).to_contain_text("42")
        assert city.rows("SELECT count(*) FROM people_holder") == [(0,)], "a dry run loads nobody"
        page.click("a:has-text('正式导入此文件')")
        page.select_option("select[name=operator]", str(city.operators["A"].pk))
        page.select_option("select[name=unit]", str(city.units["works"].pk))
        page.select_option("select[name=mode]", "good")
        page.check("input[name=make_departments]")
        page.uncheck("input[name=dry_run]")
        page.click("#columns button")
        expect(page.locator("#load[data-done='1']")).to_be_visible(timeout=60_000)
        expect(page.locator("#load-state")).to_have_text("完成")
        assert city.rows("SELECT count(*) FROM people_holder") == [(40,)]
        with page.expect_download() as download:
            page.click("#report")
        assert download.value.suggested_filename.endswith("-report.csv")
        clean(page, seen)


def test_every_new_page_is_chinese_and_fits_a_phone(address: str, city: City, centre: TestDatabase) -> None:
    made = cardcity.build(city)
    chipcity.trouble(centre, city)
    unit = city.units["works"].pk
    people.create_department(unit, "工程部", actor=PLATFORM)
    allow_card_type(city.operators["root"].pk, made.card_type)
    document = cards.documents().first()
    assert document is not None
    pages = (
        "card-types/", f"card-types/{made.card_type}/", "stock/", f"stock/documents/{document.pk}/",
        f"stock/places/{cards.centre().pk}/", "stock/new/order/", "stock/new/hand-over/", "stock/new/scrap/", "batches/",
        "batches/new/", "cards/", f"cards/{made.card_no}/", f"cards/{made.card_no}/do/return/", "holders/", "holders/new/",
        f"holders/{made.holder.pk}/", f"departments/?unit={unit}", "legal-caps/", "loads/", "desk/", "desk/?tab=gray",
        "desk/?tab=holes", "desk/?tab=doubts", "desk/?tab=waiting", "centre/stafftoken/", "centre/stafftoken/add/",
        f"operators/operator/{made.operator}/change/",
    )  # fmt: skip
    with browser_page(address) as (page, seen):
        sign_in(page, Role.ADMINISTRATOR)
        for name in pages:
            answer = page.goto(f"/centre/{name}")
            assert answer is not None and answer.status == 200, name
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 800})
                over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert over == 0, f"{name} is wider than {width}"
            assert _ENGLISH.findall(page.inner_text("body")) == [], name
        page.goto("/api/workstation/v1/docs")
        expect(page.locator(".opblock-summary-path[data-path='/api/workstation/v1/me']")).to_be_visible(timeout=30_000)
        assert seen.foreign == [] and seen.errors == []
