"""Details of devices in the reader's language: the platform's own sentences are translated, others are quoted as they came."""

import pytest
from django.utils import translation

from onecard.consoles.centre.pages.deviceparts import versions_text
from onecard.consoles.centre.pages.rollouts import _reason
from onecard.consoles.centre.said import first_with_reason, in_words
from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.services.rollouts.api import StopReason
from onecard.services.rollouts.models import Rollout
from onecard.terminal.errors import LineRefused
from onecard.terminal.upgrade.errors import CannotRead, NotForThis

CHINESE, ENGLISH = "zh-hans", "en"


@pytest.mark.parametrize(
    ("detail", "zh", "en"),
    [
        (
            CannotRead("firmware", "self test failed").en,
            "固件无法使用：自检未通过",
            "Firmware cannot be used: the self test failed",
        ),
        ("deny 20, 812 bytes", "黑名单 20，812 字节", "Deny list 20, 812 bytes"),
        ("cards 3", "单位卡片 3", "Cards of the unit 3"),
        (
            "deny 20: would refuse 27 of the last 52 cards, more than 50 of 1000",
            "黑名单 20：将拒绝最近 52 张卡中的 27 张，超过 50 ‰",
            "Deny list 20: would refuse 27 of the last 52 cards, more than 50 ‰",
        ),
        (
            NotForThis("targets/firmware/2.bin: release counter 2 is not above 3, which is installed").en,
            "升级库不可信：targets/firmware/2.bin 为版本 2，已装版本 3",
            "the repository is not to be trusted: targets/firmware/2.bin is version 2; version 3 is installed already",
        ),
        ("127.0.0.1 not_listed", "127.0.0.1：不在授信列表", "127.0.0.1: not on the authorised list"),
        ("2026-11-23 01:33:14 UTC", "2026-11-23 09:33:14", "2026-11-23 09:33:14"),
        ("7 · 2026-11-23 17:33:14 UTC", "7 · 2026-11-24 01:33:14", "7 · 2026-11-24 01:33:14"),
        ("PURCHASE 12, 550 fen: 51 Insufficient funds", None, None),
        ("设备已不在线路上", "设备已不在线路上", "the device is no longer on the line"),
        ("lid open: 7 times", "lid open: 7 times", "lid open: 7 times"),
        ("2026-99-23 01:33:14 UTC", "2026-99-23 01:33:14 UTC", "2026-99-23 01:33:14 UTC"),
        ("", "", ""),
    ],
)
def test_a_detail_is_in_the_readers_language(detail: str, zh: str | None, en: str | None) -> None:
    for language, expected in ((CHINESE, zh), (ENGLISH, en)):
        with translation.override(language):
            if expected is not None:
                assert in_words(detail) == expected
            else:
                assert "12" in in_words(detail) and "5.50" in in_words(detail) and "fen" not in in_words(detail)


def test_the_code_of_a_record_that_was_not_posted_is_in_one_language() -> None:
    text = RESULT_TEXT[Result.TERMINAL_NOT_ALLOWED]
    for language, own, other in ((CHINESE, text.zh, text.en), (ENGLISH, text.en, text.zh)):
        with translation.override(language):
            for detail in (
                f"ADVICE 12: {text.zh} {text.en}",
                f"ADVICE 12, 550 fen: {Result.TERMINAL_NOT_ALLOWED.value} {text.en}",
            ):
                assert own in in_words(detail) and other not in in_words(detail) and "12" in in_words(detail)


def test_why_a_deny_list_was_stopped_names_the_place_only_to_who_may_see_it() -> None:
    reason = "先行 5 台中 1 台拒用：一中：deny 2: cannot be read"
    with translation.override(ENGLISH):
        told = first_with_reason(reason, names_place=True)
        assert told == "1 of the 5 front-ends that had it first refused it; 一中: Deny list 2: cannot be read"
        assert "一中" not in first_with_reason(reason, names_place=False)
    with translation.override(CHINESE):
        assert in_words(f"黑名单 2 已停止下达：{reason}").endswith("一中：黑名单 2：无法解析")


def test_why_a_roll_out_stopped_is_put_together_for_the_reader() -> None:
    said = CannotRead("firmware", "self test failed").en
    why = {"what": StopReason.ERRORS.value, "group": "先行组 canary", "size": 2, "errors": 2, "said": said}
    stopped = Rollout(reason="“先行组 canary”2 台中 2 台出错：…", why=why)
    with translation.override(ENGLISH):
        expected = "“先行组 canary”: errors on 2 of 2 devices; the last: “Firmware cannot be used: the self test failed”"
        assert _reason(stopped) == expected
        assert _reason(Rollout(why={"what": "withdrawn"})) == "the release was withdrawn"
    with translation.override(CHINESE):
        assert _reason(stopped) == "“先行组 canary” 2 台中 2 台出错；最近一台：“固件无法使用：自检未通过”"
        assert "未达到成功阈值" in _reason(Rollout(why={"what": "too_few", "group": "其余"}))
        assert _reason(Rollout(reason="食堂停电")) == "食堂停电"


def test_kinds_of_data_have_names_and_firmware_stands_once() -> None:
    with translation.override(CHINESE):
        assert versions_text({"deny": 12, "firmware": 2, "tariff": 5, "x9": 1}, "0") == "固件 2 · 黑名单 12 · 费率 5 · x9 1"
        assert versions_text({}, "1.4.0") == "1.4.0"


def test_a_refusal_that_is_said_in_both_languages_is_shown_each_in_its_line() -> None:
    refused = LineRefused(58, "G2：登记码已使用 / G2: the code has been used")
    assert refused.zh == "平台拒绝线路：G2：登记码已使用"
    assert refused.en == "The platform refuses the line: G2: the code has been used"
    plain = LineRefused(58, "frame too long / 70000")
    assert plain.en.endswith("frame too long / 70000") and "frame" not in plain.zh
