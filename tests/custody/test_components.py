"""Components and shares: any k give the key and fewer say nothing; a typing error is named."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.custody.components import (
    Component,
    Scheme,
    check_of,
    combine,
    derive_share,
    format_component,
    new_component,
    parse_component,
    share_number,
    split,
)

KEYS = st.binary(min_size=16, max_size=16).filter(any)


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    count = draw(st.integers(2, 7))
    return Scheme(draw(st.integers(2, count)), count)


@given(schemes(), KEYS, st.data())
@settings(deadline=None)
def test_any_k_components_give_the_key(scheme: Scheme, key: bytes, data: st.DataObject) -> None:
    components = split(scheme, key)
    chosen = data.draw(st.permutations(components))[: scheme.threshold]
    assert combine(scheme, chosen) == key


@given(schemes(), KEYS)
@settings(deadline=None, max_examples=30)
def test_fewer_are_refused(scheme: Scheme, key: bytes) -> None:
    with pytest.raises(InvalidInput, match="too few"):
        combine(scheme, split(scheme, key)[: scheme.threshold - 1])


@pytest.mark.parametrize("scheme", [Scheme(2, 2), Scheme(3, 3), Scheme(2, 3), Scheme(3, 4)], ids=str)
def test_fewer_fit_every_key_equally_well(scheme: Scheme) -> None:
    """For each of the 256 keys of one byte there is exactly one last component that leads to it: the others say nothing."""
    known = [Component(number, bytes((0x11 * number,))) for number in range(1, scheme.threshold)]
    taken = {component.value for component in known} | {b"\0"} if scheme.is_xor else set()
    last = [Component(scheme.threshold, bytes((value,))) for value in range(256) if bytes((value,)) not in taken]
    keys = Counter(combine(scheme, [*known, component]) for component in last)
    assert len(keys) == 256 - len(taken)
    assert set(keys.values()) == {1}


def test_a_known_polynomial_over_the_field_of_aes() -> None:
    """f(x) = 53 + CA·x, with 2·CA = 8F in the field of AES: f(1) = 99, f(2) = DC."""
    assert combine(Scheme(2, 15), [Component(1, b"\x99"), Component(2, b"\xdc")]) == b"\x53"


def test_threshold_random_shares_make_the_others() -> None:
    scheme = Scheme(3, 5)
    first = [new_component(number) for number in (1, 2, 3)]
    key = combine(scheme, first)
    rest = [derive_share(scheme, first, number) for number in (4, 5)]
    for chosen in itertools.combinations([*first, *rest], 3):
        assert combine(scheme, chosen) == key


def test_a_share_too_many_is_a_check() -> None:
    scheme = Scheme(2, 4)
    shares = split(scheme, bytes(range(16)))
    assert combine(scheme, shares) == bytes(range(16))
    with pytest.raises(InvalidInput, match="not of one key"):
        combine(scheme, [*shares[:2], Component(3, bytes(16))])


@pytest.mark.parametrize("values", [(b"\0" * 16, b"\1" * 16), (b"\7" * 16, b"\7" * 16)], ids=["zeros", "the same twice"])
def test_a_component_that_adds_nothing_is_refused(values: tuple[bytes, bytes]) -> None:
    with pytest.raises(InvalidInput):
        combine(Scheme(2, 2), [Component(1, values[0]), Component(2, values[1])])


def test_one_component_given_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        combine(Scheme(2, 3), [Component(1, b"\1" * 16)] * 2)


@given(schemes(), KEYS, st.integers(0, 99), st.sampled_from([" ", "-", "", "  "]))
def test_a_sheet_is_read_back(scheme: Scheme, value: bytes, tag: int, separator: str) -> None:
    text = format_component(scheme, Component(2, value), tag=tag)
    typed = separator.join(text.split()).lower()
    assert parse_component(typed, scheme, number=2, tag=tag, who="甲") == Component(2, value)
    assert share_number(text) == 2


@given(KEYS, st.integers(0, 44), st.sampled_from("0123456789ABCDEF"))
def test_a_wrong_digit_is_named_with_its_group_and_custodian(value: bytes, at: int, digit: str) -> None:
    scheme = Scheme(2, 3)
    text = format_component(scheme, Component(1, value), tag=5).replace(" ", "")
    if text[at] == digit:
        return
    with pytest.raises(InvalidInput) as refused:
        parse_component(text[:at] + digit + text[at + 1 :], scheme, number=1, tag=5, who="张三")
    assert f"张三 的分量第 {at // 5 + 1} 组有误" in refused.value.zh


@given(KEYS, st.integers(0, 8), st.permutations(range(5)))
def test_two_digits_that_changed_places_are_named(value: bytes, place: int, order: list[int]) -> None:
    scheme = Scheme(2, 3)
    groups = format_component(scheme, Component(1, value), tag=5).split()
    i, j = order[:2]
    digits = list(groups[place])
    digits[i], digits[j] = digits[j], digits[i]
    if "".join(digits) == groups[place]:
        return
    groups[place] = "".join(digits)
    with pytest.raises(InvalidInput, match=f"group {place + 1}"):
        parse_component(" ".join(groups), scheme, number=1, tag=5, who="张三")


@given(KEYS, st.integers(1, 8), st.integers(1, 8))
def test_groups_that_changed_places_are_both_named(value: bytes, left: int, right: int) -> None:
    scheme = Scheme(3, 3)
    groups = format_component(scheme, Component(1, value), tag=5).split()
    if left >= right:
        return
    groups[left], groups[right] = groups[right], groups[left]
    with pytest.raises(InvalidInput, match=f"group {left + 1}, {right + 1}:"):
        parse_component(" ".join(groups), scheme, number=1, tag=5, who="张三")


def test_a_missing_group_and_another_persons_sheet_are_refused() -> None:
    scheme = Scheme(2, 3)
    text = format_component(scheme, Component(1, bytes(range(16))), tag=5)
    with pytest.raises(InvalidInput, match="9 groups, 8"):
        parse_component(text[:-6], scheme, number=1, tag=5, who="甲")
    with pytest.raises(InvalidInput, match="not 乙's component"):
        parse_component(text, scheme, number=2, tag=5, who="乙")
    with pytest.raises(InvalidInput, match="not 甲's component"):
        parse_component(text, scheme, number=1, tag=6, who="甲")


def test_a_bare_component_of_another_institution_is_taken_for_xor_only() -> None:
    bare = "0123 4567 89AB CDEF FEDC BA98 7654 3210"
    value = bytes.fromhex(bare)
    assert parse_component(bare, Scheme(2, 2), number=1, tag=0, who="甲").value == value
    assert parse_component(bare.replace(" ", ""), Scheme(2, 2), number=1, tag=0, who="甲").value == value
    with pytest.raises(InvalidInput):
        parse_component(bare, Scheme(2, 3), number=1, tag=0, who="甲")
    with pytest.raises(InvalidInput, match="not hexadecimal"):
        parse_component(bare.replace("0", "O"), Scheme(2, 2), number=1, tag=0, who="甲")


@pytest.mark.parametrize(
    ("text", "scheme"), [("3", Scheme(3, 3)), ("xor2", Scheme(2, 2)), ("2of3", Scheme(2, 3)), ("3/5", Scheme(3, 5))]
)
def test_schemes_are_read(text: str, scheme: Scheme) -> None:
    assert Scheme.parse(text) == scheme


@pytest.mark.parametrize("text", ["", "1", "4of3", "16", "two", "2of3of4"])
def test_schemes_that_do_not_hold_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Scheme.parse(text)


def test_the_check_value_is_the_keys_and_no_value_shows_in_a_repr() -> None:
    # 3DES of a zero block under 0123456789ABCDEF FEDCBA9876543210: 08D7B4FB629D0885 (published widely).
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert check_of(Algorithm.DES3, key) == "08D7B4"
    assert key.hex() not in repr(Component(1, key)) and "value" not in repr(Component(1, key))
