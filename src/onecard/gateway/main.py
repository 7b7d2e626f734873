"""`onecard serve gateway`: settings from arguments, the event loop, signals."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from onecard.gateway.attached import AttachedPorts, Attachment, read_attachments
from onecard.gateway.drivers.iso8583.driver import IsoDriver
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import GatewaySettings
from onecard.kernel.errors import InvalidInput

_log = logging.getLogger(__name__)


def run(
    *,
    app: list[str],
    tls_dir: Path,
    native_port: int = 8444,
    iso_port: int = 8583,
    metrics_port: int = 9464,
    host: str = "0.0.0.0",  # noqa: S104 - terminals come from outside; who may speak is decided by certificate
    name: str = "",
    attach: Path | None = None,
    enrol_port: int = 0,
    web: str = "",
    web_secret: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    `app` are addresses of application servers (``unix:/path`` or ``host:port``); `tls_dir` holds ca.pem, gateway.pem and
    gateway.key; `attach` names buses and brokers to serve as ports; `enrol_port` is open to devices with a code (0: off);
    `web` is the web tier for workstations behind front-ends, `web_secret` the file it shares with us. Raises OSError when a port
    is taken or a file is missing, InvalidInput when settings are wrong.
    """
    if web and web_secret is None:
        raise InvalidInput("--web 需要 --web-secret", "--web needs --web-secret")
    settings = GatewaySettings(
        name=name or f"gateway@{socket.gethostname()}",
        apps=tuple(app),
        tls_dir=tls_dir,
        host=host,
        native_port=native_port,
        iso_port=iso_port,
        metrics_port=metrics_port,
        enrol_port=enrol_port or None,
        web=web,
        web_secret=web_secret.read_bytes().strip() if web_secret is not None else b"",
    )
    allow_many_files()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, read_attachments(attach) if attach is not None else []))


def allow_many_files() -> None:
    """A line is a file: use all that the system allows, not the 1024 that shells start with."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(settings: GatewaySettings, attachments: list[Attachment]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    gateway = Gateway(settings, {NativeDriver(): settings.native_port, IsoDriver(): settings.iso_port})
    ports = AttachedPorts(gateway, attachments)
    await gateway.start()
    ports.start()
    # What lives now lives for good; the collector need not walk it again and again under load.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    _log.info("gateway %s is open", settings.name)
    await stopped.wait()
    _log.info("gateway %s closes", settings.name)
    await ports.stop()
    await gateway.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop
