"""A station as a process of its own, that dies by SIGKILL at one command: run by test_kill.py.

python -m tests.issuing.station_process CARD VAULT BATCH AT before|after
"""

import os
import signal
import sys
from pathlib import Path

from onecard.datacenter import dj
from onecard.protocol.purse.apdu import Command, Response
from onecard.services.actors import Actor
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.base import exchange
from onecard.terminal.reader.local import LocalReader
from tests.issuing.vault import MemoryVault


def main(card: str, vault: str, batch: str, at: str, when: str) -> None:
    dj.setup()
    from onecard.services.issuing import station
    from onecard.services.issuing.claims import Request

    reader = LocalReader(VirtualCard.open(Path(card), durable=False))
    reader.connect()
    trips = 0

    class Slot:
        def exchange(self, command: Command) -> Response:
            nonlocal trips
            trips += 1
            if trips == int(at) and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = exchange(reader, command)
            if trips == int(at) and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

    request = Request("killed", Actor.system("test"), batch_id=int(batch))
    report = station.touch_once(request, Slot(), MemoryVault(Path(vault)))  # type: ignore[arg-type]
    sys.exit(f"not killed: {report}")


if __name__ == "__main__":
    main(*sys.argv[1:])
