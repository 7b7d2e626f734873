"""`onecard serve fep`: settings from arguments, the event loop, signals."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from onecard.fep.fep import Fep
from onecard.fep.settings import FepSettings, parse_address
from onecard.fep.status import serve_status
from onecard.kernel.errors import InvalidInput
from onecard.terminal.tls import ANY_HOST

_log = logging.getLogger(__name__)


def run(
    home: Annotated[
        Path, typer.Option(help="登记所得文件夹，流水也存于此 Folder that `onecard enrol` made; the journal is here.")
    ],
    gateway: Annotated[str, typer.Option(help="网关地址 The gateway's native port, HOST:PORT.")],
    gateway_name: Annotated[
        str, typer.Option(help="网关证书另有名称时 Name of a gateway's certificate that is not the platform's own.")
    ] = ANY_HOST,
    listen: Annotated[str, typer.Option(help="监听地址 Address for terminals.")] = "0.0.0.0",  # noqa: S104 - the unit's network
    native_port: Annotated[int, typer.Option(help="自有协议端口 Port of the native protocol.")] = 8454,
    iso_port: Annotated[int, typer.Option(help="ISO 8583 端口 Port of ISO 8583.")] = 8593,
    workstation_port: Annotated[int, typer.Option(help="工作站端口，-1 关闭 Port for the unit's browsers; -1: none.")] = 8480,
    workstation_listen: Annotated[
        str, typer.Option(help="工作站监听地址（TLS），默认仅本机 Address for browsers, over TLS; default: this machine alone.")
    ] = "",
    attach: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="总线与代理的设置 Settings of buses and brokers.")
    ] = None,
    metrics_port: Annotated[int, typer.Option(help="状态与指标端口（仅本机） Port of status and metrics, loopback only.")] = 9465,
) -> None:
    """通信前置机 The front-end processor of a unit, until SIGTERM or SIGINT; it serves whether the line is up or down."""
    host, port = parse_address(gateway)
    if not home.is_dir():
        raise InvalidInput(
            f"没有文件夹 {home}：请先登记（onecard enrol）", f"there is no folder {home}: enrol first (onecard enrol)"
        )
    settings = FepSettings(
        home=home,
        gateway_host=host,
        gateway_port=port,
        gateway_name=gateway_name,
        host=listen,
        native_port=native_port,
        iso_port=iso_port,
        workstation_port=workstation_port if workstation_port >= 0 else None,
        workstation_host=workstation_listen,
        metrics_port=metrics_port,
        attach=attach,
    )
    logging.getLogger("tuf").setLevel(logging.WARNING)  # it tells of each key that has not signed
    os.umask(0o077)  # journal and lists are this process's alone
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: FepSettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    fep = Fep(settings)
    await fep.start()
    status = await serve_status(fep, settings.metrics_port)
    fep.lan.ports["metrics"] = status.sockets[0].getsockname()[1]
    if fep.proxy is not None:
        fep.lan.ports["workstation"] = fep.proxy.port
    gc.collect()
    gc.freeze()
    _log.info("front-end of line %d is open: %s", fep.enrolled.line_id, " ".join(f"{k}={v}" for k, v in fep.lan.ports.items()))
    await stopped.wait()
    _log.info("front-end of line %d closes", fep.enrolled.line_id)
    status.close()
    await fep.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # Windows, or an installation without it
        return asyncio.new_event_loop
    return uvloop.new_event_loop
