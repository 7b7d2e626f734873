"""A deny list as it travels: what goes in comes out, in any size, and what was changed on the way is refused."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import build_card_no, luhn_digit
from onecard.protocol.cardset import BLOCK_ENTRIES, DIGEST_BYTES, build_card_set, parse_card_set

_RNG = random.Random(20181127)
_CITY = [build_card_no(issuer=8800, lane=serial % 4, serial=serial) for serial in _RNG.sample(range(1, 300_001), 3_000)]
_SIZES = [*range(2 * BLOCK_ENTRIES + 3), *(n * BLOCK_ENTRIES + d for n in (3, 8, 31) for d in (-1, 0, 1))]


@pytest.mark.parametrize("size", _SIZES)
def test_every_number_put_in_is_found_and_no_other(size: int) -> None:
    listed, others = _CITY[:size], _CITY[size : size + 50]
    data = build_card_set(listed, version=size)
    cards = parse_card_set(data)
    assert (cards.version, len(cards), cards.digest) == (size, size, data[-DIGEST_BYTES:])
    assert list(cards) == sorted(listed)
    assert all(card in cards for card in listed)
    assert not any(card in cards for card in others)


def test_one_percent_of_300000_cards_takes_less_than_five_kilobytes() -> None:
    assert len(build_card_set(_CITY, version=1)) < 5_000


@given(st.sets(st.integers(0, 10**15 - 1), max_size=200))
def test_numbers_of_any_issuers_survive(payloads: set[int]) -> None:
    listed = {payload * 10 + luhn_digit(payload) for payload in payloads}
    assert set(parse_card_set(build_card_set(listed, version=1))) == listed


def test_a_number_with_another_check_digit_is_not_on_the_list() -> None:
    cards = parse_card_set(build_card_set(_CITY[:10], version=1))
    assert _CITY[0] + 1 not in cards
    assert "text" not in cards


def test_a_wrong_check_digit_is_refused_when_the_list_is_made() -> None:
    with pytest.raises(InvalidInput, match=str(_CITY[0] + 1)):
        build_card_set([_CITY[0] + 1], version=1)


@given(st.data())
def test_any_change_on_the_way_is_refused(data: st.DataObject) -> None:
    whole = build_card_set(_CITY[:100], version=3)
    place = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InvalidInput, match="digest"):
        parse_card_set(whole[:place] + bytes((whole[place] ^ data.draw(st.integers(1, 255)),)) + whole[place + 1 :])
    with pytest.raises(InvalidInput):
        parse_card_set(whole[:place])


@given(st.binary(max_size=200))
def test_what_is_hashed_rightly_but_makes_no_sense_is_refused_or_read(content: bytes) -> None:
    """Somebody's broken encoder: never anything but a set or a clear refusal."""
    content = b"OCL1" + content
    try:
        list(parse_card_set(content + hashlib.sha256(content).digest()))
    except InvalidInput as refusal:
        assert "byte" in refusal.en
