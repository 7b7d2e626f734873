"""The bytes and the text of a payment code; signatures; whatever else is thrown at the parser."""

import contextlib
import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from onecard.protocol.paycode import (
    CODE_BYTES,
    CodeBody,
    PayCode,
    PayCodeError,
    build_text,
    decode_base45,
    encode_base45,
    parse_code,
    signed_bytes,
)

BODY = CodeBody(
    card_no=8860_01_700_000_001_5, code_id=2**63 - 1, issued_at=1_790_000_000, expires_at=1_790_000_060, offline_limit_fen=5000
)
KEY = Ed25519PrivateKey.from_private_bytes(os.urandom(32))
KEYS = {7: KEY.public_key().public_bytes_raw()}


def signed(body: CodeBody = BODY, key_no: int = 7) -> PayCode:
    return PayCode(body, key_no, KEY.sign(signed_bytes(body)))


@pytest.mark.parametrize(
    ("plain", "text"),
    [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0"), (b"", "")],
)
def test_base45_is_that_of_rfc_9285(plain: bytes, text: str) -> None:
    assert encode_base45(plain) == text
    assert decode_base45(text) == plain


@pytest.mark.parametrize("text", ["GGW", "A", "ABCD", "aa", ":::", "::", "G G!"])
def test_what_is_no_base45_is_refused(text: str) -> None:
    with pytest.raises(PayCodeError):
        decode_base45(text)


@given(st.binary(max_size=120))
def test_base45_goes_both_ways(data: bytes) -> None:
    assert decode_base45(encode_base45(data)) == data


def test_a_code_reads_back_from_bytes_text_and_the_bytes_of_its_text() -> None:
    code = signed()
    text = build_text(code)
    assert len(code.to_bytes()) == CODE_BYTES == 96
    assert len(text) == 148
    assert parse_code(code.to_bytes()) == parse_code(text) == parse_code(text.encode()) == code
    assert code.is_signed(KEYS)


@given(st.integers(0, CODE_BYTES * 8 - 1))
def test_no_bit_of_a_code_may_change(bit: int) -> None:
    raw = bytearray(signed().to_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(PayCodeError):
        assert not parse_code(bytes(raw)).is_signed(KEYS)


def test_another_key_or_none_is_no_signature() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    for keys in ({}, {7: other}, {7: b"short"}, {8: KEYS[7]}):
        assert not signed().is_signed(keys)
    assert not PayCode(replace(BODY, offline_limit_fen=5001), 7, signed().signature).is_signed(KEYS)


@pytest.mark.parametrize(
    "body",
    [
        replace(BODY, card_no=10**15 - 1),
        replace(BODY, card_no=10**16),
        replace(BODY, expires_at=BODY.issued_at),
        replace(BODY, expires_at=BODY.issued_at + 3601),
    ],
)
def test_a_body_that_cannot_be_is_refused(body: CodeBody) -> None:
    with pytest.raises(PayCodeError):
        parse_code(signed(body).to_bytes())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_code_or_refused(data: bytes) -> None:
    try:
        code = parse_code(data)
    except PayCodeError:
        return
    assert parse_code(code.to_bytes()) == code


@given(st.text(max_size=200))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    for given_text in (text, f"OC1:{text}"):
        try:
            parse_code(given_text)
        except PayCodeError:
            continue
        raise AssertionError("a code out of nothing")


def test_a_code_is_good_between_its_times_and_a_little_around() -> None:
    assert BODY.accepted_at(BODY.issued_at - 30, tolerance_s=30)
    assert BODY.accepted_at(BODY.expires_at + 30, tolerance_s=30)
    assert not BODY.accepted_at(BODY.issued_at - 31, tolerance_s=30)
    assert not BODY.accepted_at(BODY.expires_at + 31, tolerance_s=30)
