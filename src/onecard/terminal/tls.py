"""How a terminal connects: TLS 1.3, its own certificate, whom it lets answer, and a jittered wait between attempts.

A front-end's certificate is a server's too, of the same authority and for `localhost`. So a name among the certificate's hosts is
not enough: its common name must be `gateway`, or that of the one front-end the terminal was enrolled behind.
"""

import asyncio
import contextlib
import random
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onecard.terminal.errors import WrongServer

CONNECT_S = 10.0
GATEWAY: Final = "gateway"
"""The common name of a gateway's certificate. The authority gives it to no device: those are `line-<id>`, `terminal-<id>`."""
ANY_HOST: Final = "localhost"
"""Among the names of every server's certificate; another one is said where a gateway has a certificate of another name."""
_DEVICE = re.compile(r"(line|terminal)-\d+", re.ASCII)
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of a line: the platform's CA and the line's own certificate and key."""

    ca: Path
    certificate: Path
    key: Path
    front_end: int = 0
    """The line of the front-end that this terminal is behind, which may answer in the gateway's place; 0: nobody may."""

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
    host: str, port: int, context: ssl.SSLContext, *, server_hostname: str = ANY_HOST, front_end: int = 0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connected line to one who may answer; nothing but the handshake is sent to anybody else.

    Raises WrongServer, OSError, ssl.SSLError, TimeoutError.
    """
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=server_hostname)
    answered, expected = _common_name(writer), _expected(server_hostname, front_end)
    if answered not in expected:
        writer.transport.abort()
        raise WrongServer(answered, " / ".join(expected))
    raw = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return reader, writer


def _expected(server_hostname: str, front_end: int) -> list[str]:
    """The common names that may answer. A certificate of another name may bear it there too, unless it is a device's."""
    names = [GATEWAY]
    if server_hostname != ANY_HOST and not _DEVICE.fullmatch(server_hostname):
        names.append(server_hostname)
    if front_end:
        names.append(f"line-{front_end}")
    return names


def _common_name(writer: asyncio.StreamWriter) -> str:
    subject = (writer.get_extra_info("peercert") or {}).get("subject", ())
    return ", ".join(value for part in subject for name, value in part if name == "commonName") or "-"


async def close_line(writer: asyncio.StreamWriter) -> None:
    """Close, whatever state the line is in."""
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(2.0):
            await writer.wait_closed()
