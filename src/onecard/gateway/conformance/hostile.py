"""A line driver's session fed without a socket: an exchange whole, in pieces, cut at every byte, and spoilt."""

import asyncio
import random
from typing import Any

from onecard.gateway.conformance.vectors import mutate
from onecard.gateway.gateway import Gateway
from onecard.kernel.codes import Result

Faults = list[str]
_ANSWER_S = 2.0


class _Wire:
    """Keeps what a session sends."""

    peer = "driver check"

    def __init__(self) -> None:
        self.sent = bytearray()
        self.is_refused = False
        self.changed = asyncio.Event()

    def send(self, data: bytes) -> None:
        self.sent += data
        self.changed.set()

    def hold(self) -> None:
        """Nothing more is fed than the session takes anyway."""

    def release(self) -> None:
        """See `hold`."""

    def refuse(self, code: Result, reason: str, *, label: str) -> None:
        self.is_refused = True
        self.changed.set()


def _open(driver: Any, gateway: Gateway, line_id: int) -> tuple[Any, _Wire]:
    line = gateway.admission.get(line_id)
    assert line is not None
    wire = _Wire()
    return driver.open_session(wire, line, gateway.services), wire


async def feed_line(driver: Any, gateway: Gateway, line_id: int, exchange: bytes, *, step: int) -> bytes:
    """Feed an exchange in steps and wait for what comes back until it falls silent."""
    session, wire = _open(driver, gateway, line_id)
    for at in range(0, len(exchange), step):
        session.received(exchange[at : at + step])
        # A device that asks for keys waits for them: what is under way is answered before the next step.
        await asyncio.sleep(0.0 if step == 1 else 0.05)
    await _silence(wire)
    session.closed()
    return bytes(wire.sent)


async def _silence(wire: _Wire) -> None:
    while True:
        wire.changed.clear()
        try:
            await asyncio.wait_for(wire.changed.wait(), _ANSWER_S / 4)
        except TimeoutError:
            return


async def cut_line(driver: Any, gateway: Gateway, line_id: int, exchange: bytes) -> Faults:
    """Cut at every byte: no exception, nothing left behind, and afterwards the whole exchange is answered."""
    faults: Faults = []
    for at in range(len(exchange) + 1):
        session, _ = _open(driver, gateway, line_id)
        try:
            session.received(exchange[:at])
            session.closed()
        except Exception as error:
            faults.append(f"cut at byte {at}: {type(error).__name__}: {error}")
        await asyncio.sleep(0)
        if len(faults) > 2:
            return faults
    if not await feed_line(driver, gateway, line_id, exchange, step=len(exchange)):
        faults.append("after the cuts a whole exchange is not answered")
    return faults


async def hostile_line(driver: Any, gateway: Gateway, line_id: int, exchange: bytes, *, seed: int, inputs: int) -> Faults:
    """Spoilt exchanges: a session answers or refuses, and never raises."""
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    faults: Faults = []
    for _ in range(inputs):
        data = mutate(rng, exchange)
        session, _ = _open(driver, gateway, line_id)
        try:
            session.received(data)
            session.closed()
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error} for {data.hex()}")
            if len(faults) > 2:
                break
        await asyncio.sleep(0)
    return faults
