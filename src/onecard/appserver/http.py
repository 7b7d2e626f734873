"""The small HTTP door for machines that watch: `/metrics` for Prometheus and `/healthz` for whoever restarts things."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from prometheus_client import CollectorRegistry, generate_latest

_REQUEST_TIMEOUT_S = 5
_HEADER_LIMIT = 8192


async def serve_http(port: int, *, registry: CollectorRegistry, healthy: Callable[[], bool]) -> asyncio.Server:
    """Starts to listen on this machine only; port 0 takes a free one."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_respond(head.split(b" ", 2)[1:2], registry, healthy))
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port, limit=_HEADER_LIMIT)


def _respond(path: list[bytes], registry: CollectorRegistry, healthy: Callable[[], bool]) -> bytes:
    if path == [b"/metrics"]:
        return _response(200, generate_latest(registry))
    if path == [b"/healthz"]:
        return _response(200, b"ok\n") if healthy() else _response(503, b"unhealthy\n")
    return _response(404, b"not found\n")


def _response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} .\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
