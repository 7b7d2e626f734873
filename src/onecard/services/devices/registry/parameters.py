"""Changing templates and overrides: first a preview of exactly what changes for whom, then the change, by the preview's token.

The token is a digest of the preview: where anything that counts has changed in between, the change is refused and looked at
again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.protocol.parameters import naming, read_values
from onecard.services.actors import Actor
from onecard.services.devices.models.registry import Device, DeviceModel
from onecard.services.devices.models.templates import (
    DeviceOverride,
    Parameter,
    ParameterChange,
    ParameterKind,
    ParameterTemplate,
)
from onecard.services.devices.registry import permissions
from onecard.services.devices.registry.devices import find_device, owner_of, place_of
from onecard.services.devices.registry.effective import (
    PlaceRow,
    Source,
    Templates,
    effective_values,
    place_of_device,
    places_of_scope,
    unit_of,
)
from onecard.services.devices.registry.errors import REFUSALS
from onecard.services.devices.registry.publish import load_defaults, load_templates, lock_parameters, refresh_lines
from onecard.services.devices.registry.values import check_value, check_values
from onecard.services.operators.api import refusals


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be: the whole values of a template (found by model and unit, made where there is none) or of an override.

    A parameter that is not named falls back to what lies below.
    """

    values: Mapping[str, Any]
    model_id: int | None = None
    unit_id: int | None = None
    device_id: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter of one place that changes."""

    line_id: int
    terminal_id: int
    device_id: int | None
    place: str
    parameter: str
    old: Any
    new: Any
    source: Source


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything a change does. `untouched` places are in its scope but have a nearer value or the same one."""

    differences: tuple[Difference, ...]
    places: int
    untouched: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    token: str
    lines: tuple[int, ...] = field(repr=False, default=())


def define_parameter(
    key: str,
    title_zh: str,
    title_en: str,
    *,
    kind: str,
    default: Any,
    least: int | None = None,
    most: int | None = None,
    choices: list[str] | None = None,
    actor: Actor,
) -> Parameter:
    """Something that can be set from now on. Raises InvalidInput, Forbidden."""
    _need_all(actor)
    if kind not in ParameterKind.values:
        raise InvalidInput(f"不认识的参数类型：{kind}", f"no such kind of parameter: {kind}")
    made = Parameter(
        key=key, title_zh=title_zh, title_en=title_en, kind=kind, least=least, most=most, choices=choices or [], default=default
    )
    check_value(made, default)
    with refusals(REFUSALS):
        made.save(force_insert=True)
    return made


def preview(change: Change, *, actor: Actor) -> Preview:
    """What a change would do, and nothing done. Raises InvalidInput, NotFound, Forbidden."""
    _check_scope(change, actor)
    values = check_values(change.values, Parameter.objects.in_bulk())
    defaults, before = load_defaults(), load_templates()
    if change.device_id is not None:
        old = DeviceOverride.objects.filter(device_id=change.device_id).values_list("values", flat=True).first() or {}
        places = place_of_device(change.device_id)
        pairs = [(place, _with_override(place, values)) for place in places]
        after = before
    else:
        scope = (change.model_id, change.unit_id)
        old = before.get(scope, {})
        after = {**before, scope: values}
        pairs = [(place, place) for place in places_of_scope(*scope)]
    found: list[Difference] = []
    for was, will in pairs:
        changes = _differences(was, will, defaults=defaults, before=before, after=after)
        if changes:
            _check_together(will, defaults=defaults, templates=after)
        found += changes
    touched = {(each.line_id, each.terminal_id) for each in found}
    return Preview(
        tuple(found),
        len(pairs),
        len(pairs) - len(touched),
        old,
        values,
        _token(change, old, values, found),
        tuple(sorted({each.line_id for each in found})),
    )


def apply(change: Change, *, token: str, actor: Actor, clock: Clock | None = None) -> ParameterChange:
    """Do what the preview of that token said, all of it or nothing, and write it down.

    Raises RuleViolated (D1) when something has changed since the preview, else as `preview`.
    """
    now = (clock or SystemClock()).now()
    with transaction.atomic(), refusals(REFUSALS):
        lock_parameters()
        seen = preview(change, actor=actor)
        if seen.token != token:
            raise RuleViolated(
                "D1：预览之后情况有变，请重新预览", "D1: something has changed since the preview: look again", rule="D1"
            )
        template = None if change.device_id is not None else _store_template(change, seen.after, actor=actor, now=now)
        if change.device_id is not None:
            _store_override(change.device_id, seen.after, actor=actor, now=now)
        refresh_lines(seen.lines, clock=clock)
        return ParameterChange.objects.create(
            at=now,
            who=actor.name[:150],
            template=template,
            device_id=change.device_id,
            before=dict(seen.before),
            after=dict(seen.after),
            devices=seen.places - seen.untouched,
        )


def values_of(device_id: int) -> dict[str, tuple[Any, Source]]:
    """The value of each parameter of a device now, and where it comes from; empty while it is in store."""
    defaults, templates = load_defaults(), load_templates()
    for place in place_of_device(device_id):
        return {k: (v.value, v.source) for k, v in effective_values(place, defaults=defaults, templates=templates).items()}
    return {}


def _check_scope(change: Change, actor: Actor) -> None:
    given = (change.model_id, change.unit_id)
    if (change.device_id is not None) == (given != (None, None)):
        raise REFUSALS["template_scoped"].build()
    if change.device_id is not None:
        actor.require(permissions.CONFIGURE, owner_of(place_of(find_device(change.device_id))))
        return
    if change.model_id is not None and not DeviceModel.objects.filter(pk=change.model_id).exists():
        raise NotFound(f"无此型号：{change.model_id}", f"no such model: {change.model_id}")
    if change.unit_id is None:
        _need_all(actor)
        return
    actor.require(permissions.CONFIGURE, unit_of(change.unit_id)[0])


def _need_all(actor: Actor) -> None:
    """What reaches every operator's devices is for those who are bound to none."""
    actor.require(permissions.CONFIGURE)
    if actor.operators is not None:
        raise Forbidden(f"{actor.name} 只能管理所属运营单位的设备", f"{actor.name} manages the devices of some operators only")


def _differences(
    was: PlaceRow, will: PlaceRow, *, defaults: Mapping[str, Any], before: Templates, after: Templates
) -> list[Difference]:
    old = effective_values(was, defaults=defaults, templates=before)
    new = effective_values(will, defaults=defaults, templates=after)
    return [
        Difference(was.line_id, was.terminal_id, was.device_id, was.name, key, old[key].value, new[key].value, new[key].source)
        for key in defaults
        if old[key].value != new[key].value
    ]


def _check_together(place: PlaceRow, *, defaults: Mapping[str, Any], templates: Templates) -> None:
    """Whether the place's device would take all of its values as they are then. Raises InvalidInput, naming the place."""
    values = effective_values(place, defaults=defaults, templates=templates)
    with naming(place.name, place.name):
        read_values({key: each.value for key, each in values.items()})


def _with_override(place: PlaceRow, values: Mapping[str, Any]) -> PlaceRow:
    from dataclasses import replace

    return replace(place, override=values)


def _token(change: Change, old: Mapping[str, Any], new: Mapping[str, Any], found: list[Difference]) -> str:
    rows = [[each.line_id, each.terminal_id, each.device_id, each.parameter, each.old, each.new] for each in found]
    told = [change.model_id, change.unit_id, change.device_id, dict(old), dict(new), rows]
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _store_template(change: Change, values: Mapping[str, Any], *, actor: Actor, now: Any) -> ParameterTemplate:
    model, unit = change.model_id, change.unit_id
    scope = (Q(model=None) if model is None else Q(model=model), Q(unit=None) if unit is None else Q(unit=unit))
    found = ParameterTemplate.objects.filter(*scope).first()
    row = found or ParameterTemplate(model_id=change.model_id, unit_id=change.unit_id)
    row.name = change.name.strip()[:100] or row.name or _default_name(change)
    row.values, row.changed_at, row.changed_by = dict(values), now, actor.name[:150]
    row.save()
    return row


def _default_name(change: Change) -> str:
    model = DeviceModel.objects.filter(pk=change.model_id).first() if change.model_id is not None else None
    unit = unit_of(change.unit_id)[1] if change.unit_id is not None else None
    return " / ".join(str(part) for part in (unit, model) if part is not None)[:100]


def _store_override(device_id: int, values: Mapping[str, Any], *, actor: Actor, now: Any) -> None:
    assert Device.objects.filter(pk=device_id).exists(), "the preview found it"
    if not values:
        DeviceOverride.objects.filter(device_id=device_id).delete()
        return
    DeviceOverride.objects.update_or_create(
        device_id=device_id, defaults={"values": dict(values), "changed_at": now, "changed_by": actor.name[:150]}
    )
