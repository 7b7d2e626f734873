"""`onecard serve`: one role of the platform in the foreground, until SIGTERM or Ctrl-C drains it."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from onecard.cli.dispatch import Entry, load, page, show, typer_main, wants_help
from onecard.kernel.errors import InvalidInput, Unavailable

# Each `run` states its options in its signature; what it writes to the log goes to stderr.
ROLES = {
    "gateway": Entry("统一接入网关：终端与前置机由此接入", "the unified access gateway", "onecard.cli.serve:gateway"),
    "fep": Entry("通信前置机：装在单位，断线照常营业", "a unit's front-end, with the line up or down", "onecard.fep.main:run"),
    "app": Entry("应用服务器：受理并记账", "the application server", "onecard.appserver.main:run"),
    "web": Entry("管理中心网页", "the management centre in a browser", "onecard.consoles.server:run"),
    "worker": Entry(
        "后台任务：日切、清分、结算", "background work: day cut, clearing, settlement", "onecard.services.worker:run"
    ),
}
LINE_UNIT_SECRET = "line-unit"  # noqa: S105 - the name of the secret, which the web tier reads too
_NEEDS_DATABASE = {"app", "web", "worker"}


def main(words: Sequence[str]) -> None:
    """Run the role the words name."""
    if wants_help(words):
        show(f"用法 Usage: onecard serve 角色 [选项]    onecard serve 角色 --help\n\n{page(ROLES)}")
        return
    role = words[0]
    if role not in ROLES:
        raise InvalidInput(f"没有角色 {role}（{'、'.join(ROLES)}）", f"there is no role {role} ({', '.join(ROLES)})")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if role in _NEEDS_DATABASE:
        from onecard.datacenter import dj, prepared

        if not {"-h", "--help"} & set(words):
            prepared.ensure_embedded()
        dj.setup()
    typer_main(load(ROLES[role].target), words[1:], prog_name=f"onecard serve {role}")


def gateway(
    app: Annotated[
        list[str] | None, typer.Option(help="应用服务器地址，可多个，默认为本机 Application servers, unix:/path or host:port.")
    ] = None,
    tls_dir: Annotated[Path | None, typer.Option(help="证书目录 Folder of ca.pem, gateway.pem and gateway.key.")] = None,
    native_port: Annotated[int, typer.Option(help="自有协议端口 Port of the native protocol.")] = 8444,
    iso_port: Annotated[int, typer.Option(help="ISO 8583 端口 Port of ISO 8583.")] = 8583,
    metrics_port: Annotated[int, typer.Option(help="指标端口 Port of the metrics.")] = 9464,
    host: Annotated[str, typer.Option(help="监听地址 Address to listen at.")] = "0.0.0.0",  # noqa: S104 (terminals come from outside)
    name: Annotated[str, typer.Option(help="本网关名称 Name of this gateway.")] = "",
    attach: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="总线与代理的设置 Settings of buses and brokers."),
    ] = None,
    enrol_port: Annotated[
        int,
        typer.Option(help="一次性代码登记端口，常用 8445，0 关闭 Port for devices with a one-time code, usually 8445; 0: none."),
    ] = 0,
    web: Annotated[
        str,
        typer.Option(help="前置机后工作站访问的网页服务 Web tier for workstations behind front-ends, unix:/path or host:port."),
    ] = "",
    web_secret: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="与网页服务共用的密钥文件，默认取本机的 Secret shared with the web tier."),
    ] = None,
) -> None:
    """统一接入网关 The unified access gateway, until SIGTERM or SIGINT; then it finishes what is in flight."""
    from onecard.datacenter.home import Home
    from onecard.gateway.main import run

    home = Home.from_environment()
    apps = app or [f"unix:{home.run_dir / 'app.sock'}"]
    if tls_dir is None:
        tls_dir = home.tls_dir
        _have_certificate(tls_dir)
    ports = {"native_port": native_port, "iso_port": iso_port, "metrics_port": metrics_port}
    if web and web_secret is None:
        home.secret(LINE_UNIT_SECRET)
        web_secret = home.secrets_dir / LINE_UNIT_SECRET
    run(
        app=apps, tls_dir=tls_dir, host=host, name=name, attach=attach, enrol_port=enrol_port, web=web, web_secret=web_secret,
        **ports,
    )  # fmt: skip


def _have_certificate(tls_dir: Path) -> None:
    """A gateway's certificate that is missing or about to end is made where the platform's own authority is in reach."""
    from onecard.kernel.clock import SystemClock
    from onecard.services.devices import ca

    files = ca.server_files(tls_dir)
    if ca.current_server(files, now=SystemClock().now() + ca.RENEW_BEFORE) is not None:
        return
    from onecard.datacenter import dj

    dj.setup()
    from django.db import connections

    from onecard.services.devices import api

    try:
        api.ensure_gateway_files()
    except Unavailable as error:
        if not files.certificate.exists():
            raise InvalidInput(
                f"{tls_dir} 没有网关证书：请用 --tls-dir 指明（{error.zh}）",
                f"{tls_dir} holds no gateway certificate: say --tls-dir ({error.en})",
            ) from None
        logging.warning("the certificate %s is not renewed: %s", files.certificate, error.en)
    finally:
        connections.close_all()
