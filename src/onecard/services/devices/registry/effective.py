"""Which value a place has for each parameter, and where the value comes from: pure, but for the one query that reads places.

A place is a line's own device (terminal 0) or a terminal behind a front-end. The nearest of these counts: the override of its
device, the template for its unit and model, for its unit, for its model, the parameter's default.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from json import loads
from typing import Any

from django.db import connection

from onecard.kernel.errors import NotFound

Values = Mapping[str, Any]
Templates = dict[tuple[int | None, int | None], Values]
"""Values by (model, unit)."""


class Source(StrEnum):
    """Where a value comes from, the nearest first."""

    OVERRIDE = "override"
    UNIT_MODEL = "unit_model"
    UNIT = "unit"
    MODEL = "model"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A place and what hangs there."""

    line_id: int
    terminal_id: int
    unit_id: int | None
    operator_id: int
    device_id: int | None
    model_id: int | None
    name: str
    is_front_end: bool
    """Of its line."""
    override: Values


@dataclass(frozen=True, slots=True)
class Effective:
    """A value and where it comes from."""

    value: Any
    source: Source


_PLACES = """
SELECT p.line_id, p.terminal_id, l.unit_id, coalesce(l.operator_id, u.operator_id), d.id, d.model_id, p.name,
       l.kind = 'front_end', coalesce(o.values, '{{}}'::jsonb)
  FROM (SELECT l.id AS line_id, 0::bigint AS terminal_id, l.name FROM devices_line l
        UNION ALL
        SELECT t.line_id, t.id, t.tid FROM devices_terminal t JOIN devices_line l ON l.id = t.line_id AND l.kind = 'front_end'
       ) p
  JOIN devices_line l ON l.id = p.line_id AND l.state = 'active'
  LEFT JOIN operators_unit u ON u.id = l.unit_id
  LEFT JOIN devices_device d
    ON CASE WHEN p.terminal_id = 0 THEN d.line_id = p.line_id ELSE d.terminal_id = p.terminal_id END
  LEFT JOIN devices_deviceoverride o ON o.device_id = d.id
 WHERE {condition}
 ORDER BY p.line_id, p.terminal_id"""


def places_of_lines(lines: Iterable[int]) -> list[PlaceRow]:
    """Every place of some lines."""
    return _places("p.line_id = ANY (%s)", [sorted(set(lines))])


def places_of_scope(model_id: int | None, unit_id: int | None) -> list[PlaceRow]:
    """The places a template speaks for."""
    wanted = [("d.model_id = %s", model_id), ("l.unit_id = %s", unit_id)]
    given = [(condition, value) for condition, value in wanted if value is not None]
    assert given, "a template is for a model or a unit"
    return _places(" AND ".join(condition for condition, _value in given), [value for _condition, value in given])


def place_of_device(device_id: int) -> list[PlaceRow]:
    """The place of one device; none while it is in store."""
    return _places("d.id = %s", [device_id])


def unit_of(unit_id: int) -> tuple[int, str]:
    """A unit's operator and name. Raises NotFound."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT operator_id, name FROM operators_unit WHERE id = %s", [unit_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"无此接入单位：{unit_id}", f"no such unit: {unit_id}")
    return row[0], row[1]


def _places(condition: str, parameters: list[Any]) -> list[PlaceRow]:
    with connection.cursor() as cursor:
        cursor.execute(_PLACES.format(condition=condition), parameters)
        rows: list[Any] = cursor.fetchall()
    return [PlaceRow(*(*row[:-1], _json(row[-1]))) for row in rows]


def _json(told: Any) -> Values:
    """Django hands jsonb of a plain cursor over as text."""
    values: Values = loads(told) if isinstance(told, str) else told
    return values


def effective_values(place: PlaceRow, *, defaults: Values, templates: Templates) -> dict[str, Effective]:
    """The value of each parameter at a place."""
    layers = (
        (Source.OVERRIDE, place.override),
        (Source.UNIT_MODEL, _layer(templates, place.model_id, place.unit_id)),
        (Source.UNIT, templates.get((None, place.unit_id), {}) if place.unit_id is not None else {}),
        (Source.MODEL, templates.get((place.model_id, None), {}) if place.model_id is not None else {}),
        (Source.DEFAULT, defaults),
    )
    return {key: next(Effective(layer[key], source) for source, layer in layers if key in layer) for key in defaults}


def _layer(templates: Templates, model_id: int | None, unit_id: int | None) -> Values:
    return templates.get((model_id, unit_id), {}) if model_id is not None and unit_id is not None else {}
