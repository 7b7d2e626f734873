"""Issuing: the QR card, how often, up to how much off line, and the picture."""

from datetime import UTC, datetime, timedelta

import pytest

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import ManualClock
from onecard.kernel.codes import Result
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.kernel.numbers import card_lane, is_card_no
from onecard.ledger.codes import AccountStatus, CardStatus
from onecard.protocol.paycode import parse_code
from onecard.services.actors import Actor
from onecard.services.paycodes import api as codes
from onecard.services.paycodes.admit import CodeRecord, admit_records
from onecard.services.paycodes.models import IssuedCode
from onecard.services.purses import api as purses
from tests.paycodes.conftest import SYSTEM, Platform, make_platform
from tests.support.postgres import TestDatabase

NOON = datetime.now(UTC).astimezone(PLATFORM_ZONE).replace(hour=12, minute=0, second=0, microsecond=0).astimezone(UTC)
USUAL = codes.Limits(lifetime_s=60, offline_code_fen=5_000, offline_day_fen=20_000, per_minute=20, per_day=300)


@pytest.fixture(scope="module")
def platform(vault_home: TestDatabase) -> Platform:
    return make_platform(vault_home)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


def test_the_first_code_makes_the_qr_card_on_the_accounts_lane(platform: Platform, clock: ManualClock) -> None:
    account = platform.account()
    first = codes.issue(account, actor=SYSTEM, clock=clock)
    second = codes.issue(account, actor=SYSTEM, clock=clock)
    assert first.card_no == second.card_no and first.text != second.text
    assert is_card_no(first.card_no) and card_lane(first.card_no) == 1
    assert platform.execute("SELECT medium, status FROM ledger.card WHERE card_no = %s", first.card_no) == [(3, 1)]
    code = parse_code(first.text)
    assert code.is_signed(codes.public_keys())
    assert (code.body.card_no, code.body.expires_at - code.body.issued_at) == (first.card_no, 60)
    assert codes.qr_svg(first.text).startswith("<svg") and codes.qr_png(first.text).startswith(b"\x89PNG")


def test_who_may_not_and_what_cannot(platform: Platform, clock: ManualClock) -> None:
    account = platform.account()
    with pytest.raises(NotFound):
        codes.issue(1, actor=SYSTEM, clock=clock)
    with pytest.raises(Forbidden):
        codes.issue(account, actor=Actor("x", frozenset({"paycodes.issue"}), frozenset({4711})), clock=clock)
    shown = codes.issue(account, actor=SYSTEM, clock=clock)
    purses.set_card_status(shown.card_no, CardStatus.LOST)
    with pytest.raises(RuleViolated, match="QR card is not active"):
        codes.issue(account, actor=SYSTEM, clock=clock)
    purses.set_account_status(account, AccountStatus.FROZEN)
    with pytest.raises(RuleViolated, match="account is not active"):
        codes.issue(account, actor=SYSTEM, clock=clock)


def test_too_many_codes_are_refused_by_the_minute_and_by_the_day(platform: Platform, clock: ManualClock) -> None:
    account = platform.account()
    codes.set_limits(codes.Limits(60, 0, 0, 2, 3), clock.now().date(), account_no=account, actor=SYSTEM)
    for _ in range(2):
        codes.issue(account, actor=SYSTEM, clock=clock)
    with pytest.raises(RuleViolated, match="too many"):
        codes.issue(account, actor=SYSTEM, clock=clock)
    clock.advance(timedelta(seconds=61))
    codes.issue(account, actor=SYSTEM, clock=clock)
    clock.advance(timedelta(seconds=61))
    with pytest.raises(RuleViolated, match="too many"):
        codes.issue(account, actor=SYSTEM, clock=clock)
    clock.advance(timedelta(days=1))
    codes.issue(account, actor=SYSTEM, clock=clock)


def test_the_offline_limit_is_what_the_day_the_open_codes_and_the_money_leave(platform: Platform, clock: ManualClock) -> None:
    account = platform.account(fen=30_000)
    codes.set_limits(codes.Limits(60, 5_000, 12_000, 99, 99), clock.now().date(), account_no=account, actor=SYSTEM)
    given = [codes.issue(account, actor=SYSTEM, clock=clock) for _ in range(4)]
    assert [code.offline_limit_fen for code in given] == [5_000, 5_000, 2_000, 0]
    now = clock.now()
    record = CodeRecord(1, 1, 2, given[0].card_no, 4_000, int(now.timestamp()) * 10**6, 1, parse_code(given[0].text).to_bytes())
    assert admit_records([record], keys=codes.public_keys(), now=now) == [Result.APPROVED]
    clock.advance(timedelta(seconds=61))  # the others have expired: what was spent stays
    after = [codes.issue(account, actor=SYSTEM, clock=clock).offline_limit_fen for _ in range(3)]
    assert after == [5_000, 3_000, 0]
    poor = platform.account(fen=700)
    assert codes.issue(poor, actor=SYSTEM, clock=clock).offline_limit_fen == 700


def test_the_nearest_rule_in_force_counts(platform: Platform) -> None:
    account = platform.account()
    today = datetime.now(UTC).astimezone(PLATFORM_ZONE).date()
    day = timedelta(days=1)
    assert codes.limits_of(account, platform.card_type, today) == USUAL
    of_type, of_account = codes.Limits(30, 1, 1, 1, 1), codes.Limits(20, 2, 2, 2, 2)
    codes.set_limits(of_type, today + day, card_type_id=platform.card_type, actor=SYSTEM)
    codes.set_limits(of_account, today + 2 * day, account_no=account, actor=SYSTEM)
    found = [codes.limits_of(account, platform.card_type, today + n * day) for n in range(3)]
    assert found == [USUAL, of_type, of_account]
    with pytest.raises(InvalidInput):
        codes.set_limits(USUAL, today - day, actor=SYSTEM)
    with pytest.raises(InvalidInput):
        codes.set_limits(codes.Limits(5, 0, 0, 1, 1), today, account_no=account, actor=SYSTEM)
    with pytest.raises(Forbidden):
        codes.set_limits(USUAL, today, actor=Actor("nobody"))


def test_issued_codes_are_forgotten_after_two_days_and_uses_never(platform: Platform, clock: ManualClock) -> None:
    account = platform.account()
    codes.issue(account, actor=SYSTEM, clock=clock)
    clock.advance(timedelta(days=2, seconds=1))
    assert codes.prune_issued(clock=clock) >= 1
    assert not IssuedCode.objects.filter(account_no=account).exists()
