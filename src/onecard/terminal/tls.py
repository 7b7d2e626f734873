"""How a terminal connects: TLS 1.3, its own certificate, the platform's CA, and a jittered wait between attempts."""

import asyncio
import contextlib
import random
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

CONNECT_S = 10.0
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of a line: the platform's CA and the line's own certificate and key."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Backoff:
    """Waits between attempts: doubling from half a second to thirty, each drawn from 50 to 150 % so that a city spreads out."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 - spreading, not a secret
        self._wait_s = _FIRST_WAIT_S

    def reset(self) -> None:
        """The line has worked."""
        self._wait_s = _FIRST_WAIT_S

    async def wait(self) -> None:
        """Wait for the next attempt."""
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, _LONGEST_WAIT_S)
        await asyncio.sleep(wait_s * self._rng.uniform(0.5, 1.5))


async def open_line(
    host: str, port: int, context: ssl.SSLContext, *, server_hostname: str = "localhost"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connected line. Raises OSError, ssl.SSLError, TimeoutError."""
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=server_hostname)
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader, writer


async def close_line(writer: asyncio.StreamWriter) -> None:
    """Close, whatever state the line is in."""
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(2.0):
            await writer.wait_closed()
