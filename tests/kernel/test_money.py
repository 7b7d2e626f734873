"""Money: exact both ways, and no remainder lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.money import format_yuan, parse_yuan, per_mille_floor

FEN = st.integers(min_value=-(10**17) + 1, max_value=10**17 - 1)


@pytest.mark.parametrize(
    ("text", "fen"),
    [("12", 1200), ("12.5", 1250), ("12.05", 1205), ("-0.05", -5), ("0", 0), (" 3.10 ", 310), ("000012.00", 1200), ("-7", -700)],
)
def test_amount_in_yuan_is_read_exactly(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text", ["", "-", ".5", "1.", "1.234", "1e3", "+1", "--1", "1,000", "¥1", "１２", "1 2", "nan", "inf", "9" * 16, "1.2\n3"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        parse_yuan(text)


@given(FEN)
def test_an_amount_reads_back_as_it_was_written(fen: int) -> None:
    assert parse_yuan(format_yuan(fen)) == fen


@given(FEN)
def test_grouping_changes_commas_only(fen: int) -> None:
    assert format_yuan(fen, grouped=True).replace(",", "") == format_yuan(fen)


def test_format_shows_two_decimals_and_the_sign() -> None:
    assert [format_yuan(fen) for fen in (0, 5, -5, 100, -1234567)] == ["0.00", "0.05", "-0.05", "1.00", "-12345.67"]
    assert format_yuan(-1234567, grouped=True) == "-12,345.67"


@given(FEN, st.integers(0, 1000), st.integers(0, 999))
def test_per_mille_loses_nothing(amount: int, per_mille: int, carry: int) -> None:
    fen, rest = per_mille_floor(amount, per_mille, carry_millifen=carry)
    assert fen * 1000 + rest == amount * per_mille + carry
    assert 0 <= rest <= 999


@given(st.lists(st.integers(0, 10**9), max_size=50), st.integers(0, 1000))
def test_carried_remainders_make_many_small_fees_equal_one_large_fee(amounts: list[int], per_mille: int) -> None:
    total, carry = 0, 0
    for amount in amounts:
        fee, carry = per_mille_floor(amount, per_mille, carry_millifen=carry)
        total += fee
    assert (total, carry) == per_mille_floor(sum(amounts), per_mille)
