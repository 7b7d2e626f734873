"""A transcript file stands for itself: whoever changes a word of it is found out."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from onecard.kernel.errors import InvalidInput
from onecard.services.keys.custody import transcript_file

DOCUMENT = {
    "format": transcript_file.FORMAT,
    "ceremony": 7,
    "use": "purchase",
    "version": 1,
    "algorithm": 0,
    "threshold": 2,
    "count": 2,
    "state": "done",
    "kcv": "08D7B4",
    "expected_kcv": "",
    "key": 1,
    "opened_by": "chen",
    "custodians": [
        {"number": 1, "custodian": "张三", "check_value": "AAAAAA", "made_here": False},
        {"number": 2, "custodian": "李四", "check_value": "BBBBBB", "made_here": True},
    ],
    "log": [{"at": "2026-11-22T10:00:00+08:00", "who": "chen", "act": "opened", "detail": "purchase XOR 2"}],
}


def signed(document: dict[str, object] = DOCUMENT) -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    text = json.dumps(document, ensure_ascii=False)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return transcript_file.build(text, public_key=public, signature=key.sign(text.encode())), public.hex()


def test_a_transcript_says_who_did_what_and_holds_good_under_its_key() -> None:
    file, public = signed()
    checked = transcript_file.check(file)
    assert checked.public_key == public
    assert "张三" in checked.text
    assert "校验值 KCV: 08D7B4" in checked.text
    assert "开始仪式 opened" in checked.text


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("08D7B4", "08D7B5", "changed"), ("李四", "王五", "changed"), ("AAAAAA", "AAAAAB", "changed")],
    ids=["result", "custodian", "check value"],
)
def test_a_changed_transcript_is_refused(old: str, new: str, reason: str) -> None:
    file, _ = signed()
    with pytest.raises(InvalidInput, match=reason):
        transcript_file.check(file.replace(old, new))


def test_words_that_differ_from_what_was_signed_are_refused() -> None:
    file, _ = signed()
    data = json.loads(file)
    data["text"][0] = data["text"][0].replace("#7", "#8")
    with pytest.raises(InvalidInput, match="words differ"):
        transcript_file.check(json.dumps(data))


@pytest.mark.parametrize("file", ["", "{}", "[]", '{"transcript": 1, "signature": {}}', '{"transcript":"{}","signature":"x"}'])
def test_what_is_no_transcript_is_refused(file: str) -> None:
    with pytest.raises(InvalidInput, match="no transcript file"):
        transcript_file.check(file)
