"""Which devices a roll-out means: the filter, and its one reading over lines, terminals, the registry and what devices say (D1).

A device is a line's own (a front-end, a terminal attached straight) or a terminal behind a front-end. The tables of devices and
operators are read here by name, never written.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import connection

from onecard.kernel.errors import InvalidInput
from onecard.services.rollouts.models import Release


@dataclass(frozen=True, slots=True)
class TargetFilter:
    """Devices that fit every condition that is given; an empty one is no condition."""

    operators: tuple[int, ...] = ()
    units: tuple[int, ...] = ()
    lines: tuple[int, ...] = ()
    terminals: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    """"front_end", "terminal" (attached straight), "behind" (a terminal behind a front-end)."""
    drivers: tuple[str, ...] = ()
    makers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    hardware: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Only what is given."""
        return {name: list(value) for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "TargetFilter":
        """Raises InvalidInput for a condition that there is none of."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(raw) - known):
            raise InvalidInput(f"无此条件：{'、'.join(unknown)}", f"no such condition: {', '.join(unknown)}")
        whole = {"operators", "units", "lines", "terminals"}
        try:
            given: dict[str, Any] = {
                name: tuple(int(one) if name in whole else str(one) for one in value) for name, value in raw.items()
            }
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"条件无效：{error}", f"not a condition: {error}") from error


_FACTS = """coalesce(m.maker, s.maker) AS maker, coalesce(m.model, s.model) AS model,
           coalesce(nullif(s.hardware, ''), b.hardware) AS hardware, s.versions"""
DEVICES = f"""
SELECT d.line_id, d.terminal_id, d.unit_id FROM (
    SELECT l.id AS line_id, NULL::bigint AS terminal_id, l.kind::text AS kind, ''::text AS driver, l.unit_id,
           coalesce(u.operator_id, l.operator_id) AS operator_id, {_FACTS}
      FROM devices_line l
      LEFT JOIN operators_unit u ON u.id = l.unit_id
      LEFT JOIN devices_devicestatus s ON s.line_id = l.id
      LEFT JOIN devices_device b ON b.line_id = l.id
      LEFT JOIN devices_devicemodel m ON m.id = b.model_id
     WHERE l.state = 'active'
    UNION ALL
    SELECT l.id, t.id, 'behind', t.driver, l.unit_id, coalesce(u.operator_id, l.operator_id), {_FACTS}
      FROM devices_terminal t
      JOIN devices_line l ON l.id = t.line_id
      LEFT JOIN operators_unit u ON u.id = l.unit_id
      LEFT JOIN devices_devicestatus s ON s.terminal_id = t.id
      LEFT JOIN devices_device b ON b.terminal_id = t.id
      LEFT JOIN devices_devicemodel m ON m.id = b.model_id
     WHERE l.state = 'active' AND l.kind = 'front_end' AND t.state = 'active') d
 WHERE (%(operators)s::bigint[] = '{{}}' OR d.operator_id = ANY (%(operators)s))
   AND (%(units)s::bigint[] = '{{}}' OR d.unit_id = ANY (%(units)s))
   AND (%(lines)s::bigint[] = '{{}}' OR d.line_id = ANY (%(lines)s))
   AND (%(terminals)s::bigint[] = '{{}}' OR d.terminal_id = ANY (%(terminals)s))
   AND (%(kinds)s::text[] = '{{}}' OR d.kind = ANY (%(kinds)s))
   AND (%(drivers)s::text[] = '{{}}' OR d.driver = ANY (%(drivers)s))
   AND (%(makers)s::text[] = '{{}}' OR d.maker = ANY (%(makers)s))
   AND (%(models)s::text[] = '{{}}' OR d.model = ANY (%(models)s))
   AND (%(hardware)s::text[] = '{{}}' OR d.hardware = ANY (%(hardware)s))
   AND (%(meant)s::text[] = '{{}}' OR d.hardware = ANY (%(meant)s))
   AND coalesce((d.versions ->> %(kind)s)::numeric, 0) < %(version)s"""  # noqa: S608 - texts of this file only
"""What has the version already, or a newer one, is not meant; neither is other hardware than the release names."""


def parameters(release: Release, target: TargetFilter) -> dict[str, Any]:
    """What DEVICES takes."""
    given = {name: list(value) for name, value in asdict(target).items()}
    return {**given, "meant": list(release.hardware_ids), "kind": release.kind, "version": release.version}


def find_devices(release: Release, target: TargetFilter) -> Sequence[tuple[int, int | None, int | None]]:
    """(line, terminal or None, unit or None) of each device that is meant."""
    with connection.cursor() as cursor:
        cursor.execute(DEVICES, parameters(release, target))
        found: list[tuple[int, int | None, int | None]] = cursor.fetchall()
    return found
