"""Terminals of the load generator: one TLS line each, ISO 8583, signed on with a MAC key, one purchase at a time."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol, cast

from onecard.protocol.framing import FrameBuffer, add_prefix
from onecard.protocol.iso8583.answers import parse_answer as parse_any_answer
from onecard.protocol.iso8583.codec import encode
from onecard.protocol.iso8583.fields import build_de60
from onecard.protocol.keys import parse_de62
from onecard.terminal.fastiso import FastPurchase, parse_answer

_HEADER = "6000490000603200320501"
_MAX_FRAME = 4096
_AMOUNT_FEN = 100
_STAN_LIMIT = 1_000_000


class Answered(Protocol):
    """Who is told of answers: the driver of the load."""

    def answered(self, payer: "IsoTerminal", due_ns: int, results: Iterable[str], /) -> None: ...


class IsoTerminal(asyncio.Protocol):
    """One terminal; a payer once `ready` is done."""

    def __init__(self, tid: str, mid: str, master_key: bytes, *, cards: Sequence[int], seed: int) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.driver: Answered | None = None
        self.lost = False
        self._tid = tid
        self._mid = mid
        self._master_key = master_key
        self._cards = cards
        self._frames = FrameBuffer(prefix_bytes=2, max_frame=_MAX_FRAME)
        self._transport: asyncio.Transport | None = None
        self._purchase: FastPurchase | None = None
        self._stan = 0
        self._due_ns = 0
        self._choose = random.Random(seed).randrange  # noqa: S311  # a load, not a secret

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = writer = cast("asyncio.Transport", transport)
        sign_on = {
            "h": _HEADER,
            "t": "0800",
            "11": "000001",
            "41": self._tid,
            "42": self._mid,
            "60": build_de60("00", 0, network="001", capability=""),
            "63": "001",
        }
        writer.write(add_prefix(encode(sign_on, None), prefix_bytes=2))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"terminal {self._tid}: the gateway closed the line"))
        elif self._due_ns and self.driver is not None:
            self._due_ns, due_ns = 0, self._due_ns
            self.driver.answered(self, due_ns, ("lost",))

    def data_received(self, data: bytes) -> None:
        # One question, one answer: nearly always the whole frame and nothing else.
        if self._purchase is not None and not self._frames.pending and int.from_bytes(data[:2], "big") == len(data) - 2:
            self._take(data[2:])
            return
        self._frames.feed(data)
        while (frame := self._frames.next_frame()) is not None:
            self._take(frame)

    def pay(self, due_ns: int) -> None:
        """Sends one purchase with a card at random."""
        assert self._purchase is not None and self._transport is not None
        self._due_ns = due_ns
        self._stan = self._stan % (_STAN_LIMIT - 1) + 1
        card = self._cards[self._choose(len(self._cards))]
        self._transport.write(self._purchase.build(self._stan, card, _AMOUNT_FEN, datetime.now(UTC)))

    def close(self) -> None:
        """Closes the line."""
        if self._transport is not None:
            self._transport.close()

    def _take(self, frame: bytes) -> None:
        if self._purchase is None:
            self._signed_on(frame)
            return
        de39, _ = parse_answer(frame)
        self._due_ns, due_ns = 0, self._due_ns
        if self.driver is not None:
            self.driver.answered(self, due_ns, (de39,))

    def _signed_on(self, frame: bytes) -> None:
        answer = parse_any_answer(frame, None)
        if answer.de39 != "00":
            self.ready.set_exception(ConnectionError(f"terminal {self._tid}: sign-on answered {answer.de39}"))
            return
        mac_key = parse_de62(self._master_key, answer.de62).mac_key
        self._purchase = FastPurchase(self._tid, self._mid, mac_key, batch_no=answer.batch_no)
        self.ready.set_result(None)
