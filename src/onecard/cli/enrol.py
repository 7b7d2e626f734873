"""`onecard enrol URI --into DIR`: enrol this machine's front-end or terminal by the one-time code of the management centre."""

from pathlib import Path
from typing import Annotated

import typer


def enrol(
    uri: Annotated[str, typer.Argument(help="二维码内容 Text of the QR code: onecard://enrol?gateway=…&code=…&ca=…")],
    into: Annotated[Path, typer.Option("--into", file_okay=False, help="存放密钥与证书的目录 Folder for key and certificate.")],
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="前置机在本地网的名称或地址，可多个 A front-end's names in its own network."),
    ] = None,
) -> None:
    """以一次性登记码登记本机 Enrol this device by a one-time code; may be repeated when it was interrupted."""
    from onecard.terminal.enrol import enrol as enrol_device

    made = enrol_device(uri, into, hosts=tuple(host or ()))
    of = f"终端 terminal {made.terminal_id}, 线路 line {made.line_id}" if made.terminal_id else f"线路 line {made.line_id}"
    typer.echo(f"已登记 Enrolled: {of}")
    typer.echo(f"证书有效期至 Certificate until {made.until:%Y-%m-%d}; {into}/key.pem, cert.pem, ca.pem, line.json")
