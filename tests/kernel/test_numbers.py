"""Account and card numbers: the check digit, the lane inside, and the purse's id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel import numbers

LANES = st.integers(0, numbers.MAX_LANE)
SERIALS = st.integers(1, numbers.MAX_SERIAL)
ISSUERS = st.integers(1000, 9999)


@pytest.mark.parametrize("number", [79927398713, 4539578763621486, 17893729974])
def test_published_luhn_numbers_are_valid(number: int) -> None:
    assert numbers.is_luhn_valid(number)


@given(st.integers(1, 10**17))
def test_exactly_one_check_digit_fits(payload: int) -> None:
    fitting = [digit for digit in range(10) if numbers.is_luhn_valid(payload * 10 + digit)]
    assert fitting == [numbers.luhn_digit(payload)]


@given(LANES, SERIALS, st.integers(0, 12), st.integers(1, 9))
def test_a_single_wrong_digit_is_noticed(lane: int, serial: int, position: int, shift: int) -> None:
    digits = [int(digit) for digit in str(numbers.build_account_no(lane=lane, serial=serial))]
    digits[position] = (digits[position] + shift) % 10
    assert not numbers.is_account_no(int("".join(map(str, digits))))


@given(LANES, SERIALS, st.integers(0, 11))
def test_two_neighbouring_digits_swapped_are_noticed_except_09(lane: int, serial: int, position: int) -> None:
    text = str(numbers.build_account_no(lane=lane, serial=serial))
    pair = text[position : position + 2]
    swapped = int(text[:position] + pair[::-1] + text[position + 2 :])
    if pair[0] != pair[1] and set(pair) != {"0", "9"}:  # the one pair that Luhn cannot tell apart
        assert not numbers.is_account_no(swapped)


@given(LANES, SERIALS)
def test_account_number_has_13_digits_and_its_lane(lane: int, serial: int) -> None:
    number = numbers.build_account_no(lane=lane, serial=serial)
    assert len(str(number)) == numbers.ACCOUNT_DIGITS
    assert numbers.is_account_no(number)
    assert numbers.account_lane(number) == lane


@given(ISSUERS, LANES, SERIALS)
def test_card_number_has_16_digits_and_its_lane(issuer: int, lane: int, serial: int) -> None:
    number = numbers.build_card_no(issuer=issuer, lane=lane, serial=serial)
    assert len(str(number)) == numbers.CARD_DIGITS
    assert numbers.is_card_no(number)
    assert numbers.card_lane(number) == lane
    assert number // 10**12 == issuer


@given(st.tuples(LANES, SERIALS), st.tuples(LANES, SERIALS))
def test_no_two_accounts_share_a_number(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = (numbers.build_account_no(lane=lane, serial=serial) for lane, serial in (one, other))
    assert (first == second) == (one == other)


@pytest.mark.parametrize(("lane", "serial"), [(-1, 1), (64, 1), (0, 0), (0, 10**9), (0, -1)])
def test_numbers_outside_the_ranges_are_not_built(lane: int, serial: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        numbers.build_account_no(lane=lane, serial=serial)
    with pytest.raises(ValueError, match="outside"):
        numbers.build_card_no(issuer=1000, lane=lane, serial=serial)


@pytest.mark.parametrize("issuer", [0, 999, 10_000, -1000])
def test_issuer_prefix_has_four_digits(issuer: int) -> None:
    with pytest.raises(ValueError, match="four digits"):
        numbers.build_card_no(issuer=issuer, lane=0, serial=1)


def test_a_number_of_a_lane_that_cannot_be_is_no_number() -> None:
    payload = (100 + 64) * 10**9 + 5
    assert not numbers.is_account_no(payload * 10 + numbers.luhn_digit(payload))
    payload = (1000 * 100 + 64) * 10**9 + 5
    assert not numbers.is_card_no(payload * 10 + numbers.luhn_digit(payload))


@pytest.mark.parametrize("number", [0, -1, 10**12 - 1, 2 * 10**12, 10**15, 10**16])
def test_numbers_of_another_length_are_none(number: int) -> None:
    assert not (numbers.is_account_no(number) and numbers.is_card_no(number))


@given(LANES, SERIALS, st.integers(0, 99_999))
def test_a_purse_id_names_account_and_unit(lane: int, serial: int, unit: int) -> None:
    account = numbers.build_account_no(lane=lane, serial=serial)
    purse = numbers.purse_id(account, unit)
    assert numbers.split_purse_id(purse) == (account, unit)
    assert purse < 2**63
