"""The statements of `intake.py`: each takes a whole set of rows as one JSON array and does everything in one go.

Rows are told in the order of their ids, so that two reports that come at once wait for one another and never lock crosswise.
"""

_READING = "clock_offset_us, backlog, oldest_unsent_at, versions, firmware, last_error, disk_free_permille, lease_serial"

# What differs enough from what was known to be written into the history. Not the deny list: every change of it comes to all
# front-ends of the city, and the samples have it.
_DIFFERS = """
    o.id IS NULL OR o.sampled_at < %(now)s - make_interval(mins => (SELECT sample_minutes FROM devices_keeping))
    OR n.versions - 'deny' IS DISTINCT FROM o.versions - 'deny' OR n.firmware IS DISTINCT FROM o.firmware
    OR n.last_error IS DISTINCT FROM o.last_error OR n.lease_serial IS DISTINCT FROM o.lease_serial
    OR n.online IS DISTINCT FROM o.online OR (coalesce(n.backlog, 0) = 0) <> (coalesce(o.backlog, 0) = 0)"""

_STORE = """
    clock_offset_us = excluded.clock_offset_us, backlog = excluded.backlog, oldest_unsent_at = excluded.oldest_unsent_at,
    versions = excluded.versions, firmware = excluded.firmware, last_error = excluded.last_error,
    disk_free_permille = excluded.disk_free_permille, lease_serial = excluded.lease_serial,
    heard_at = excluded.heard_at, online = excluded.online, since = excluded.since, address = excluded.address,
    maker = excluded.maker, model = excluded.model, hardware = excluded.hardware, serial = excluded.serial,
    holes = excluded.holes, sampled_at = excluded.sampled_at
 WHERE devices_devicestatus.heard_at <= excluded.heard_at"""

# A counter that was told at hello is out of date after an upgrade: the version in force is the one of the newest heartbeat. A
# maker's own name of its firmware ("2.1-rc4") stays.
_FIRMWARE = """CASE WHEN coalesce(i.firmware, o.firmware, '') ~ '^[0-9]*$'
                THEN coalesce(i.versions ->> 'firmware', i.firmware, o.firmware, '')
                ELSE coalesce(i.firmware, o.firmware, '') END"""

LINES = f"""
WITH n AS MATERIALIZED (
    SELECT i.line_id, i.heard_at, i.address, i.clock_offset_us, o.id AS old_id, true AS online, i.heard_at AS since,
           CASE WHEN i.told THEN i.backlog ELSE o.backlog END AS backlog,
           CASE WHEN i.told THEN i.oldest_unsent_at ELSE o.oldest_unsent_at END AS oldest_unsent_at,
           coalesce(i.versions, o.versions, '{{}}') AS versions,
           coalesce(CASE WHEN i.told THEN i.last_error END, o.last_error, '') AS last_error,
           coalesce(CASE WHEN i.told THEN i.holes END, o.holes, '[]') AS holes,
           coalesce(i.disk_free_permille, o.disk_free_permille) AS disk_free_permille,
           CASE WHEN i.told THEN i.lease_serial ELSE o.lease_serial END AS lease_serial,
           coalesce(i.maker, o.maker, '') AS maker, coalesce(i.model, o.model, '') AS model,
           {_FIRMWARE} AS firmware, coalesce(i.hardware, o.hardware, '') AS hardware,
           coalesce(i.serial, o.serial, '') AS serial
      FROM jsonb_to_recordset(%(rows)s::jsonb) AS i (
           line_id bigint, heard_at timestamptz, address text, clock_offset_us bigint, told boolean, backlog bigint,
           oldest_unsent_at timestamptz, versions jsonb, last_error text, holes jsonb, disk_free_permille smallint,
           lease_serial bigint, maker text, model text, firmware text, hardware text, serial text)
      JOIN devices_line l ON l.id = i.line_id
      LEFT JOIN devices_devicestatus o ON o.line_id = i.line_id
     WHERE o.id IS NULL OR o.heard_at <= i.heard_at),
past AS (
    INSERT INTO devices_statushistory (line_id, at, online, {_READING})
    SELECT n.line_id, n.heard_at, n.online, {", ".join(f"n.{name}" for name in _READING.split(", "))}
      FROM n LEFT JOIN devices_devicestatus o ON o.id = n.old_id WHERE {_DIFFERS}
    RETURNING line_id)
INSERT INTO devices_devicestatus (line_id, heard_at, online, since, address, maker, model, hardware, serial, holes, sampled_at,
                                  {_READING})
SELECT n.line_id, n.heard_at, n.online, coalesce(o.since, n.since), n.address, n.maker, n.model, n.hardware, n.serial, n.holes,
       CASE WHEN p.line_id IS NULL THEN o.sampled_at ELSE n.heard_at END,
       {", ".join(f"n.{name}" for name in _READING.split(", "))}
  FROM n LEFT JOIN past p USING (line_id) LEFT JOIN devices_devicestatus o ON o.id = n.old_id ORDER BY n.line_id
ON CONFLICT (line_id) DO UPDATE SET {_STORE}"""  # noqa: S608 - put together from constants of this module

# A terminal is believed of its own line only (N3).
TERMINALS = f"""
WITH n AS MATERIALIZED (
    SELECT i.terminal_id, i.heard_at, i.online, i.clock_offset_us, i.backlog, i.oldest_unsent_at, i.last_error, o.id AS old_id,
           coalesce(i.versions, o.versions, '{{}}') AS versions,
           NULL::smallint AS disk_free_permille, NULL::bigint AS lease_serial,
           coalesce(i.maker, o.maker, '') AS maker, coalesce(i.model, o.model, '') AS model,
           {_FIRMWARE} AS firmware, coalesce(i.hardware, o.hardware, '') AS hardware,
           coalesce(i.serial, o.serial, '') AS serial
      FROM jsonb_to_recordset(%(rows)s::jsonb) AS i (
           line_id bigint, terminal_id bigint, heard_at timestamptz, online boolean, clock_offset_us bigint, backlog bigint,
           oldest_unsent_at timestamptz, last_error text, versions jsonb, maker text, model text, firmware text, hardware text,
           serial text)
      JOIN devices_terminal t ON t.id = i.terminal_id AND t.line_id = i.line_id
      LEFT JOIN devices_devicestatus o ON o.terminal_id = i.terminal_id
     WHERE o.id IS NULL OR o.heard_at <= i.heard_at),
past AS (
    INSERT INTO devices_statushistory (terminal_id, at, online, {_READING})
    SELECT n.terminal_id, n.heard_at, n.online, {", ".join(f"n.{name}" for name in _READING.split(", "))}
      FROM n LEFT JOIN devices_devicestatus o ON o.id = n.old_id WHERE {_DIFFERS}
    RETURNING terminal_id)
INSERT INTO devices_devicestatus (terminal_id, heard_at, online, since, address, maker, model, hardware, serial, holes,
                                  sampled_at, {_READING})
SELECT n.terminal_id, n.heard_at, n.online, CASE WHEN o.online = n.online THEN o.since ELSE n.heard_at END, '',
       n.maker, n.model, n.hardware, n.serial, '[]',
       CASE WHEN p.terminal_id IS NULL THEN o.sampled_at ELSE n.heard_at END,
       {", ".join(f"n.{name}" for name in _READING.split(", "))}
  FROM n LEFT JOIN past p USING (terminal_id) LEFT JOIN devices_devicestatus o ON o.id = n.old_id ORDER BY n.terminal_id
ON CONFLICT (terminal_id) DO UPDATE SET {_STORE}"""  # noqa: S608 - as above

# An event of a terminal that is not of the line stays with the line, and says so. What is older than events are kept is let go.
EVENTS = """
WITH stored AS (
    INSERT INTO devices_storedevent (event_id, line_id, terminal_id, kind, occurred_at, received_at, card_no, detail, action_id)
    SELECT i.event_id, l.id, t.id, i.kind, i.occurred_at, %(now)s, i.card_no,
           CASE WHEN i.terminal_id IS NOT NULL AND t.id IS NULL THEN '[' || i.terminal_id || '?] ' ELSE '' END || i.detail,
           i.action_id
      FROM jsonb_to_recordset(%(rows)s::jsonb) AS i (
           event_id uuid, line_id bigint, terminal_id bigint, kind integer, occurred_at timestamptz, card_no bigint, detail text,
           action_id bigint)
      JOIN devices_line l ON l.id = i.line_id
      LEFT JOIN devices_terminal t ON t.id = i.terminal_id AND t.line_id = l.id
     WHERE i.occurred_at >= %(now)s - make_interval(days => (SELECT event_days FROM devices_keeping))
     ORDER BY i.event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id, line_id, terminal_id, detail)
SELECT s.event_id, s.line_id, s.terminal_id, coalesce(l.operator_id, u.operator_id), s.detail
  FROM stored s JOIN devices_line l ON l.id = s.line_id LEFT JOIN operators_unit u ON u.id = l.unit_id"""

_TOLD = """
    SELECT s.* FROM devices_devicestatus s WHERE s.line_id = ANY (%(lines)s)
    UNION ALL SELECT s.* FROM devices_devicestatus s JOIN devices_terminal t ON t.id = s.terminal_id
      JOIN devices_line l ON l.id = t.line_id AND l.kind = 'front_end' WHERE s.terminal_id = ANY (%(terminals)s)"""

FIRMWARE = f"""
UPDATE devices_device d SET firmware = s.firmware, hardware = CASE WHEN s.hardware = '' THEN d.hardware ELSE s.hardware END
  FROM ({_TOLD}) s
 WHERE (d.line_id = s.line_id OR d.terminal_id = s.terminal_id) AND d.serial = s.serial
   AND (d.firmware <> s.firmware OR (s.hardware <> '' AND d.hardware <> s.hardware))"""  # noqa: S608

_NEW = f"""
    SELECT s.* FROM ({_TOLD}) s
     WHERE s.serial <> '' AND s.maker <> '' AND s.model <> ''
       AND NOT EXISTS (SELECT FROM devices_device d WHERE d.line_id = s.line_id)
       AND NOT EXISTS (SELECT FROM devices_device d WHERE d.terminal_id = s.terminal_id)"""  # noqa: S608

MODELS = f"""
INSERT INTO devices_devicemodel (maker, model, hardware, capabilities)
SELECT DISTINCT ON (maker, model) maker, model, hardware, '{{}}'::varchar[] FROM ({_NEW}) n ORDER BY maker, model, hardware
ON CONFLICT DO NOTHING"""  # noqa: S608

# A serial number that stands somewhere else already is not taken: the watch says that the place has another device.
DEVICES = f"""
INSERT INTO devices_device (model_id, serial, hardware, firmware, line_id, terminal_id, place, note, registered_at, registered_by)
SELECT m.id, n.serial, n.hardware, n.firmware, n.line_id, n.terminal_id, '', '', %(now)s, 'hello'
  FROM ({_NEW}) n JOIN devices_devicemodel m USING (maker, model) ORDER BY m.id, n.serial
ON CONFLICT DO NOTHING
RETURNING line_id, terminal_id, model_id"""  # noqa: S608

# The lines whose parameter files these places may change: those that have one, and those that a template speaks of.
LINES_OF = """
WITH placed AS (
    SELECT coalesce(p.line_id, t.line_id) AS line_id, p.model_id
      FROM unnest(%(lines)s::bigint[], %(terminals)s::bigint[], %(models)s::bigint[]) AS p (line_id, terminal_id, model_id)
      LEFT JOIN devices_terminal t ON t.id = p.terminal_id)
SELECT DISTINCT l.id FROM placed p JOIN devices_line l ON l.id = p.line_id
 WHERE l.id IN (SELECT line_id FROM devices_lineparameters)
    OR l.unit_id IN (SELECT unit_id FROM devices_parametertemplate WHERE unit_id IS NOT NULL)
    OR p.model_id IN (SELECT model_id FROM devices_parametertemplate WHERE model_id IS NOT NULL)"""

# A line that was replaced (G2) leaves its device behind: the same box at the unit's new line has simply come along. What was left
# behind is found first and apart: it is little, whereas the planner, on a young registry without statistics, would go through all
# devices of a model for each one that says hello.
FOLLOWS = f"""
WITH left_behind AS MATERIALIZED (
    SELECT d.id, d.model_id, d.serial, was.unit_id, was.operator_id
      FROM devices_line was JOIN devices_device d ON d.line_id = was.id WHERE was.state = 'revoked'),
come AS MATERIALIZED (SELECT n.line_id, n.maker, n.model, n.serial FROM ({_NEW}) n)
UPDATE devices_device d SET line_id = n.line_id
  FROM left_behind b JOIN devices_devicemodel m ON m.id = b.model_id
  JOIN come n ON n.maker = m.maker AND n.model = m.model AND n.serial = b.serial
  JOIN devices_line l ON l.id = n.line_id
 WHERE d.id = b.id AND b.unit_id IS NOT DISTINCT FROM l.unit_id AND b.operator_id IS NOT DISTINCT FROM l.operator_id"""  # noqa: S608
