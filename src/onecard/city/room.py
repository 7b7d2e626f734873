"""The device room of the demonstration city: terminals of every kind behind the unit's front-end, real programs with customers.

They bring up what they have journalled, take updates when nothing is unsent, and refuse a bad image as any device does. Their
names do not begin with `#`: the simulated traffic leaves them alone.
"""

import asyncio
import logging
import random
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from onecard.city.fronts import UNIT, FrontEnd
from onecard.kernel.errors import OneCardError
from onecard.services.devices import api as devices
from onecard.services.devices.models import Line, Terminal
from onecard.services.operators import api as operators
from onecard.terminal.kinds.program import KINDS, Program, Setup
from onecard.terminal.kinds.script import parse_line, run_step

log = logging.getLogger(__name__)
MERCHANT = "设备展示室"
KINDS_SHOWN = ("pos", "pos", "pos", "pos", "pos", "pos", "door", "attendance", "kiosk")
_HEARTBEAT_S = 10.0
_PAUSE_S = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class RoomDevice:
    """One of them."""

    terminal_id: int
    kind: str


def prepare_room() -> None:
    """The merchant and its terminals, behind the front-end of the unit; quick where they are."""
    line = Line.objects.filter(unit__code=UNIT, kind=devices.LineKind.FRONT_END, state=devices.LineState.ACTIVE).first()
    if line is None or room_devices():
        return
    merchant = operators.create_merchant(MERCHANT, unit_id=line.unit_id)
    devices.create_terminals(
        devices.NewTerminal(merchant.pk, line_id=line.pk, name=f"{kind} {number}") for number, kind in enumerate(KINDS_SHOWN, 1)
    )


def room_devices() -> list[RoomDevice]:
    """The devices of the room, by number."""
    found = Terminal.objects.filter(merchant__name=MERCHANT, merchant__unit__code=UNIT).order_by("pk").values_list("pk", "name")
    return [RoomDevice(pk, name.split()[0]) for pk, name in found if name.split()[0] in KINDS]


async def serve_room(front: FrontEnd, shown: Sequence[RoomDevice], cards: Sequence[int], *, port: int, root: bytes) -> None:
    """Run the devices against the front-end's port until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    rng = random.Random()  # noqa: S311 - a simulation
    async with AsyncExitStack() as stack:
        programs = []
        for device in shown:
            setup = Setup(
                KINDS[device.kind], _folder(front, device), "127.0.0.1", port, front.identity_of(device.terminal_id),
                device.terminal_id, serial=f"DEMO{device.terminal_id:06d}", heartbeat_s=_HEARTBEAT_S, root=root,
            )  # fmt: skip
            programs.append((device.kind, await stack.enter_async_context(Program.start(setup))))
        log.info("%d devices are open", len(programs))
        customers = [asyncio.create_task(_visit(kind, program, cards, rng)) for kind, program in programs]
        await stop.wait()
        for task in customers:
            task.cancel()
        await asyncio.gather(*customers, return_exceptions=True)


async def _visit(kind: str, program: Program, cards: Sequence[int], rng: random.Random) -> None:
    """One customer after another; what the device says to them is its own business."""
    while True:
        await asyncio.sleep(rng.uniform(*_PAUSE_S))
        words = [f"{rng.randint(300, 2_500)} enter"] if kind == "pos" else []
        words.append(f"tap {rng.choice(cards)}")
        try:
            for line in words:
                for step in parse_line(line):
                    await run_step(program, step)
        except OneCardError as error:
            log.info("%s: %s", kind, error.en)


def _folder(front: FrontEnd, device: RoomDevice) -> Path:
    return front.folder / "room" / f"{device.kind}-{device.terminal_id}"
