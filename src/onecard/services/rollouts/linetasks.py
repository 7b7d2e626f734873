"""What each line should have (docs/rollouts.md): data of the platform, data of its unit, and its devices' parts in roll-outs."""

from collections.abc import Collection

from django.db import connection

from onecard.protocol.proto.app_pb2 import LineTasks
from onecard.protocol.proto.device_pb2 import DataVersion
from onecard.services.rollouts.models import PublishedData, Repository

_UNIT_DATA = """
SELECT l.id, split_part(d.name, '/', 1), d.version, t.blob_id
  FROM devices_line l
  JOIN rollouts_publisheddata d ON d.name IN ('rules/' || l.unit_id, 'cards/' || l.unit_id, 'parameters/' || l.id)
  JOIN rollouts_datatarget t ON t.data_id = d.name AND t.version = d.version
 WHERE l.state = 'active' AND (%s::bigint[] IS NULL OR l.id = ANY (%s::bigint[]))
 ORDER BY l.id, 2"""


def platform_data() -> list[DataVersion]:
    """What every line should have: the deny list, and a timestamp of at least this version.

    The timestamp told moves only with what concerns all lines; a unit's own data is told to its own lines.
    """
    found = []
    deny = PublishedData.objects.filter(pk="deny").first()
    if deny is not None:
        sha = deny.targets.values_list("blob_id", flat=True).get(version=deny.version)
        found.append(DataVersion(name="deny", version=deny.version, sha256=bytes(sha)))
    stamp = Repository.objects.values_list("platform_timestamp", flat=True).first()
    if stamp:
        found.append(DataVersion(name="timestamp", version=stamp))
    return found


def line_tasks(line_ids: Collection[int] | None) -> dict[int, LineTasks]:
    """By line, of these lines or of all: its unit's data in force. A line that has nothing is not named."""
    wanted = None if line_ids is None else sorted(line_ids)
    found: dict[int, LineTasks] = {}
    with connection.cursor() as cursor:
        cursor.execute(_UNIT_DATA, [wanted, wanted])
        for line_id, name, version, sha in cursor.fetchall():
            tasks = found.setdefault(line_id, LineTasks(line_id=line_id))
            tasks.current.add(name=name, version=version, sha256=bytes(sha))
    return found
