"""Parameters by template and override: what counts where, the preview, what was previewed and no more, the files of lines."""

import json
from typing import Any

import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.protocol.parameters import Parameters, check_value, parse_parameters, read_values
from onecard.protocol.proto import device_pb2
from onecard.services.devices import api
from onecard.services.devices.api import Change, NewDevice, Place
from onecard.services.devices.models import Device, LineParameters, Parameter, ParameterChange, ParameterTemplate
from onecard.services.devices.registry.effective import Source
from onecard.services.devices.registry.parameters import define_parameter, values_of
from onecard.services.devices.registry.publish import publish_waiting
from onecard.services.devices.registry.values import parse_value
from tests.devices.conftest import NOW, SYSTEM, Places, bound, heartbeat, report


@pytest.fixture
def devices(places: Places) -> dict[str, Device]:
    """A front-end and a terminal of the school, a front-end of the factory; two models."""
    stand = {
        "gate": ("FE-1", Place(line_id=places.front_end)),
        "till": ("P-1", Place(terminal_id=places.terminals[0])),
        "factory": ("FE-1", Place(line_id=places.factory_line)),
    }
    return {
        name: api.register_device(NewDevice("Acme", model, name, place), actor=SYSTEM) for name, (model, place) in stand.items()
    }


def put(change: Change, **keywords: Any) -> ParameterChange:
    return api.apply(change, token=api.preview(change, actor=SYSTEM).token, actor=SYSTEM, **keywords)


def test_the_nearest_value_counts(places: Places, devices: dict[str, Device]) -> None:
    gate, model = devices["gate"], devices["gate"].model_id
    expected = [
        (Change({"volume": 1}, model_id=model), 1, Source.MODEL),
        (Change({"volume": 2}, unit_id=places.school), 2, Source.UNIT),
        (Change({"volume": 3}, model_id=model, unit_id=places.school), 3, Source.UNIT_MODEL),
        (Change({"volume": 4}, device_id=gate.pk), 4, Source.OVERRIDE),
    ]
    assert values_of(gate.pk)["volume"] == (5, Source.DEFAULT)
    for change, value, source in expected:
        put(change)
        assert values_of(gate.pk)["volume"] == (value, source)
    assert values_of(devices["till"].pk)["volume"] == (2, Source.UNIT)
    assert values_of(devices["factory"].pk)["volume"] == (1, Source.MODEL)
    put(Change({}, device_id=gate.pk))
    assert values_of(gate.pk)["volume"] == (3, Source.UNIT_MODEL), "what is taken away lets the next one through"


def test_a_preview_names_exactly_what_changes_for_whom(places: Places, devices: dict[str, Device]) -> None:
    put(Change({"volume": 8}, device_id=devices["gate"].pk))
    change = Change({"volume": 7, "language": "zh", "idle_text": "欢迎"}, unit_id=places.school)
    seen = api.preview(change, actor=SYSTEM)
    told = {
        (each.terminal_id, each.parameter, each.old, each.new) for each in seen.differences if each.line_id == places.front_end
    }
    first, second = places.terminals
    assert told == {
        (0, "idle_text", "", "欢迎"),
        (first, "idle_text", "", "欢迎"),
        (first, "volume", 5, 7),
        (second, "idle_text", "", "欢迎"),
        (second, "volume", 5, 7),
    }, "the gate has a value of its own, zh is what they have already"
    assert (seen.places, seen.untouched) == (4, 0) and set(seen.lines) == {places.front_end, places.straight}
    assert not ParameterTemplate.objects.exists()
    done = api.apply(change, token=seen.token, actor=SYSTEM)
    assert (done.devices, done.before, done.after) == (4, {}, {"volume": 7, "language": "zh", "idle_text": "欢迎"})


def test_what_has_changed_since_the_preview_is_not_applied(places: Places, devices: dict[str, Device]) -> None:
    change = Change({"volume": 7}, unit_id=places.school)
    seen = api.preview(change, actor=SYSTEM)
    put(Change({"volume": 6}, device_id=devices["till"].pk))
    with pytest.raises(RuleViolated, match="look again"):
        api.apply(change, token=seen.token, actor=SYSTEM)
    with pytest.raises(RuleViolated, match="look again"):
        api.apply(Change({"volume": 8}, unit_id=places.school), token=api.preview(change, actor=SYSTEM).token, actor=SYSTEM)
    assert not ParameterTemplate.objects.exists()


def test_values_that_are_not_allowed_are_refused_by_name(places: Places, devices: dict[str, Device]) -> None:
    for values in (
        {"volume": 11},
        {"volume": True},
        {"volume": "5"},
        {"language": "fr"},
        {"idle_text": "a\nb"},
        {"idle_text": "x" * 41},
    ):
        with pytest.raises(InvalidInput, match=f"the value of {next(iter(values))}"):
            api.preview(Change(values, unit_id=places.school), actor=SYSTEM)
    with pytest.raises(InvalidInput, match="no such parameter: nonsense"):
        api.preview(Change({"nonsense": 1}, unit_id=places.school), actor=SYSTEM)
    with pytest.raises(InvalidInput, match="a model or a unit"):
        api.preview(Change({"volume": 1}), actor=SYSTEM)
    with pytest.raises(NotFound):
        api.preview(Change({"volume": 1}, unit_id=99_999), actor=SYSTEM)
    made = define_parameter(
        "relay_ms", "继电器时长", "Relay time", kind="integer", default=800, least=100, most=5000, actor=SYSTEM
    )
    assert parse_value(made, " 1200 ") == 1200 and parse_value(Parameter.objects.get(pk="print_receipt"), "否") is False
    with pytest.raises(InvalidInput, match="relay_ms"):
        parse_value(made, "12e2")
    with pytest.raises(InvalidInput, match="there is one like it already"):
        define_parameter("relay_ms", "继", "Relay", kind="integer", default=800, actor=SYSTEM)


def test_who_is_bound_to_an_operator_sets_its_units_and_devices_only(places: Places, devices: dict[str, Device]) -> None:
    school = bound(places.school_operator)
    assert api.preview(Change({"volume": 1}, unit_id=places.school), actor=school).places == 4
    for change in (
        Change({"volume": 1}, unit_id=places.factory),
        Change({"volume": 1}, device_id=devices["factory"].pk),
        Change({"volume": 1}, model_id=devices["gate"].model_id),
    ):
        with pytest.raises(Forbidden):
            api.preview(change, actor=school)


def test_a_line_gets_a_file_with_its_own_devices_alone_and_each_change_a_version(
    places: Places, devices: dict[str, Device]
) -> None:
    assert not LineParameters.objects.exists(), "nobody needs a file of defaults"
    put(Change({"volume": 7}, unit_id=places.school))
    put(Change({"volume": 2}, device_id=devices["till"].pk))
    row = LineParameters.objects.get(line_id=places.front_end)
    told = json.loads(bytes(row.content))
    assert (told["format"], told["line_id"], told["version"], row.version) == ("onecard-parameters/1", places.front_end, 2, 2)
    assert {key: values["volume"] for key, values in told["devices"].items()} == {
        "0": 7,
        str(places.terminals[0]): 2,
        str(places.terminals[1]): 7,
    }
    assert not LineParameters.objects.filter(line_id=places.factory_line).exists()


def test_what_is_set_for_a_model_counts_for_a_device_that_says_hello_afterwards(
    places: Places, devices: dict[str, Device]
) -> None:
    put(Change({"volume": 7}, model_id=devices["gate"].model_id))
    assert set(LineParameters.objects.values_list("line_id", flat=True)) == {places.front_end, places.factory_line}
    hello = heartbeat(places.straight, hello=True)
    hello.hello.model = "FE-1"
    state = device_pb2.DeviceState(
        terminal_id=places.factory_terminal, online=True, maker="Acme", model="FE-1", serial="new", firmware="1"
    )
    behind = heartbeat(places.factory_line, devices=[state])
    api.take_report(report(hello, behind), now=NOW)
    read = {row.line_id: parse_parameters(bytes(row.content)) for row in LineParameters.objects.all()}
    assert [read[places.straight].values_of(number)["volume"] for number in (0, 99)] == [7, 7]
    assert (read[places.factory_line].version, read[places.factory_line].values_of(places.factory_terminal)["volume"]) == (2, 7)
    assert read[places.factory_line].values_of(99) is None, "it is not of that line"


def test_the_pages_let_through_what_terminals_take_and_nothing_else(places: Places) -> None:
    known = {row.key: row for row in Parameter.objects.all()}
    assert read_values({key: row.default for key, row in known.items()}) == Parameters(), (
        "the defaults are the same on both sides"
    )
    for row in known.values():
        for value in (row.least, row.most) if row.kind == "integer" else ():
            check_value(row.key, value)
        if row.kind == "integer" and row.key not in ("volume", "brightness"):
            for value in (row.least - 1, row.most + 1):
                with pytest.raises(InvalidInput, match=row.key):
                    check_value(row.key, value)
    with pytest.raises(InvalidInput, match="the value of notes_fen is not allowed: notes_fen: should be face values"):
        api.preview(Change({"notes_fen": "100;500"}, unit_id=places.school), actor=SYSTEM)
    with pytest.raises(InvalidInput, match="is above topup_max_fen"):
        api.preview(Change({"topup_min_fen": 5000, "topup_max_fen": 4000}, unit_id=places.school), actor=SYSTEM)


class Rollouts:
    """Stands for `rollouts.api`: refuses one line for ever."""

    def __init__(self, refused: int) -> None:
        self.refused, self.taken = refused, dict[str, tuple[int, bytes]]()

    @staticmethod
    def NewData(name: str, content: bytes, version: int) -> tuple[str, bytes, int]:
        return name, content, version

    @staticmethod
    def has_repository() -> bool:
        return True

    def publish_many(self, data: list[tuple[str, bytes, int]]) -> None:
        if any(name == f"parameters/{self.refused}" for name, _, _ in data):
            raise RuleViolated("不行", "no", rule="D2")
        self.taken |= {name: (version, content) for name, content, version in data}


def test_files_are_handed_to_the_roll_outs_and_one_refused_holds_up_no_other(places: Places, devices: dict[str, Device]) -> None:
    put(Change({"volume": 7}, unit_id=places.school))
    assert publish_waiting() == 0, "without a signed repository they wait"
    rollouts = Rollouts(refused=places.straight)
    assert publish_waiting(rollouts=rollouts) == 1
    row = LineParameters.objects.get(line_id=places.front_end)
    assert rollouts.taken == {f"parameters/{places.front_end}": (1, bytes(row.content))} and row.published_version == 1
    left = LineParameters.objects.get(line_id=places.straight)
    assert (left.published_version, left.problem) == (0, "不行")
    rollouts.refused = 0
    assert publish_waiting(rollouts=rollouts) == 1
    assert publish_waiting(rollouts=rollouts) == 0
