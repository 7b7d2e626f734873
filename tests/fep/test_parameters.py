"""Parameters set in the centre are soon what terminals work by, straight and behind a front-end, by every real tier (D1)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.kernel.events import EventKind
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.kinds.program import Program, Setup
from onecard.terminal.tls import Identity
from tests.appserver.conftest import in_thread
from tests.fep.test_followed import _open_repository
from tests.fep.town import Town
from tests.gateway.harness import until
from tests.kinds.bench import press

_SOON_S = 60.0


async def test_a_template_an_override_and_a_bad_file_reach_terminals_straight_and_behind_a_front_end(
    town: Town, tmp_path: Path
) -> None:
    await asyncio.to_thread(_open_repository, town)
    front = await town.add(lists=False)
    await front.ready()
    straight, folder = await in_thread(_straight_line, town)
    behind = Identity(front.home / "ca.pem", front.home / "terminal.pem", front.home / "terminal.key", front.line_id)
    own = Identity(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    common: dict[str, Any] = {"heartbeat_s": 0.5, "durable": False}
    first = Setup(Pos, tmp_path / "pos1", "127.0.0.1", front.ports["native"], behind, serial="P-1", **common)
    second = Setup(Pos, tmp_path / "pos2", "127.0.0.1", town.gateway_port, own, serial="P-2", **common)
    async with Program.start(first) as lan, Program.start(second) as line:
        place = await in_thread(_register, front.terminal_id)
        await in_thread(_set, {"unit_id": town.unit}, {"amount_max_fen": 500, "heartbeat_s": 5})
        await until(lambda: _limit(lan) == _limit(line) == 500, _SOON_S)
        assert "超过本机限额 5.00" in await _enter(lan, "501")
        assert "请刷卡" in await _enter(lan, "500")

        await in_thread(_set, {"device_id": place}, {"amount_max_fen": 300})
        await until(lambda: _limit(lan) == 300, _SOON_S)
        assert _limit(line) == 500, "of one device alone"
        assert "超过本机限额 3.00" in await _enter(lan, "301")

        before = await in_thread(_published)
        for values, what in (({"amount_max_fen": 0}, "amount_max_fen"), ({"topup_min_fen": 200_000}, "is above topup_max_fen")):
            with pytest.raises(InvalidInput, match=what):
                await in_thread(_set, {"unit_id": town.unit}, values)
        assert await in_thread(_published) == before, "what devices would refuse is not published"

        await in_thread(_publish_by_hand, straight)
        await _until_true(lambda: _refused(straight))
        assert _limit(line) == 500, "the last good one stays"

        front.relay.cut()
        front.relay.mend()  # with a new line everything is told at once, and not in half a minute
        await _until_true(
            lambda: _shown(straight, front.terminal_id) == [before[straight], lan.device.data.version("parameters")]
        )


def _limit(program: Program) -> int:
    return program.device.data.parameters.amount_max_fen


async def _enter(program: Program, digits: str) -> str:
    await press(program.device, "cancel", digits, "enter")
    return program.device.display.text


async def _until_true(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SOON_S):
        while not await in_thread(look):  # noqa: ASYNC110 - nothing tells of what the platform has stored
            await asyncio.sleep(0.1)


def _straight_line(town: Town) -> tuple[int, Path]:
    from onecard.services.devices import api as devices
    from onecard.services.devices import ca
    from onecard.services.devices.models import Line, LineKind, Terminal

    folder = town.folder / "straight"
    folder.mkdir()
    line = Line.objects.create(unit_id=town.unit, kind=LineKind.TERMINAL, name="小卖部")
    key, csr = ca.build_request()
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(devices.enrol(line.pk, csr))
    (folder / "ca.pem").write_bytes(devices.authority().pem)
    Terminal.objects.create(tid="SHOP0001", merchant_id=town.merchant, line=line)
    return line.pk, folder


def _register(terminal_id: int) -> int:
    from onecard.services.actors import Actor
    from onecard.services.devices.api import NewDevice, Place, register_device

    new = NewDevice("onecard", "pos", "P-1", Place(terminal_id=terminal_id))
    return register_device(new, actor=Actor.system("test")).pk


def _set(scope: dict[str, int], values: dict[str, Any]) -> None:
    """As the page does it, and what the worker does every five seconds."""
    from onecard.services.actors import Actor
    from onecard.services.devices import api

    actor = Actor.system("test")
    change = api.Change(values, **scope)
    while True:
        seen = api.preview(change, actor=actor)
        assert {each.new for each in seen.differences if each.parameter == "amount_max_fen"} == {values["amount_max_fen"]}
        try:
            api.apply(change, token=seen.token, actor=actor)
            break
        except RuleViolated:  # a device has said hello between the two: one looks again
            continue
    assert api.publish_waiting() > 0


def _published() -> dict[int, int]:
    from onecard.services.devices.models import LineParameters

    return dict(LineParameters.objects.values_list("line_id", "published_version"))


def _publish_by_hand(line_id: int) -> None:
    """What nobody can do by the pages: a signed file that terminals cannot take."""
    from onecard.protocol.parameters import build_parameters
    from onecard.services.rollouts import api

    version = _published()[line_id] + 1
    content = build_parameters(line_id, version, {0: {"amount_max_fen": -1}}, front_end=False)
    api.publish_many([api.NewData(f"parameters/{line_id}", content, version)])


def _refused(line_id: int) -> bool:
    from onecard.services.devices.models import StoredEvent

    found = StoredEvent.objects.filter(line_id=line_id, kind=EventKind.DATA_REFUSED).values_list("detail", flat=True)
    return any("amount_max_fen" in detail for detail in found)


def _shown(line_id: int, terminal_id: int) -> list[int]:
    """The versions on the pages of the two devices."""
    from onecard.services.devices.models import DeviceStatus

    rows = (DeviceStatus.objects.filter(line_id=line_id), DeviceStatus.objects.filter(terminal_id=terminal_id))
    return [versions.get("parameters", 0) for row in rows for versions in row.values_list("versions", flat=True)]
