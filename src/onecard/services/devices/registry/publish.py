"""The parameter file of a line: put together from templates and overrides, given a version, handed to the roll-outs.

A line has a file once one of its values differs from its default. The roll-outs own publication (`rollouts.api.publish_data`);
what they refuse stays waiting and says why.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from itertools import groupby
from typing import Any, Protocol, cast

from django.db import connection
from django.db.models import F

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import OneCardError
from onecard.protocol.parameters import NAME, build_parameters
from onecard.services.devices.models.templates import LineParameters, Parameter, ParameterTemplate
from onecard.services.devices.registry.effective import PlaceRow, Source, Templates, effective_values, places_of_lines

log = logging.getLogger("onecard.devices")

_PIECE = 1_000
_AT_ONCE = 200


class Rollouts(Protocol):
    """What this needs of `rollouts.api`."""

    NewData: Any
    has_repository: Callable[[], bool]
    publish_many: Callable[[list[Any]], None]


def lock_parameters() -> None:
    """One change of parameters at a time, so that what was previewed is what is applied."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('onecard.devices.parameters'))")


def load_defaults() -> dict[str, Any]:
    """The default of each parameter."""
    return dict(Parameter.objects.values_list("key", "default"))


def load_templates() -> Templates:
    """All templates, by (model, unit)."""
    return {(row.model_id, row.unit_id): row.values for row in ParameterTemplate.objects.all()}


def refresh_lines(lines: Iterable[int], *, clock: Clock | None = None) -> int:
    """Put the files of some lines together again; gives how many changed and wait for publication now."""
    wanted = sorted(set(lines))
    if not wanted:
        return 0
    lock_parameters()
    defaults, templates, now = load_defaults(), load_templates(), (clock or SystemClock()).now()
    changed = 0
    for piece in (wanted[at : at + _PIECE] for at in range(0, len(wanted), _PIECE)):
        there = {row.line_id: row for row in LineParameters.objects.filter(line_id__in=piece)}
        for line_id, group in groupby(places_of_lines(piece), key=lambda place: place.line_id):
            places = list(group)
            values, plain = _values(places, defaults, templates)
            row = there.get(line_id)
            build = partial(build_parameters, line_id, values=values, front_end=places[0].is_front_end)
            if plain if row is None else bytes(row.content) == build(version=row.version):
                continue
            version = 1 if row is None else row.version + 1
            content = build(version=version)
            LineParameters.objects.update_or_create(
                line_id=line_id, defaults={"version": version, "content": content, "changed_at": now, "problem": ""}
            )
            changed += 1
    return changed


def publish_waiting(*, rollouts: Rollouts | None = None) -> int:
    """Hand what waits to the roll-outs; gives how many files were taken. Nothing while there is no signed repository."""
    rollouts = rollouts or _rollouts()
    if not rollouts.has_repository():
        return 0
    rows = list(LineParameters.objects.exclude(published_version=F("version")).order_by("changed_at")[:_AT_ONCE])
    if rows and not _publish(rollouts, rows):
        # One that is refused must not hold up the rest.
        return sum(_publish(rollouts, [row]) for row in rows)
    return len(rows)


def _publish(rollouts: Rollouts, rows: list[LineParameters]) -> bool:
    data = [rollouts.NewData(f"{NAME}/{row.line_id}", bytes(row.content), row.version) for row in rows]
    try:
        rollouts.publish_many(data)
    except OneCardError as refusal:
        if len(rows) == 1:
            LineParameters.objects.filter(pk=rows[0].pk, version=rows[0].version).update(problem=refusal.zh[:200])
            log.warning("devices: parameters of line %s were not published: %s", rows[0].line_id, refusal.en)
        return False
    for row in rows:
        LineParameters.objects.filter(pk=row.pk, version__gte=row.version).update(published_version=row.version, problem="")
    return True


def _rollouts() -> Rollouts:
    """By name, since the roll-outs call this domain as well."""
    return cast(Rollouts, import_module("onecard.services.rollouts.api"))


def _values(places: list[PlaceRow], defaults: dict[str, Any], templates: Templates) -> tuple[dict[int, dict[str, Any]], bool]:
    """The values by terminal, and whether all of them are defaults."""
    found = {place.terminal_id: effective_values(place, defaults=defaults, templates=templates) for place in places}
    plain = all(each.source is Source.DEFAULT for values in found.values() for each in values.values())
    return {terminal: {key: each.value for key, each in values.items()} for terminal, values in found.items()}, plain
