"""The process that plays front-ends coming back after days without a line: real journals, real uploads, a line each.

    python -m onecard.city.access.catchup PLAN.json

It fills the journals, writes `{"ready": RECORDS}`, waits for a line on its standard input, opens all front-ends at once, and
writes how long it took until the last journal was empty. The plan names host, port, ca, folder (tree.py), homes, terminals (one
for each of the first lines), records (of each front-end) and cards (a file of 8-byte card numbers).
"""

import asyncio
import json
import random
import ssl
import struct
import sys
import time
from array import array
from pathlib import Path
from typing import Any

from onecard.fep import book
from onecard.fep.fep import Fep
from onecard.fep.journal import Journal
from onecard.fep.records import Asked
from onecard.fep.settings import FepSettings
from onecard.kernel.codes import Operation

AMOUNT_FEN = 150
_LOOK_S = 0.05
_STEP_US = 1_000_000


def prepare(plan: dict[str, Any]) -> list[Path]:
    """The homes, each with its certificate and a journal full of records that nobody has acknowledged."""
    cards = array("q")
    cards.frombytes(Path(plan["cards"]).read_bytes())
    certificates = _certificates(Path(plan["folder"]) / "certificates.bin", len(plan["terminals"]))
    homes = []
    for number, (terminal_id, certificate) in enumerate(zip(plan["terminals"], certificates, strict=True)):
        home = Path(plan["homes"]) / f"{number:03d}"
        home.mkdir(parents=True)
        (home / "ca.pem").write_bytes(Path(plan["ca"]).read_bytes())
        (home / "cert.pem").write_text(certificate)
        (home / "key.pem").write_bytes((Path(plan["folder"]) / "line.key").read_bytes())
        _fill(home / "journal.db", terminal_id, cards, count=plan["records"])
        homes.append(home)
    return homes


def _fill(path: Path, terminal_id: int, cards: "array[int]", *, count: int) -> None:
    """Purchases decided off line, a second apart, as the front-end itself queues them."""
    rng = random.Random(terminal_id)  # noqa: S311 - a load, not a secret
    now_us = time.time_ns() // 1000
    journal = Journal(path)

    def write(db: Any) -> None:
        for seq in range(1, count + 1):
            at_us = now_us - (count - seq) * _STEP_US
            asked = Asked(Operation.ADVICE, terminal_id, seq, rng.choice(cards), AMOUNT_FEN, at_us)
            book.remember(db, asked, 0, at_us)
            book.enqueue(db, asked, at_us)

    asyncio.run(journal.run(write))
    journal.close()


def _certificates(path: Path, count: int) -> list[str]:
    content, at = path.read_bytes(), 0
    found: list[str] = []
    while len(found) < count:
        (length,) = struct.unpack_from(">I", content, at)
        found.append(ssl.DER_cert_to_PEM_cert(content[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


async def _upload(plan: dict[str, Any], homes: list[Path]) -> dict[str, Any]:
    settings = [
        FepSettings(
            home=home, gateway_host=plan["host"], gateway_port=plan["port"], host="127.0.0.1", native_port=0, iso_port=0,
            workstation_port=None, metrics_port=0,
        )
        for home in homes
    ]  # fmt: skip
    fronts = [Fep(one) for one in settings]
    begin = time.monotonic()
    await asyncio.gather(*(front.start() for front in fronts))
    total = len(homes) * plan["records"]
    while (sent := sum(front.upload.sent for front in fronts)) < total:  # noqa: ASYNC110 - a counter of sixty front-ends
        await asyncio.sleep(_LOOK_S)
    seconds = time.monotonic() - begin
    refused = sum(front.upload.refused for front in fronts)
    for front in fronts:
        await front.stop()
    return {"records": sent, "seconds": round(seconds, 2), "rate": round(sent / seconds, 1), "refused": refused}


def _main(plan: dict[str, Any]) -> None:
    homes = prepare(plan)
    _say({"ready": len(homes) * plan["records"]})
    if not sys.stdin.readline():
        return
    import uvloop

    _say(uvloop.run(_upload(plan, homes)))


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)  # the protocol of this process


if __name__ == "__main__":
    _main(json.loads(Path(sys.argv[1]).read_text()))
