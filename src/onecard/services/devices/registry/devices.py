"""Registering devices, naming models, moving a device to another place (D1). What a move leaves behind: `sql/registry.sql`."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.devices.models.lines import Line
from onecard.services.devices.models.registry import Capability, Device, DeviceModel
from onecard.services.devices.models.terminals import Terminal
from onecard.services.devices.registry import permissions
from onecard.services.devices.registry.errors import REFUSALS
from onecard.services.devices.registry.publish import refresh_lines
from onecard.services.operators.api import refusals

MAX_SERIAL = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device stands: exactly one of the three."""

    line_id: int | None = None
    terminal_id: int | None = None
    operator_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device to register."""

    maker: str
    model: str
    serial: str
    place: Place
    hardware: str = ""
    position: str = ""
    note: str = ""


def define_model(maker: str, model: str, *, hardware: str = "", capabilities: Sequence[str] = (), actor: Actor) -> DeviceModel:
    """A maker's model, or its capabilities anew: of all operators' devices of it. Raises InvalidInput, Forbidden."""
    actor.require_platform(permissions.REGISTER)
    unknown = sorted(set(capabilities) - set(Capability.values))
    if unknown:
        raise InvalidInput(f"不认识的能力：{'、'.join(unknown)}", f"no such capability: {', '.join(unknown)}")
    ordered = [value for value in Capability.values if value in capabilities]
    with refusals(REFUSALS):
        made, _created = DeviceModel.objects.update_or_create(
            maker=_text(maker, "厂商", "maker"),
            model=_text(model, "型号", "model"),
            defaults={"hardware": hardware.strip(), "capabilities": ordered},
        )
    return made


def register_device(new: NewDevice, *, actor: Actor, clock: Clock | None = None) -> Device:
    """A device by its serial number, where it stands. Raises InvalidInput, RuleViolated (D1), NotFound, Forbidden."""
    actor.require(permissions.REGISTER, owner_of(new.place))
    with refusals(REFUSALS):
        model, _created = DeviceModel.objects.get_or_create(
            maker=_text(new.maker, "厂商", "maker"),
            model=_text(new.model, "型号", "model"),
            defaults={"hardware": new.hardware.strip()},
        )
        made = Device.objects.create(
            model=model,
            serial=_text(new.serial, "序列号", "serial number"),
            hardware=new.hardware.strip() or model.hardware,
            line_id=new.place.line_id,
            terminal_id=new.place.terminal_id,
            operator_id=new.place.operator_id,
            place=new.position.strip(),
            note=new.note.strip(),
            registered_at=(clock or SystemClock()).now(),
            registered_by=actor.name[:150],
        )
        refresh_lines(_lines_of(new.place), clock=clock)
    return made


def describe_device(device_id: int, *, position: str, note: str, actor: Actor) -> Device:
    """Where exactly it hangs, and what is worth knowing of it. Raises NotFound, Forbidden."""
    device = find_device(device_id)
    actor.require(permissions.REGISTER, owner_of(place_of(device)))
    device.place, device.note = position.strip(), note.strip()
    with refusals(REFUSALS):
        device.save(update_fields=["place", "note"])
    return device


def move_device(
    device_id: int, to: Place, *, actor: Actor, note: str, leave_unsent: bool = False, clock: Clock | None = None
) -> Device:
    """Put a device somewhere else. Out of its unit it takes nothing along: values, certificate and states stay behind.

    With `leave_unsent` a device that is broken goes although records were still on it; the note says so.
    Raises RuleViolated (D1), NotFound, Forbidden, InvalidInput (no note).
    """
    reason = _text(note, "移动原因", "reason of the move")
    with refusals(REFUSALS):
        device = Device.objects.select_for_update().filter(pk=device_id).first()
        if device is None:
            raise NotFound(f"无此设备：{device_id}", f"no such device: {device_id}")
        leaves = place_of(device)
        actor.require(permissions.REGISTER, owner_of(leaves))
        actor.require(permissions.REGISTER, owner_of(to))
        _tell_database(actor.name, reason, leave_unsent=leave_unsent)
        device.line_id, device.terminal_id, device.operator_id = to.line_id, to.terminal_id, to.operator_id
        device.save(update_fields=["line", "terminal", "operator"])
        refresh_lines([*_lines_of(leaves), *_lines_of(to)], clock=clock)
        _tell_database("", "", leave_unsent=False)
        device.refresh_from_db()
    return device


def find_device(device_id: int) -> Device:
    """Raises NotFound."""
    device = Device.objects.select_related("model").filter(pk=device_id).first()
    if device is None:
        raise NotFound(f"无此设备：{device_id}", f"no such device: {device_id}")
    return device


def place_of(device: Device) -> Place:
    """Where it stands."""
    return Place(device.line_id, device.terminal_id, device.operator_id)


def owner_of(place: Place) -> int:
    """The operator whose place it is. Raises InvalidInput unless it is exactly one place, NotFound for one that is not there."""
    if sum(value is not None for value in (place.line_id, place.terminal_id, place.operator_id)) != 1:
        raise REFUSALS["device_one_place"].build()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT operator_id FROM devices_place_owner(%s, %s, %s)", [place.line_id, place.terminal_id, place.operator_id]
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise NotFound("无此线路、终端或运营单位", "no such line, terminal or operator")
    return int(row[0])


def _lines_of(place: Place) -> list[int]:
    """The line whose parameter file names the place."""
    if place.line_id is not None:
        return list(Line.objects.filter(pk=place.line_id).values_list("pk", flat=True))
    lines = Terminal.objects.filter(pk=place.terminal_id, line__isnull=False) if place.terminal_id is not None else []
    return [terminal.line_id for terminal in lines if terminal.line_id is not None]


def _tell_database(who: str, note: str, *, leave_unsent: bool) -> None:
    """What the triggers write down, until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('onecard.who', %s, true), set_config('onecard.note', %s, true),"
            " set_config('onecard.leave_unsent', %s, true)",
            [who[:150], note[:200], "on" if leave_unsent else ""],
        )


def _text(value: str, zh: str, en: str) -> str:
    text = value.strip()
    if not text or len(text) > 200 or not text.isprintable():
        raise InvalidInput(f"须填写{zh}", f"the {en} is needed")
    return text
