"""Somebody with a certificate of the platform's authority who answers in the gateway's place and keeps what he is sent."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Impostor:
    """`heard` is everything that came after the handshake."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    visits: int = 0


@contextlib.asynccontextmanager
async def impostor(ca: Path, certificate: Path, key: Path) -> AsyncIterator[Impostor]:
    """A TLS server that asks for certificates, as the gateway does, and never says a word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    made = Impostor()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.visits += 1
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                made.heard += data
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
