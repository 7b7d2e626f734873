"""A straight terminal of an operator without a unit: no lease, so no unit's files, and everything else; all parts real."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg

from onecard.kernel.codes import Result
from onecard.kernel.events import EventKind
from onecard.protocol.cardset import build_card_set
from onecard.terminal.enrol import Invitation, enrol
from onecard.terminal.kinds.parts import Tap
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.kinds.program import Program, Setup
from onecard.terminal.native import NativeClient
from tests.appserver.conftest import StartApp, in_thread, start_app, town, until
from tests.appserver.test_whole_way import Platform, _connected, platform
from tests.kinds.bench import press

__all__ = ["StartApp", "platform", "start_app", "town"]
_AT_ONCE_S = 2.0


async def test_it_follows_the_deny_list_and_its_parameters_and_fetches_while_a_record_is_held(
    platform: Platform, tmp_path: Path
) -> None:
    from onecard.services.actors import Actor
    from onecard.services.devices import api as devices
    from onecard.services.rollouts import api as rollouts

    town, gateway, admin = platform.town, platform.gateway, Actor("admin", frozenset({"*"}))
    made = await in_thread(lambda: devices.make_enrolment_code(line_id=town.line, actor=admin))
    asked = Invitation.parse(made.uri)
    here = Invitation("127.0.0.1", gateway.ports["enrol"], asked.code, asked.ca_sha256)
    identity = (await in_thread(enrol, here, tmp_path / "bus")).identity
    probe = NativeClient("127.0.0.1", gateway.ports["native"], identity)
    await _connected(probe)
    assert (await probe.ask_lease()).code == Result.TERMINAL_NOT_ALLOWED
    await probe.close()

    def publish() -> None:
        new = devices.NewDevice("onecard", "pos", "B-1", devices.Place(line_id=town.line))
        change = devices.Change({"amount_max_fen": 400}, device_id=devices.register_device(new, actor=admin).pk)
        devices.apply(change, token=devices.preview(change, actor=admin).token, actor=admin)
        assert devices.publish_waiting() == 1
        rollouts.publish_data("deny", build_card_set([town.cards[5]], version=1), version=1)
        rollouts.publish_data(f"rules/{town.unit}", b"{}", version=1)

    setup = Setup(Pos, tmp_path / "pos", "127.0.0.1", gateway.ports["native"], identity, serial="B-1", durable=False)
    async with Program.start(setup) as pos:
        await in_thread(publish)
        data = pos.device.data
        await until(lambda: data.version("deny") == 1 and data.parameters.amount_max_fen == 400)
        assert (data.rules, data.cards) == (None, None)
        await until(lambda: _events(platform) == {(int(EventKind.DATA_TAKEN), "parameters 1")})

        with psycopg.connect(town.database.owner_dsn) as blocker:
            blocker.execute("SELECT 1 FROM ledger.lane WHERE lane IN (0, 1) FOR UPDATE")
            await press(pos.device, "100", "enter")
            paying = asyncio.create_task(pos.act(Tap(town.cards[0])))
            await until(town.is_blocked)
            async with asyncio.timeout(_AT_ONCE_S):
                found = await pos.client.fetch("metadata/timestamp.json", 0, 10_000)
            assert found.code == Result.APPROVED
            assert not paying.done()
            blocker.rollback()
        await paying
        assert "成功" in pos.device.display.text


def _events(platform: Platform) -> set[tuple[Any, ...]]:
    return set(platform.town.execute("SELECT kind, detail FROM devices_storedevent WHERE line_id = %s", platform.town.line))
