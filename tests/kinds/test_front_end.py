"""A POS behind a real front-end whose own line goes down and comes back."""

import asyncio
from pathlib import Path

import pytest

from onecard.kernel.clock import SystemClock
from onecard.kernel.codes import Operation
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.kinds.program import Program, Setup
from tests.fep.unit import CARD, DENIED, Unit, make_home
from tests.gateway.harness import House, until
from tests.kinds.bench import sell


@pytest.fixture
async def unit(house: House, authority, tmp_path: Path):
    made = Unit(house, make_home(tmp_path / "fep", authority))
    yield made
    await made.stop()


async def test_a_pos_behind_a_front_end_shows_and_survives_the_loss_of_its_line(unit: Unit, tmp_path: Path):
    house = unit.house
    await unit.start_gateway()
    fep = await unit.start()
    await until(lambda: fep.line.is_up, 10)
    identity = unit.identity(71)
    setup = Setup(
        Pos, tmp_path / "pos", "127.0.0.1", fep.lan.ports["native"], identity, terminal_id=71, clock=SystemClock(), durable=False
    )
    async with Program.start(setup) as program:
        pos = program.device
        await until(lambda: pos.display.status.zh == "联机", 10)
        await sell(pos, "100", CARD)
        assert "成功" in pos.display.text
        await house.gateway.stop()
        await until(lambda: pos.display.status.zh.startswith("脱机"), 10)
        await sell(pos, "200", CARD)
        assert "成功" in pos.display.text
        await sell(pos, "300", DENIED)
        assert "成功" not in pos.display.text
        await asyncio.wait_for(program.settled.wait(), 10)  # the front-end has it all, in its own journal
        assert pos.teller.unsent == 0
    posted = {(row["op"], row["terminal_seq"], row["amount_fen"]) for row in house.app.records}
    assert (Operation.PURCHASE, 1, 100) in posted
    assert not any(amount == 300 for _, _, amount in posted)
