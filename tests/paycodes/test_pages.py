"""Pages and REST of payment codes: a code shown once, what it paid, limits by date, held payments settled by two people."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.roles import Role
from onecard.datacenter.home import Home
from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.codes import Operation, Result
from onecard.protocol.paycode import parse_code
from onecard.services.keys import api as keys
from onecard.services.operators.models import Operator
from onecard.services.paycodes import api as codes
from onecard.services.paycodes.models import CodeLimit, HeldPayment
from tests.consoles.conftest import centre, signed_in, staff  # noqa: F401 - fixtures
from tests.httpapi.conftest import BASE, program, token  # noqa: F401 - fixtures
from tests.paycodes.conftest import FAST, OPENING_FEN, SYSTEM, Platform, make_platform
from tests.support.postgres import TestDatabase

JSON = "application/json"
PAGE, HELD = "/centre/pay-codes/", "/centre/desk/pay-codes/"


@pytest.fixture
def platform(centre: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:  # noqa: F811
    """A platform of the consoles' tests with an open vault."""
    home = Home(Path(tempfile.mkdtemp(prefix="codes-", dir=Path(os.environ["ONECARD_HOME"]).parent)))
    home.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(home.path))
    monkeypatch.setenv("ONECARD_DATABASE", centre.owner_dsn)
    for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    keys.close_vault()
    keys.init_demo(home, kdf=FAST)
    yield make_platform(centre)
    keys.close_vault()


def hold(platform: Platform, amount: int = 600) -> tuple[int, HeldPayment]:
    """A purchase made off line with a code that another terminal had used: the account, and what was kept."""
    account = platform.account()
    shown = codes.issue(account, actor=SYSTEM)
    now = datetime.now(UTC)
    merchant = platform.execute("SELECT merchant_id FROM devices_terminal WHERE id = %s", platform.terminals[0])[0][0]
    for place, terminal in enumerate(platform.terminals):
        record = codes.CodeRecord(
            terminal, 70 + account % 1000, Operation.ADVICE, shown.card_no, amount, int(now.timestamp()) * 10**6,
            100_000_000 + merchant, parse_code(shown.text).to_bytes(), business_date=(now.date() - date(2000, 1, 1)).days,
        )  # fmt: skip
        verdict = codes.admit_records([record], keys=codes.public_keys(), now=now)
        assert verdict == [Result.CODE_USED if place else Result.APPROVED]
    return account, HeldPayment.objects.get(card_no=shown.card_no)


def test_a_code_is_shown_once_with_its_countdown(platform: Platform, signed_in: Callable[..., Client]) -> None:  # noqa: F811
    desk, account = signed_in(Role.CARD_DESK), platform.account()
    assert desk.get(PAGE, {"q": account})["Location"] == f"{PAGE}{account}/"
    assert "无此账号或卡号" in desk.get(PAGE, {"q": "123"}).content.decode()
    made = desk.post(f"{PAGE}{account}/issue/")
    page = made.content.decode()
    assert "no-store" in made["Cache-Control"] and "<svg" in page and "centre/paycode.js" in page
    assert 0 < int(re.search(r'data-left="(\d+)"', page)[1]) <= 60  # type: ignore[index]
    text = made.context["shown"]["text"]
    assert parse_code(text).is_signed(codes.public_keys())
    again = desk.get(f"{PAGE}{account}/")
    assert text not in again.content.decode() and "shown" not in again.context and "data-left" not in again.content.decode()
    assert len(again.context["codes"].rows) == 1
    assert LogEntry.objects.filter(additional_data__act="payment code issued").count() == 1
    for _ in range(20):
        refused = desk.post(f"{PAGE}{account}/issue/", follow=True)
    assert "付款码生成过于频繁" in refused.content.decode()
    assert desk.get(f"{PAGE}1000000000009/").status_code == 404


def test_limits_are_set_by_date_for_account_card_type_and_all(platform: Platform, signed_in: Callable[..., Client]) -> None:  # noqa: F811
    admin, account = signed_in(Role.ADMINISTRATOR), platform.account()
    today = datetime.now(UTC).astimezone(PLATFORM_ZONE).date()
    form = {
        "scope": "account", "valid_from": today.isoformat(), "lifetime_s": 30, "offline_code_fen": "12.50",
        "offline_day_fen": "100", "per_minute": 5, "per_day": 50,
    }  # fmt: skip
    for scope, lifetime in (("account", 30), ("type", 40), ("all", 50)):
        done = admin.post(f"{PAGE}{account}/limits/", form | {"scope": scope, "lifetime_s": lifetime}, follow=True)
        assert "已保存" in done.content.decode()
    assert codes.limits_of(account, platform.card_type, today) == codes.Limits(30, 1_250, 10_000, 5, 50)
    assert codes.limits_of(1, platform.card_type, today).lifetime_s == 40
    assert codes.limits_of(1, 0, today).lifetime_s == 50
    past = admin.post(f"{PAGE}{account}/limits/", form | {"valid_from": "2024-01-01"})
    assert "限额不能自过去生效" in past.content.decode()
    assert CodeLimit.objects.count() == 4, "the default, and the three"


def test_who_may_do_what(platform: Platform, signed_in: Callable[..., Client]) -> None:  # noqa: F811
    account, held = hold(platform)
    finance, desk, viewer = signed_in(Role.FINANCE), signed_in(Role.CARD_DESK), signed_in(Role.VIEWER)
    assert [client.get(f"{PAGE}{account}/").status_code for client in (finance, desk, viewer)] == [200, 200, 403]
    assert [client.post(f"{PAGE}{account}/issue/").status_code for client in (finance, viewer)] == [403, 403]
    assert [client.post(f"{PAGE}{account}/limits/").status_code for client in (finance, desk)] == [403, 403]
    assert [client.get(HELD).status_code for client in (finance, desk, viewer)] == [200, 403, 403]
    assert desk.post(f"{HELD}propose/", {"id": held.pk, "outcome": "refuse", "reason": "x"}).status_code == 403
    other = Operator.objects.create(code="OTHER", name="别家", parent_id=platform.operator, holder_cap=10)
    StaffOperator.objects.create(staff_id=User.objects.get(username=str(Role.FINANCE)).pk, operator=other)
    assert finance.get(HELD).context["rows"] == [] and finance.get(f"{PAGE}{account}/").status_code == 404
    assert finance.post(f"{HELD}propose/", {"id": held.pk, "outcome": "refuse", "reason": "x"}).status_code == 404


def test_a_held_payment_is_settled_on_the_desk_by_two_people(platform: Platform, signed_in: Callable[..., Client]) -> None:  # noqa: F811
    account, held = hold(platform)
    finance, admin = signed_in(Role.FINANCE), signed_in(Role.ADMINISTRATOR)
    page = finance.get(HELD).content.decode()
    assert "¥6.00" in page and "BUS00001" in page and "付款码" in page, "what, and which terminal has the code"
    assert finance.get(HELD, {"age": "24"}).context["rows"] == []
    assert len(finance.get(HELD, {"reason": int(Result.CODE_USED), "card": held.card_no}).context["rows"]) == 1
    assert HELD in finance.get("/centre/desk/").content.decode()
    form = {"id": held.pk, "outcome": "release", "reason": "顾客确认"}
    assert finance.post(f"{HELD}propose/", form | {"outcome": "x"}).status_code == 404
    assert "须由另一人批准" in finance.post(f"{HELD}propose/", form, follow=True).content.decode()
    decision = codes.open_held_decisions(actor=SYSTEM)[0]
    assert 'value="approve"' not in finance.get(HELD).content.decode()
    finance.post(f"{HELD}{decision.pk}/", {"act": "approve"})
    assert platform.balance(account) == OPENING_FEN, "the same person approves nothing"
    assert "已批准并执行" in admin.post(f"{HELD}{decision.pk}/", {"act": "approve"}, follow=True).content.decode()
    assert platform.balance(account) == OPENING_FEN - 600
    assert finance.get(HELD).context["rows"] == []
    settled = finance.get(HELD, {"state": "all"}).content.decode()
    assert "已放行入账" in settled and "顾客确认" in settled


def test_the_same_over_rest(platform: Platform, program: Callable[..., Client]) -> None:  # noqa: F811
    account, held = hold(platform)
    finance, admin, desk = program(Role.FINANCE), program(Role.ADMINISTRATOR), program(Role.CARD_DESK)
    shown = desk.post(f"{BASE}/accounts/{account}/pay-codes").json()
    assert shown["svg"].startswith("<svg") and parse_code(shown["text"]).body.card_no == shown["card_no"]
    seen = desk.get(f"{BASE}/accounts/{account}/pay-codes").json()
    assert sorted((code["amount_fen"] or 0, code["offline"]) for code in seen) == [(0, None), (600, True)]
    (row,) = finance.get(f"{BASE}/desk/pay-codes").json()["items"]
    assert (row["id"], row["amount_fen"], row["result"], row["used_by_terminal"]) == (held.pk, 600, 78, platform.terminals[0])
    assert row["reason"]["zh"] and row["age_s"] < 600 and row["proposed"] is None
    assert desk.get(f"{BASE}/desk/pay-codes").status_code == 403
    path, body = f"{BASE}/desk/pay-codes/{held.pk}/decisions", {"outcome": "release", "reason": "ok"}
    decision = finance.post(path, body, JSON, headers={"Idempotency-Key": "propose-01"}).json()
    assert [one["id"] for one in admin.get(f"{BASE}/desk/pay-code-decisions").json()] == [decision["id"]]
    approve = f"{BASE}/desk/pay-code-decisions/{decision['id']}/approve"
    assert finance.post(approve, {}, JSON, headers={"Idempotency-Key": "approve-01"}).status_code == 403
    for _ in range(2):
        assert admin.post(approve, {}, JSON, headers={"Idempotency-Key": "approve-02"}).json()["approved"] is True
    assert platform.balance(account) == OPENING_FEN - 600
    assert finance.get(f"{BASE}/desk/pay-codes", {"state": "posted"}).json()["items"][0]["transfer_id"] > 0
    today = datetime.now(UTC).astimezone(PLATFORM_ZONE).date().isoformat()
    rule = {
        "account_no": account, "valid_from": today, "lifetime_s": 20, "offline_code_fen": 0, "offline_day_fen": 0,
        "per_minute": 1, "per_day": 9,
    }  # fmt: skip
    assert admin.post(f"{BASE}/pay-code-limits", rule, JSON).json()["created_by"] == str(Role.ADMINISTRATOR)
    assert desk.post(f"{BASE}/pay-code-limits", rule, JSON).status_code == 403
    listed = desk.get(f"{BASE}/pay-code-limits", {"account_no": account}).json()
    assert [one["lifetime_s"] for one in listed] == [20, 60]
    assert desk.post(f"{BASE}/accounts/{account}/pay-codes").json()["code"]
    bound = program(Role.ADMINISTRATOR, operators=[platform.operator])
    everyone = rule | {"account_no": None}
    assert bound.post(f"{BASE}/pay-code-limits", everyone, JSON).status_code == 403
