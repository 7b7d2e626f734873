"""A line through a TCP relay on the loopback address: it can be cut and delayed by anybody, without rights.

What a relay of streams can't do is reorder or double, because TCP mends that below it: `tunnel.py` does that with packets.
"""

import asyncio
import contextlib
import random
from collections import Counter

from onecard.city.weather.weather import CLEAR, Weather

_READ_BYTES = 65_536
_Pair = tuple[asyncio.StreamWriter, asyncio.StreamWriter]


class LineProxy:
    """Listens at 127.0.0.1 and passes on to a port there. `weather` may be set at any moment."""

    def __init__(self, target_port: int, *, rng: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._target_port = target_port
        self._rng = rng
        self._weather = CLEAR
        self._server: asyncio.Server | None = None
        self._open: set[_Pair] = set()

    async def start(self, port: int = 0) -> int:
        """Listen; gives the port. Raises OSError if it is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self._cut()
        await asyncio.sleep(0)

    @property
    def weather(self) -> Weather:
        """As it is now."""
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        if weather.cut:
            self._cut()

    def _cut(self) -> None:
        for pair in self._open:
            self.counts["cut"] += 1
            for writer in pair:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather.cut:
            self.counts["refused"] += 1
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, up_writer)
        self._open.add(pair)
        try:
            await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        finally:
            self._open.discard(pair)
            for each in pair:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                low, high = self._weather.delay_ms
                if high:
                    self.counts["delayed"] += 1
                    await asyncio.sleep(self._rng.uniform(low, high) / 1000)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
