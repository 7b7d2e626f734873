"""Registering and moving devices: one box a place, and nothing taken along to another unit, whoever moves it."""

import pytest
from django.db import IntegrityError, connection, transaction

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.services.devices import api
from onecard.services.devices.api import NewDevice, Place
from onecard.services.devices.models import Device, DeviceMove, DeviceOverride, DeviceStatus, Line, Terminal
from onecard.services.devices.registry.devices import define_model
from tests.devices.conftest import NOW, SYSTEM, Places, bound, heartbeat, report


def register(place: Place, serial: str = "S-1", **more: str) -> Device:
    return api.register_device(NewDevice("Acme", "FE-1", serial, place, **more), actor=SYSTEM)


def test_a_device_stands_at_one_place_and_a_place_has_one_device(places: Places) -> None:
    register(Place(line_id=places.front_end))
    with pytest.raises(RuleViolated, match="there is a device at this line") as taken:
        register(Place(line_id=places.front_end), "S-2")
    assert taken.value.rule == "D1"
    with pytest.raises(InvalidInput, match="has this serial number"):
        register(Place(operator_id=places.school_operator))
    with pytest.raises(InvalidInput, match="one line, at one terminal, or in one store"):
        register(Place(line_id=places.straight, operator_id=places.school_operator), "S-3")
    with pytest.raises(RuleViolated, match="stands at its line"):
        register(Place(terminal_id=Terminal.objects.get(line_id=places.straight).pk), "S-4")
    with pytest.raises(NotFound):
        register(Place(line_id=987_654), "S-5")
    with pytest.raises(InvalidInput, match="serial number is needed"):
        register(Place(line_id=places.straight), "  ")
    assert Device.objects.count() == 1
    with pytest.raises(InvalidInput, match="no such capability: fly"):
        define_model("Acme", "FE-1", capabilities=["pay", "fly"], actor=SYSTEM)
    assert define_model("Acme", "FE-1", capabilities=["upgrade", "pay"], actor=SYSTEM).capabilities == ["pay", "upgrade"]


def test_moved_to_another_unit_a_device_takes_nothing_along(places: Places) -> None:
    device = register(Place(line_id=places.front_end), position="Gate 1", note="secret of the school")
    Line.objects.filter(pk=places.front_end).update(certificate_sha256=b"c" * 32, certificate_until=NOW)
    api.take_report(report(heartbeat(places.front_end, versions=[], last_error="x")), now=NOW)
    seen = api.preview(api.Change({"volume": 9}, device_id=device.pk), actor=SYSTEM)
    api.apply(api.Change({"volume": 9}, device_id=device.pk), token=seen.token, actor=SYSTEM)
    api.move_device(device.pk, Place(line_id=places.factory_line), actor=SYSTEM, note="lent")
    device.refresh_from_db()
    assert (device.line_id, device.place, device.note) == (places.factory_line, "", "")
    assert not DeviceOverride.objects.exists() and not DeviceStatus.objects.exists()
    left = Line.objects.get(pk=places.front_end)
    assert left.certificate_sha256 is None, "whoever holds the key does not speak for the school any more"
    move = DeviceMove.objects.get()
    assert (move.who, move.note, move.left_unit) == ("test", "lent", True)
    assert (move.from_operator_id, move.to_operator_id) == (places.school_operator, places.factory_operator)


def test_within_its_unit_a_device_keeps_its_values(places: Places) -> None:
    device = register(Place(line_id=places.front_end), position="Gate 1")
    seen = api.preview(api.Change({"volume": 9}, device_id=device.pk), actor=SYSTEM)
    api.apply(api.Change({"volume": 9}, device_id=device.pk), token=seen.token, actor=SYSTEM)
    api.move_device(device.pk, Place(line_id=places.straight), actor=SYSTEM, note="swap")
    device.refresh_from_db()
    assert device.place == "Gate 1" and DeviceOverride.objects.get().values == {"volume": 9}
    assert not DeviceMove.objects.get().left_unit


def test_the_database_itself_keeps_unsent_records_and_a_sam_from_leaving(places: Places) -> None:
    device = register(Place(terminal_id=places.terminals[0]))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO keys_sam (id, order_ref, supplier, state, serial, key_versions, personalised_at, changed_at)"
            " VALUES (7, 'o', '', 'received', 'AB12', '{}', now(), now())"
        )
        cursor.execute("UPDATE keys_sam SET state = 'personalised' WHERE id = 7")
        cursor.execute("UPDATE keys_sam SET state = 'bound', terminal_id = %s WHERE id = 7", [places.terminals[0]])
    with pytest.raises(RuleViolated, match="unbind it first"):
        api.move_device(device.pk, Place(terminal_id=places.factory_terminal), actor=SYSTEM, note="x")
    api.move_device(device.pk, Place(terminal_id=places.terminals[1]), actor=SYSTEM, note="within the unit it may")
    DeviceStatus.objects.create(terminal_id=places.terminals[1], heard_at=NOW, since=NOW, sampled_at=NOW, backlog=3)
    with pytest.raises(RuleViolated, match="have not come up"):
        api.move_device(device.pk, Place(operator_id=places.school_operator), actor=SYSTEM, note="x")
    with pytest.raises(IntegrityError, match="unsent records"), transaction.atomic():
        Device.objects.filter(pk=device.pk).update(terminal_id=None, operator_id=places.school_operator)
    api.move_device(device.pk, Place(operator_id=places.school_operator), actor=SYSTEM, note="burnt", leave_unsent=True)
    assert Device.objects.get().operator_id == places.school_operator
    assert [move.note for move in DeviceMove.objects.order_by("id")] == ["within the unit it may", "burnt"]


def test_who_is_bound_to_an_operator_moves_its_devices_within_it(places: Places) -> None:
    device = register(Place(line_id=places.front_end))
    school, factory = bound(places.school_operator), bound(places.factory_operator)
    with pytest.raises(Forbidden):
        api.move_device(device.pk, Place(line_id=places.factory_line), actor=school, note="x")
    with pytest.raises(Forbidden):
        api.move_device(device.pk, Place(operator_id=places.factory_operator), actor=factory, note="x")
    with pytest.raises(InvalidInput, match="reason of the move"):
        api.move_device(device.pk, Place(line_id=places.straight), actor=school, note=" ")
    api.move_device(device.pk, Place(operator_id=places.school_operator), actor=school, note="to the store")
    assert Device.objects.get().line_id is None


def test_a_box_at_the_line_that_replaced_a_revoked_one_has_come_along(places: Places) -> None:
    api.take_report(report(heartbeat(places.front_end, hello=True)), now=NOW)
    device = Device.objects.get()
    Line.objects.filter(pk=places.front_end).update(state="revoked")
    new = api.create_line(api.NewLine("一中前置机（新）", "front_end", unit_id=places.school))
    sent = heartbeat(new, hello=True)
    sent.hello.serial = device.serial
    api.take_report(report(sent), now=NOW)
    assert Device.objects.get().line_id == new
