"""What each line should have (docs/rollouts.md): data of the platform, data of its unit, and its devices' parts in roll-outs."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection
from django.db.models import F

from onecard.kernel.clock import to_epoch_us
from onecard.protocol.proto.app_pb2 import LineTasks
from onecard.protocol.proto.device_pb2 import DataVersion, Task
from onecard.services.rollouts.choices import UNDER_WAY
from onecard.services.rollouts.models import DataTarget, Repository

# A line's own data keeps the line's number in its name: a terminal behind a front-end has no other way to know it.
_LINE_DATA = """
SELECT l.id, CASE WHEN d.name LIKE 'parameters/%%' THEN d.name ELSE split_part(d.name, '/', 1) END, d.version, t.blob_id
  FROM devices_line l
  JOIN rollouts_publisheddata d ON d.name IN ('rules/' || l.unit_id, 'cards/' || l.unit_id, 'parameters/' || l.id)
  JOIN rollouts_datatarget t ON t.data_id = d.name AND t.version = d.version
 WHERE l.state = 'active' AND (%s::bigint[] IS NULL OR l.id = ANY (%s::bigint[]))
UNION ALL
SELECT c.line_id, c.data_id, c.version, t.blob_id
  FROM rollouts_canaryline c
  JOIN devices_line l ON l.id = c.line_id AND l.state = 'active'
  JOIN rollouts_datatarget t ON t.data_id = c.data_id AND t.version = c.version
 WHERE %s::bigint[] IS NULL OR l.id = ANY (%s::bigint[])
 ORDER BY 1, 2"""


_TASKS = """
SELECT a.line_id, a.id, coalesce(a.terminal_id, 0), a.kind, r.path, b.length, r.blob_id, r.version, o.window_from, o.window_until
  FROM rollouts_action a
  JOIN rollouts_rollout o ON o.id = a.rollout_id AND o.state = 'running'
  JOIN rollouts_release r ON r.id = o.release_id AND r.state = 'released'
  JOIN rollouts_blob b ON b.sha256 = r.blob_id
 WHERE a.state = ANY (%s) AND (%s::bigint[] IS NULL OR a.line_id = ANY (%s::bigint[]))
 ORDER BY a.line_id, a.id"""


def platform_data() -> list[DataVersion]:
    """What every line should have: the deny list that is named to all, and a timestamp of at least this version.

    The timestamp told moves only with what concerns all lines; a unit's own data is told to its own lines.
    """
    found = []
    deny = DataTarget.objects.filter(data_id="deny", version=F("data__named")).values_list("version", "blob_id").first()
    if deny is not None:
        found.append(DataVersion(name="deny", version=deny[0], sha256=bytes(deny[1])))
    stamp = Repository.objects.values_list("platform_timestamp", flat=True).first()
    if stamp:
        found.append(DataVersion(name="timestamp", version=stamp))
    return found


def line_tasks(line_ids: Collection[int] | None) -> dict[int, LineTasks]:
    """By line, of these lines or of all: its unit's data in force, its devices' parts in running roll-outs, and of a canary line
    the deny list that is named to it before all others: it counts instead of the platform's.

    A line that has nothing is not named.
    """
    wanted = None if line_ids is None else sorted(line_ids)
    found: dict[int, LineTasks] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LINE_DATA, [wanted, wanted] * 2)
        for line_id, name, version, sha in cursor.fetchall():
            tasks = found.setdefault(line_id, LineTasks(line_id=line_id))
            tasks.current.add(name=name, version=version, sha256=bytes(sha))
        cursor.execute(_TASKS, [[state.value for state in UNDER_WAY], wanted, wanted])
        for line_id, *row in cursor.fetchall():
            found.setdefault(line_id, LineTasks(line_id=line_id)).tasks.append(_task(*row))
    return found


def _task(
    action_id: int, terminal_id: int, kind: str, path: str, length: int, sha: bytes, version: int,
    window_from: datetime | None, window_until: datetime | None,
) -> Task:  # fmt: skip
    return Task(
        action_id=action_id,
        terminal_id=terminal_id,
        kind=kind,
        target=path,
        length=length,
        sha256=bytes(sha),
        version=version,
        not_before_us=to_epoch_us(window_from) if window_from else 0,
        not_after_us=to_epoch_us(window_until) if window_until else 0,
    )
