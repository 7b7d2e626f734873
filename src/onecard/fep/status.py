"""The front-end's own page for whoever stands before it, on a loopback port: /status (JSON), /metrics, /healthz, /readyz."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from onecard.fep import book
from onecard.kernel.clock import from_epoch_us
from onecard.protocol.lease import STEP_TEXT

if TYPE_CHECKING:
    from onecard.fep.fep import Fep

_REQUEST_S = 5.0
_MAX_REQUEST = 8192


async def serve_status(fep: "Fep", port: int) -> asyncio.Server:
    """Listen on 127.0.0.1. Raises OSError if the port is taken."""
    registry = CollectorRegistry()
    registry.register(fep.counters)
    _add_gauges(fep)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_S)
            writer.write(await _answer(head, fep, registry))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port, limit=_MAX_REQUEST)


async def describe(fep: "Fep") -> dict[str, Any]:
    """Everything a person at the front-end may want to know; no card number but those of refused records."""
    refused = await fep.journal.run(book.refused_rows)
    lease = fep.lease.lease
    step = fep.lease.step()
    return {
        "line": {
            "line_id": fep.enrolled.line_id,
            "gateway": f"{fep.settings.gateway_host}:{fep.settings.gateway_port}",
            "up": fep.line.is_up,
            "trouble": fep.line.trouble or None,
            "offline": fep.is_offline,
            "offline_since": _moment(fep.offline_since_us) if fep.is_offline else None,
            "cut_off": fep.cut_off.name if fep.cut_off is not None else None,
        },
        "clock": {"now": _moment(fep.clock.now_us()), "offset_us": fep.clock.offset_us, "set_back_us": fep.clock.set_back_us},
        "lease": {
            "serial": fep.lease.serial,
            "step": int(step),
            "text": STEP_TEXT[step]._asdict(),
            "no_sales_at": _moment(lease.no_sales_at_us) if lease else None,
        },
        "data": [{"name": one.name, "version": one.version} for one in fep.health.versions()],
        "backlog": {
            "records": sum(fep.intake.waiting.values()),
            "oldest": _moment(fep.health.oldest_us) if fep.health.oldest_us else None,
            "by_terminal": {str(number): count for number, count in sorted(fep.intake.waiting.items())},
            "stranded": sorted(fep.upload.stranded),
            "events": fep.events.waiting,
            "events_dropped": fep.events.dropped + fep.counters.events_dropped,
            "sent": fep.upload.sent,
        },
        "refused": refused,
        "disk": {
            "free_bytes": fep.disk.room.free,
            "free_permille": fep.disk.room.permille,
            "low": fep.disk.is_low,
            "takes_sales": fep.disk.takes_sales,
        },
        "terminals": [MessageToDict(state, preserving_proto_field_name=True) for _, state in sorted(fep.devices.states.items())],
        "holes": [MessageToDict(hole, preserving_proto_field_name=True) for hole in fep.numbers.holes()],
        "ports": fep.lan.ports,
        "last_error": fep.health.last_error,
    }


def _add_gauges(fep: "Fep") -> None:
    fep.counters.gauges |= {
        "fep_line_up": ("Whether the line is up.", lambda: float(fep.line.is_up)),
        "fep_backlog": ("Records waiting to go up.", lambda: float(sum(fep.intake.waiting.values()))),
        "fep_disk_free_bytes": ("Room on the journal's disk.", lambda: float(fep.disk.room.free)),
        "fep_decided": ("Requests decided here.", lambda: float(fep.intake.figures.decided)),
        "fep_passed": ("Records the platform has answered.", lambda: float(fep.intake.figures.passed)),
        "fep_late": ("Requests the platform did not answer in time.", lambda: float(fep.intake.figures.late)),
        "fep_sent": ("Records of the journal that the platform has acknowledged.", lambda: float(fep.upload.sent)),
        "fep_refused": ("Records of the journal that the platform did not post.", lambda: float(fep.upload.refused)),
    }


async def _answer(head: bytes, fep: "Fep", registry: CollectorRegistry) -> bytes:
    path = [*head.split(b" ", 2), b"", b""][1]
    if path == b"/status":
        content = json.dumps(await describe(fep), ensure_ascii=False, indent=1).encode()
        return _response(200, content, "application/json; charset=utf-8")
    if path == b"/metrics":
        return _response(200, generate_latest(registry), CONTENT_TYPE_LATEST)
    if path == b"/healthz":
        return _response(200, b"ok\n", "text/plain")
    if path == b"/readyz":
        ready = fep.closed_for() is None and fep.disk.takes_sales
        return _response(200, b"ready\n", "text/plain") if ready else _response(503, b"not ready\n", "text/plain")
    return _response(404, b"not found\n", "text/plain")


def _response(status: int, body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _moment(us: int) -> str:
    return from_epoch_us(us).isoformat()
