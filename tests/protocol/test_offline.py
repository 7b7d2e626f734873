"""The rules file and the cards file of a unit: bytes there and back, and clear refusals."""

import json
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import InvalidInput
from onecard.kernel.numbers import build_card_no
from onecard.protocol.cardindex import CardEntry, build_card_index, parse_card_index
from onecard.protocol.offline import (
    EVERYBODY,
    CardTypeRule,
    DoorRule,
    MealTime,
    OfflineRules,
    TerminalRule,
    Window,
    build_rules,
    parse_rules,
)

limits = st.none() | st.integers(0, 10**12)
ids = st.integers(0, 10**9)
windows = st.builds(
    Window,
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.sets(st.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days))),
)
card_types = st.builds(CardTypeRule, st.booleans(), limits, limits, limits, limits, st.booleans())
terminals = st.builds(TerminalRule, limits, limits, st.lists(windows, max_size=3).map(tuple), st.booleans())
doors = st.builds(DoorRule, st.frozensets(ids, max_size=4), st.lists(windows, max_size=3).map(tuple))
all_rules = st.builds(
    OfflineRules,
    version=st.integers(0, 10**9),
    unit_id=st.integers(0, 99_999),
    card_types=st.dictionaries(ids, card_types, max_size=4),
    unknown_card=card_types,
    terminals=st.dictionaries(ids, terminals, max_size=4),
    any_terminal=terminals,
    meals=st.lists(st.builds(MealTime, st.integers(1, 99), windows), max_size=4).map(tuple),
    doors=st.dictionaries(ids, st.lists(doors, max_size=3).map(tuple), max_size=4),
    fallback_ms=st.integers(100, 60_000),
    guard_permille=st.integers(1, 1000),
)
card_numbers = st.builds(
    lambda issuer, lane, serial: build_card_no(issuer=issuer, lane=lane, serial=serial),
    st.integers(1000, 9999),
    st.integers(0, 63),
    st.integers(1, 999_999_999),
)
days = st.none() | st.dates(date(2000, 1, 2), date(2150, 1, 1))
entries = st.builds(CardEntry, st.integers(1, 1 << 31), st.frozensets(st.integers(1, 1 << 31), max_size=5), days)
RULES = OfflineRules(version=4, unit_id=9, terminals={7: TerminalRule(total_fen=50_000)})


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PLATFORM_ZONE)


@given(all_rules)
def test_rules_come_back_from_their_bytes(rules):
    data = build_rules(rules)
    assert parse_rules(data) == rules
    assert build_rules(parse_rules(data)) == data


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_bytes_that_are_no_rules_are_refused(data):
    with pytest.raises(InvalidInput):
        parse_rules(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format="other"), r"\$\.format"),
        (lambda content: content.pop("meals"), r"\$\.meals: missing"),
        (lambda content: content.update(more=1), r"\$\.more: unknown"),
        (lambda content: content.update(version="4"), r"\$\.version: must be a whole number"),
        (lambda content: content.update(version=True), r"\$\.version: must be a whole number"),
        (lambda content: content.update(fallback_ms=10), "fallback_ms: 10 is not between"),
        (lambda content: content["terminals"]["7"].update(total_fen=-1), r"\$\.terminals\.7: .*total_fen: -1"),
        (lambda content: content["terminals"].update({"x": {}}), r"\$\.terminals\.x: must be a number"),
        (lambda content: content["any_terminal"].update(hours=[{"days": [8]}]), r"hours\[0\]\.start_minute: missing"),
        (lambda content: content.update(doors=[]), r"\$\.doors: must be an object"),
        (lambda content: content["unknown_card"].update(offline=None), r"unknown_card\.offline: must be true or false"),
    ],
)
def test_a_mistake_is_named_with_its_place(change, message):
    content = json.loads(build_rules(RULES))
    change(content)
    with pytest.raises(InvalidInput, match=message):
        parse_rules(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (Window(), "2026-03-02T00:00", True),
        (Window(660, 780), "2026-03-02T11:00", True),
        (Window(660, 780), "2026-03-02T13:00", False),
        (Window(660, 780, (1,)), "2026-03-03T12:00", False),
        (Window(1320, 120), "2026-03-02T23:00", True),
        (Window(1320, 120, (1,)), "2026-03-03T01:59", True),
        (Window(1320, 120, (1,)), "2026-03-03T02:00", False),
        (Window(1320, 120, (1,)), "2026-03-02T01:00", False),
    ],
)
def test_a_window_knows_its_days_and_midnight(window, moment, inside):
    assert window.contains(local(moment)) is inside


def test_a_meal_is_found_by_local_time():
    rules = OfflineRules(1, 1, meals=(MealTime(1, Window(420, 540)), MealTime(2, Window(660, 780))))
    at = [rules.meal_at(to_epoch_us(local(f"2026-03-02T{clock}"))) for clock in ("06:59", "07:00", "09:00", "12:59")]
    assert at == [0, 1, 0, 2]


def test_a_door_admits_by_group_and_time():
    door = DoorRule(frozenset({5}), (Window(480, 1080, (1, 2, 3, 4, 5)),))
    assert door.admits(frozenset({5, 6}), local("2026-03-02T09:00"))
    assert not door.admits(frozenset({6}), local("2026-03-02T09:00"))
    assert not door.admits(frozenset({5}), local("2026-03-07T09:00"))
    assert DoorRule(frozenset({EVERYBODY})).admits(frozenset(), local("2026-03-07T09:00"))


@given(st.dictionaries(card_numbers, entries, max_size=40), st.integers(0, 1 << 63), card_numbers)
def test_a_card_index_holds_exactly_its_cards(cards, version, other):
    index = parse_card_index(build_card_index(cards, version=version, unit_id=77))
    assert (index.version, index.unit_id, len(index)) == (version, 77, len(cards))
    assert {number: index.get(number) for number in cards} == cards
    assert (index.get(other) is None) is (other not in cards)


@given(st.dictionaries(card_numbers, entries, max_size=6), st.data())
@settings(max_examples=60)
def test_a_damaged_card_index_is_refused(cards, data):
    content = bytearray(build_card_index(cards, version=1, unit_id=1))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidInput):
        parse_card_index(bytes(content))
    with pytest.raises(InvalidInput):
        parse_card_index(bytes(content[:place]))


def test_the_last_day_and_a_wrong_number():
    number = build_card_no(issuer=8800, lane=3, serial=5)
    entry = CardEntry(1, frozenset(), date(2031, 12, 31))
    assert parse_card_index(build_card_index({number: entry}, version=1, unit_id=1)).get(number) == entry
    with pytest.raises(InvalidInput, match="not a card number"):
        build_card_index({number + 1: entry}, version=1, unit_id=1)
    past = CardEntry(1, frozenset(), date(1999, 1, 1))
    found = parse_card_index(build_card_index({number: past}, version=1, unit_id=1)).get(number)
    assert found is not None and found.valid_until == date(2000, 1, 1) + timedelta(days=1)
