"""`onecard serve app`: settings from arguments, the event loop, signals."""

import asyncio
import gc
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvloop

from onecard.datacenter import dj
from onecard.datacenter.dsn import app_dsn
from onecard.datacenter.home import Home

if TYPE_CHECKING:
    from onecard.appserver.server import AppSettings, Tls


def run(*, listen: str = "", dsn: str = "", metrics_port: int = 0, name: str = "", queue_rows: int = 20_000) -> None:
    """应用服务器 The application server, until SIGTERM or SIGINT; then it finishes what it took in.

    Without `listen` it is reached at the unix socket `app.sock` of the home; `host:port` is served with mutual TLS under the
    platform's authority, to gateways only. Without `dsn` the data centre is the home's. `metrics_port` 0: no metrics.
    """
    dj.setup()
    from onecard.appserver.server import AppSettings

    home = Home.from_environment()
    address = listen or f"unix:{home.run_dir / 'app.sock'}"
    settings = AppSettings(
        listen=address,
        dsn=dsn or app_dsn(home),
        name=name or socket.gethostname(),
        tls=None if address.startswith("unix:") else _tls(),
        metrics_port=metrics_port or None,
        queue_rows=queue_rows,
    )
    uvloop.run(serve(settings))


async def serve(settings: "AppSettings") -> None:
    """Serves until SIGTERM or SIGINT."""
    from onecard.appserver.server import AppServer

    server = AppServer(settings)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    starting = asyncio.create_task(server.start())
    ending = asyncio.create_task(end.wait())
    await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        # What was made until now stays: the collector of garbage need not look at it again, and seldom at the rest.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        await ending
    else:
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
    await server.stop()


def _tls() -> "Tls":
    from onecard.appserver.server import Tls
    from onecard.services.devices import api

    files = api.ensure_server("app", hosts=[socket.gethostname()])
    return Tls(certificate=files.certificate.read_bytes(), key=files.key.read_bytes(), authority=files.ca.read_bytes())
