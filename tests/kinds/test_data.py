"""Lists, tariffs and parameters in a device: wrong ones change nothing, and a spoilt disk gives way to the generation before."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.kernel.errors import InvalidInput
from onecard.protocol.cardset import build_card_set
from onecard.protocol.parameters import build_parameters, parse_parameters
from onecard.terminal.kinds.data import DeviceData
from onecard.terminal.kinds.firmware import build_image, is_healthy
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.parts import Tap
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.kinds.tariff import Tariff, parse_tariff
from tests.kinds.bench import OFFLINE, PARAMETERS, TARIFF, card, make, parameters

_NAMES = st.sampled_from(["format", "menu", "meter", "offline", "no", "fen"])
_LEAVES = st.none() | st.integers() | st.text(max_size=5)
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=12)


@pytest.fixture
def data() -> DeviceData:
    return DeviceData(DeviceJournal(":memory:", durable=False))


def tariff(**changes) -> bytes:
    return json.dumps({**json.loads(TARIFF), **changes}).encode()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "onecard-tariff/1"),
        (b"[" * 100_000, "onecard-tariff/1"),
        (b"[]", "onecard-tariff/1"),
        (tariff(format="onecard-tariff/2"), "format"),
        (tariff(fixed_fen=-1), "fixed_fen"),
        (tariff(fixed_fen=1.5), "fixed_fen"),
        (tariff(fixed_fen=True), "fixed_fen"),
        (tariff(fixed_fen="1"), "fixed_fen"),
        (tariff(fixed_fen=10**12), "fixed_fen"),
        (tariff(discount=5), "discount"),
        (tariff(menu={}), "menu"),
        (tariff(menu=[{"no": 1, "zh": "米饭", "en": "Rice", "fen": 0}]), "menu[0].fen"),
        (tariff(menu=[{"no": 1, "zh": "米饭", "en": "Rice", "fen": 1}] * 2), "menu"),
        (tariff(menu=[{"no": 1, "zh": "", "en": "Rice", "fen": 1}]), "menu[0].zh"),
        (tariff(meter={"hold_fen": 1, "fen_per_unit": 1, "pulses_per_unit": 0, "unit": "m³"}), "meter.pulses_per_unit"),
        (tariff(meter=5), "meter"),
    ],
)
def test_a_tariff_that_breaks_its_format_names_the_place_and_the_last_good_one_stays(data, content, place):
    data.take("tariff", TARIFF, version=1)
    with pytest.raises(InvalidInput) as refusal:
        data.take("tariff", content, version=2)
    assert refusal.value.en.startswith(f"{place}:")
    assert (data.tariff.fixed_fen, data.version("tariff")) == (250, 1)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"door_open_s": 0}, "door_open_s"),
        ({"amount_max_fen": True}, "amount_max_fen"),
        ({"offline_limits": 1}, "offline_limits"),
        ({"offline_total_fen": -1}, "offline_total_fen"),
        ({"notes_fen": "100,,500"}, "notes_fen"),
        ({"notes_fen": "100,100"}, "notes_fen"),
        ({"topup_min_fen": 500, "topup_max_fen": 400}, "topup_min_fen"),
        ({"heartbeat_s": 61}, "heartbeat_s"),
        ({"idle_text": "x" * 41}, "idle_text"),
        ({"another_maker": None}, "devices.0.another_maker"),
    ],
)
def test_parameters_that_cannot_be_taken_name_the_place_and_the_last_good_ones_stay(data, values, place):
    data.take("parameters", PARAMETERS, version=1)
    with pytest.raises(InvalidInput) as refusal:
        data.take("parameters", parameters(OFFLINE | values, version=2), version=2)
    assert refusal.value.en.startswith(f"{place}:")
    assert data.parameters.offline.total_fen == 10**12
    assert data.version("parameters") == 1


def test_a_terminal_behind_a_front_end_reads_its_own_values_and_leaves_what_it_does_not_know(data):
    values = {0: {"repeat_s": 1, "volume": 5}, 71: {"repeat_s": 2, "volume": 5}, 72: {"repeat_s": -1, "volume": 5}}
    data.terminal_id = 71
    data.take("parameters", build_parameters(7, 3, values, front_end=True), version=3)
    assert (data.parameters.repeat_s, data.parameters_line) == (2, 7)
    data.take("parameters", build_parameters(8, 1, {71: {"repeat_s": 9}}, front_end=True), version=1)
    assert data.parameters.repeat_s == 9, "another line counts its versions by itself"
    again = DeviceData(data.journal, terminal_id=71)
    assert (again.parameters.repeat_s, again.parameters_line, again.version("parameters")) == (9, 8, 1)
    data.terminal_id = 73
    with pytest.raises(InvalidInput, match="terminal 73 is not in the file"):
        data.take("parameters", build_parameters(8, 2, values, front_end=True), version=2)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | _VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_do_more_than_be_refused(content):
    for parse in (parse_tariff, parse_parameters):
        with pytest.raises(InvalidInput):
            parse(content)


def test_older_data_and_data_of_another_kind_of_device_are_refused(data):
    data.take("tariff", TARIFF, version=5)
    with pytest.raises(InvalidInput, match="older"):
        data.take("tariff", TARIFF, version=4)
    with pytest.raises(InvalidInput, match="does not use"):
        data.take("coffee", TARIFF, version=9)


def test_data_the_disk_has_spoilt_gives_way_to_the_one_before(data):
    data.take("deny", build_card_set([card(1)], version=1), version=1)
    data.take("deny", build_card_set([card(2)], version=2), version=2)
    data.journal._db.execute("UPDATE data SET content = substr(content, 2) WHERE generation = 0")
    again = DeviceData(data.journal)
    assert again.version("deny") == 1
    assert card(1) in again.denied
    data.journal._db.execute("UPDATE data SET content = x'00'")
    assert not DeviceData(data.journal).denied


async def test_a_list_that_refuses_too_many_of_the_last_cards_is_refused():
    pos = make(Pos)
    cards = [card(serial) for serial in range(1, 31)]
    for number in cards:
        await pos.act(Tap(number))
    with pytest.raises(InvalidInput, match="7 of the last 30"):
        pos.data.take("deny", build_card_set(cards[:7], version=1), version=1)
    assert cards[0] not in pos.data.denied
    pos.data.take("deny", build_card_set(cards[:6], version=1), version=1)
    pos.data.take("deny", build_card_set(cards[:12], version=2), version=2)  # six more: those refused already do not count
    assert cards[11] in pos.data.denied


@pytest.mark.parametrize(
    ("image", "good"),
    [
        (build_image("pos", 3, b"body"), True),
        (build_image("pos", 3, b"body", healthy=False), False),
        (build_image("door", 3, b"body"), False),
        (build_image("pos", 3, b"body")[:-1], False),
        (b"", False),
        (bytes(1000), False),
    ],
)
def test_an_image_is_healthy_when_it_is_whole_of_this_model_and_says_so(tmp_path, image, good):
    (tmp_path / "slot").write_bytes(image)
    assert is_healthy(tmp_path / "slot", "pos") is good


def test_an_empty_tariff_sells_by_amount_only():
    assert parse_tariff(b'{"format":"onecard-tariff/1"}') == Tariff(menu={})
