"""The front-end or the gateway is killed between any two steps: nothing is lost, nothing doubled, by the ledger itself (G3)."""

import asyncio

from onecard.fep.faults import Point
from onecard.kernel.codes import Operation, Result
from tests.fep.processes import FrontEnd


async def _trade(front: FrontEnd) -> None:
    """On line, off line, and back: purchases, a reversal, a hold and its final amount."""
    await front.ready()
    for seq in (1, 2, 3):
        await front.buy(seq)
    front.relay.cut()
    for seq in (4, 5, 6):
        await front.buy(seq)
    await front.undo(5)
    assert await front.ask(Operation.HOLD, 7, 300) == Result.APPROVED
    assert await front.ask(Operation.COMMIT, 8, 250, orig=7) == Result.APPROVED
    front.due[8] = 250
    front.relay.mend()
    await front.buy(9)
    await front.drained()


async def test_a_front_end_killed_between_any_two_steps_loses_nothing_and_doubles_nothing(town):
    fronts = [await town.add(f"{point}:{2 if point in _OFTEN else 1}") for point in Point]
    await asyncio.gather(*(_trade(front) for front in fronts))
    assert [front.process.deaths for front in fronts] == [1] * len(fronts)
    await asyncio.to_thread(town.check)


_OFTEN = {Point.PASS_SENT, Point.PASS_ANSWERED, Point.LOCAL_DECIDED, Point.LOCAL_STORED}


async def test_a_gateway_killed_between_any_two_steps_loses_nothing_and_doubles_nothing(town):
    for point in (Point.PASS_SENT, Point.UPLOAD_SENT, Point.UPLOAD_ANSWERED):
        front = await town.add(f"{point}:1:{town.gateway.pid}")
        trading = asyncio.create_task(_trade(front))
        while not trading.done():
            await asyncio.wait({trading}, timeout=0.1)
            town.gateway.revive()
        await trading
        assert await front.process.stop() == 0
        front.process.start()
    assert town.gateway.deaths == 3
    await asyncio.to_thread(town.check)
