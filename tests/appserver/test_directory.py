"""The directory and the authorised list follow the database: within a second, and over lost connections."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from onecard.kernel.codes import Result
from onecard.protocol.proto import app_pb2
from tests.appserver.conftest import Client, until

_CURRENT_WITHIN_S = 1.0


def _precheck(client: Client, terminal: int) -> int | None:
    post = client.server.directory.posts.resolve(terminal)
    return None if post is None else post.precheck


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE operators_unit SET state = 'suspended', resume_state = 'active'", Result.UNIT_SUSPENDED),
        ("UPDATE operators_merchant SET state = 'closed' WHERE unit_id IS NOT NULL", Result.MERCHANT_CLOSED),
        ("UPDATE devices_terminal SET state = 'disabled'", Result.TERMINAL_NOT_ALLOWED),
        ("UPDATE operators_unit SET valid_until = now() + interval '300 ms'", Result.UNIT_EXPIRED),
    ],
)
async def test_a_change_is_known_within_a_second(client: Client, statement: str, code: Result) -> None:
    terminal = client.town.unit_terminal
    assert _precheck(client, terminal) == 0
    client.town.execute(statement)
    grace = 1.3 if code is Result.UNIT_EXPIRED else 0.0
    await until(lambda: _precheck(client, terminal) == code, within_s=_CURRENT_WITHIN_S + grace)


async def test_a_new_terminal_can_pay_and_a_removed_one_cannot(client: Client) -> None:
    town = client.town
    [(terminal,)] = town.execute(
        "INSERT INTO devices_terminal (tid, merchant_id, line_id, state, driver, name, created_at)"
        " VALUES ('NEW00001', %s, %s, 'active', 'native', '', now()) RETURNING id",
        town.public_merchant,
        town.line,
    )
    assert isinstance(terminal, int)
    await until(lambda: _precheck(client, terminal) == 0, within_s=_CURRENT_WITHIN_S)
    assert list((await client.post(client.record(town.cards[0], terminal_id=terminal), line_id=town.line)).code) == [0]
    town.execute("DELETE FROM devices_terminal WHERE id = %s", terminal)
    await until(lambda: _precheck(client, terminal) is None, within_s=_CURRENT_WITHIN_S)


async def test_changes_made_while_the_connection_was_lost_are_found(client: Client) -> None:
    town, directory = client.town, client.server.directory
    loads = directory.loads
    # In one go, so that the change falls into the time without a listener.
    assert town.end_backends("onecard directory") == 1
    town.execute("UPDATE operators_unit SET state = 'suspended', resume_state = 'active'")
    town.execute("UPDATE devices_line SET state = 'revoked' WHERE id = %s", town.line)
    await until(lambda: _precheck(client, town.unit_terminal) == Result.UNIT_SUSPENDED, within_s=3)
    assert directory.loads == loads + 1
    assert client.server.hub.lines[town.line].refusal == app_pb2.REVOKED
    town.execute("UPDATE operators_unit SET state = 'active', resume_state = NULL")
    await until(lambda: _precheck(client, town.unit_terminal) == 0, within_s=_CURRENT_WITHIN_S)


async def test_many_changes_in_one_statement_load_everything_anew(client: Client) -> None:
    town, loads = client.town, client.server.directory.loads
    town.execute(
        "INSERT INTO devices_terminal (tid, merchant_id, line_id, state, driver, name, created_at)"
        " SELECT 'M' || lpad(n::text, 7, '0'), %s, %s, 'active', 'native', '', now() FROM generate_series(1, 200) n",
        town.public_merchant,
        town.line,
    )
    await until(lambda: len(client.server.directory.posts.entries) == 202, within_s=2)
    assert client.server.directory.loads == loads + 1


async def test_the_cut_time_of_the_platform_is_followed(client: Client) -> None:
    client.town.execute("INSERT INTO settlement_calendar (id, cut_time, open_date) VALUES (1, '22:30', '2026-01-01')")
    await until(lambda: client.server.days.cut_time.hour == 22, within_s=2)


async def _next(events: AsyncIterator[app_pb2.AdmissionEvent]) -> app_pb2.AdmissionEvent:
    """The next event that says something."""
    async with asyncio.timeout(15):
        while True:
            event = await anext(events)
            if event.lines or event.removed_line_id or event.snapshot_end:
                return event


async def test_the_authorised_list_comes_whole_and_then_change_by_change(client: Client) -> None:
    town = client.town
    events = aiter(client.stub.WatchAdmission(app_pb2.WatchAdmissionRequest(gateway="test")))
    lines: dict[int, app_pb2.Line] = {}
    while not (event := await _next(events)).snapshot_end:
        lines.update((line.line_id, line) for line in event.lines)
    assert lines.keys() == {town.line, town.unit_line}
    public, front_end = lines[town.line], lines[town.unit_line]
    assert (public.certificate_sha256, public.kind) == (b"\1" * 32, app_pb2.STRAIGHT_TERMINAL)
    assert (public.unit_id, public.refusal) == (0, app_pb2.NONE)
    [terminal] = public.terminals
    assert (terminal.terminal_id, terminal.tid, terminal.mid) == (town.terminal, "BUS00001", f"{town.public_merchant:015d}")
    assert (front_end.kind, front_end.unit_id) == (app_pb2.FRONT_END, town.unit)
    assert front_end.valid_until_us > 0

    begin = monotonic()
    town.execute("UPDATE operators_unit SET state = 'suspended', resume_state = 'active'")
    event = await _next(events)
    assert [(line.line_id, line.refusal) for line in event.lines] == [(town.unit_line, app_pb2.UNIT_SUSPENDED)]
    assert monotonic() - begin < _CURRENT_WITHIN_S

    town.execute("UPDATE devices_terminal SET line_id = NULL")
    town.execute("DELETE FROM devices_line WHERE id = %s", town.line)
    removed: list[int] = []
    while not removed:
        removed.extend((await _next(events)).removed_line_id)
    assert removed == [town.line]


async def test_a_heartbeat_comes_each_second(client: Client) -> None:
    events = aiter(client.stub.WatchAdmission(app_pb2.WatchAdmissionRequest(gateway="test")))
    async with asyncio.timeout(15):
        while not (await anext(events)).HasField("data"):
            pass
    begin = monotonic()
    event = await anext(events)
    assert not event.lines
    assert 0.5 < monotonic() - begin < 1.6
