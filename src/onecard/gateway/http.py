"""Metrics and health on a loopback port: GET /metrics, /healthz (process lives), /readyz (list complete and fresh)."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_REQUEST_S = 5.0
_MAX_REQUEST = 8192


async def serve_http(port: int, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> asyncio.Server:
    """Listen on 127.0.0.1. Raises OSError if the port is taken."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_S)
            writer.write(_answer(head, registry, is_ready))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port, limit=_MAX_REQUEST)


def _answer(head: bytes, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> bytes:
    path = [*head.split(b" ", 2), b"", b""][1]
    if path == b"/metrics":
        return _response(200, generate_latest(registry), CONTENT_TYPE_LATEST)
    if path == b"/healthz":
        return _response(200, b"ok\n", "text/plain")
    if path == b"/readyz":
        return _response(200, b"ready\n", "text/plain") if is_ready() else _response(503, b"not ready\n", "text/plain")
    return _response(404, b"not found\n", "text/plain")


def _response(status: int, body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
