"""`onecard keys sam`: order and receive security modules, personalise them at a reader, bind them to terminals, block them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.terminal.reader.base import Reader

app = typer.Typer(
    help="SAM/PSAM：入库、个人化、绑定、停用 / SAMs: stock, personalise, bind, block", no_args_is_help=True, add_completion=False
)

SamNo = Annotated[str, typer.Argument(help="SAM 编号，12 位十六进制 number, 12 hexadecimal digits")]
Reason = Annotated[str, typer.Option(help="事由 reason")]


@app.command()
def order(
    count: Annotated[int, typer.Argument(help="数量 how many", min=1)],
    ref: Annotated[str, typer.Option("--ref", help="订单号 number of the order")],
    supplier: Annotated[str, typer.Option(help="供应商 supplier")] = "",
    first: Annotated[str, typer.Option(help="首个编号，缺省接续最大号 first number, else after the highest")] = "",
) -> None:
    """订购，并分配编号 / Order modules and give out their numbers."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    first_no = stock.parse_sam_no(first) if first else None
    for number in stock.order_sams(count, order_ref=ref, supplier=supplier, first_no=first_no, actor=system()):
        typer.echo(f"{number:012X}")


@app.command()
def receive(
    serials: Annotated[list[str], typer.Argument(help="芯片序列号 serial numbers of the chips")],
    ref: Annotated[str, typer.Option("--ref", help="订单号 number of the order")],
) -> None:
    """到货入库 / Take modules of an order into the stock."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    for number, serial in zip(stock.receive_sams(serials, order_ref=ref, actor=system()), serials, strict=True):
        typer.echo(f"{number:012X}  {serial}")


@app.command(name="list")
def list_sams(state: Annotated[str, typer.Option(help="只看此状态 of this state only")] = "") -> None:
    """SAM 清单 / The modules."""
    from onecard.cli.keys import ready

    ready()
    from onecard.services.keys.models.sams import Sam

    rows = Sam.objects.select_related("terminal").order_by("pk")
    for sam in (rows.filter(state=state) if state else rows).iterator():
        terminal = sam.terminal.tid if sam.terminal else "-"
        keys = " ".join(f"{use}:v{version[0]}" for use, version in sorted(sam.key_versions.items())) or "-"
        typer.echo(f"{sam}  {sam.serial or '-':<20}  {sam.get_state_display()} {sam.state}  {terminal}  {keys}")


@app.command()
def bind(sam: SamNo, tid: Annotated[str, typer.Argument(help="终端号 terminal")]) -> None:
    """绑定到一台终端 / Bind a module to one terminal."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.bind_sam(stock.parse_sam_no(sam), tid, actor=system())


@app.command()
def unbind(sam: SamNo, reason: Reason) -> None:
    """解除绑定 / Take a module out of its terminal."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.unbind_sam(stock.parse_sam_no(sam), reason=reason, actor=system())


@app.command()
def block(sam: SamNo, reason: Reason) -> None:
    """立即停用；恢复须双人（keys request sam_unblock）/ Block at once; lifting it takes two people."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.block_sam(stock.parse_sam_no(sam), reason=reason, actor=system())


@app.command()
def scrap(sam: SamNo, reason: Reason) -> None:
    """报废 / Take a module out of the stock for good."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.scrap_sam(stock.parse_sam_no(sam), reason=reason, actor=system())


@app.command()
def personalise(
    sam: SamNo,
    reader: Annotated[str, typer.Option(help="PC/SC 读卡器名称 name of the PC/SC reader")] = "",
    virtual: Annotated[
        Path | None, typer.Option(help="虚拟 SAM 的文件 file of a virtual SAM", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """个人化：写入文件与密钥；中断后再次执行即可 / Write files and keys; after an interruption run it again."""
    from onecard.cli.keys import ready, system
    from onecard.kernel.errors import InvalidInput

    if bool(reader) == (virtual is not None):
        raise InvalidInput("须给出 --reader 或 --virtual 之一", "give --reader or --virtual")
    ready()
    from onecard.protocol.purse.apdu import Command
    from onecard.services.keys.sams import perso, stock
    from onecard.terminal.reader.base import exchange

    number, slot = stock.parse_sam_no(sam), _slot(reader, virtual)
    slot.connect()
    try:
        perso.personalise_sam(
            number,
            lambda command: bytes(exchange(slot, Command.parse(command))),
            actor=system(),
            report=lambda step, of, name: typer.echo(f"  {step}/{of}  {name}", err=True),
        )
    finally:
        slot.disconnect()
    typer.echo(f"{number:012X}  {stock.get_sam(number).get_state_display()} personalised")


def _slot(reader: str, virtual: Path | None) -> "Reader":
    if virtual is not None:
        from onecard.terminal.reader.local import LocalReader
        from onecard.terminal.sam.virtual import VirtualSam

        return LocalReader(VirtualSam.open(virtual))
    from onecard.terminal.reader.pcsc import PcscReader

    return PcscReader(reader)
