"""The load generator, a process of its own: connects terminals or front-ends and loads a gateway as its standard input says.

    python -m onecard.city.loadgen PLAN.json

It writes one JSON object a line: first how many lines stand, then one for each order it reads:

    closed SECONDS [LINES]         each line pays again as soon as it is answered
    paced RATE SECONDS [LINES]     purchases fall due at a fixed rate a second
    quit

The plan names `driver` (iso8583 or native), `host`, `port`, `ca`, `cards` (a file of 8-byte card numbers), and `lines`, each with
`certificate`, `key` (paths) and its terminals.
"""

import asyncio
import gc
import json
import ssl
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from onecard.city.loadgen_iso import IsoTerminal
from onecard.city.loadgen_native import AdviceLine
from onecard.city.loadgen_pace import Driver, Payer

_CONNECTING_AT_ONCE = 32
_SERVER_NAME = "localhost"
_WARM_UP_SHARE = 0.25
_WARM_UP_MOST_S = 3.0


class Generator:
    """The lines of one plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        cards = array("q")
        cards.frombytes(Path(plan["cards"]).read_bytes())
        self._cards = cards
        self._lines: list[IsoTerminal | AdviceLine] = []

    async def connect(self) -> int:
        """Connects every line; at most some tens at once, as a gateway lets in only so many a second."""
        gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)

        async def one(number: int, line: dict[str, Any]) -> IsoTerminal | AdviceLine:
            async with gate:
                return await self._connect_line(number, line)

        self._lines = await asyncio.gather(*(one(number, line) for number, line in enumerate(self._plan["lines"])))
        return len(self._lines)

    async def _connect_line(self, number: int, line: dict[str, Any]) -> IsoTerminal | AdviceLine:
        context = ssl.create_default_context(cafile=self._plan["ca"])
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(line["certificate"], line["key"])
        host, port = self._plan["host"], self._plan["port"]
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: self._protocol(number, line), host, port, ssl=context, server_hostname=_SERVER_NAME
        )
        await asyncio.wait_for(protocol.ready, 60)
        return protocol

    def _protocol(self, number: int, line: dict[str, Any]) -> IsoTerminal | AdviceLine:
        if self._plan["driver"] == "native":
            terminals = [terminal["id"] for terminal in line["terminals"]]
            return AdviceLine(
                terminals, self._cards, batch=self._plan["batch"], slots=self._plan["slots"], first_seq=self._plan["first_seq"]
            )
        terminal = line["terminals"][0]
        return IsoTerminal(
            terminal["tid"], terminal["mid"], bytes.fromhex(terminal["master_key"]), cards=self._cards, seed=number
        )

    async def load(self, *, seconds: float, rate: float | None, lines: int) -> dict[str, Any]:
        """Puts one stretch of load on."""
        used = self._lines[: lines or len(self._lines)]
        payers: list[Payer] = []
        for line in used:
            payers.extend(line.slots if isinstance(line, AdviceLine) else [line])
        driver = Driver(payers, rate=rate)
        for line in used:
            line.driver = driver
        recorder = await driver.run(warm_up_s=min(seconds * _WARM_UP_SHARE, _WARM_UP_MOST_S), seconds=seconds)
        for line in used:
            line.driver = None
        return recorder.summary()


async def _serve(plan: dict[str, Any]) -> None:
    generator = Generator(plan)
    _say({"connected": await generator.connect()})
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    while words := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        if words[0] == "quit":
            return
        _say(await _obey(generator, words))


async def _obey(generator: Generator, words: Sequence[str]) -> dict[str, Any]:
    numbers = [float(word) for word in words[1:]]
    if words[0] == "closed":
        return await generator.load(seconds=numbers[0], rate=None, lines=int(numbers[1]) if numbers[1:] else 0)
    assert words[0] == "paced"
    return await generator.load(seconds=numbers[1], rate=numbers[0], lines=int(numbers[2]) if numbers[2:] else 0)


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)  # the protocol of this process


if __name__ == "__main__":
    uvloop.run(_serve(json.loads(Path(sys.argv[1]).read_text())))
