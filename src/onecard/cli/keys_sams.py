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
    from onecard.services.keys.sams import stock

    rows = Sam.objects.select_related("terminal").order_by("pk")
    for sam in (rows.filter(state=stock.parse_state(state)) if state else rows).iterator():
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
    _show(sam)


@app.command()
def unbind(sam: SamNo, reason: Reason) -> None:
    """解除绑定 / Take a module out of its terminal."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.unbind_sam(stock.parse_sam_no(sam), reason=reason, actor=system())
    _show(sam)


@app.command()
def block(sam: SamNo, reason: Reason) -> None:
    """立即停用；恢复须双人（keys request sam_unblock）/ Block at once; lifting it takes two people."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.block_sam(stock.parse_sam_no(sam), reason=reason, actor=system())
    _show(sam)


@app.command()
def scrap(sam: SamNo, reason: Reason) -> None:
    """报废 / Take a module out of the stock for good."""
    from onecard.cli.keys import ready, system

    ready()
    from onecard.services.keys.sams import stock

    stock.scrap_sam(stock.parse_sam_no(sam), reason=reason, actor=system())
    _show(sam)


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


@app.command()
def virtual(
    file: Annotated[Path, typer.Argument(help="新文件 a new file")],
    algorithm: Annotated[str, typer.Option(help="3des | sm4")] = "3des",
) -> None:
    """制作空白虚拟 SAM，内有演示厂商的传输密钥 / Make a blank virtual SAM with the demonstration maker's transport key."""
    from onecard.cli.keys import ready
    from onecard.kernel.errors import InvalidInput

    ready()
    from onecard.datacenter.home import Home
    from onecard.services.keys.api import demo_maker_key
    from onecard.services.keys.custody.ceremony import parse_algorithm
    from onecard.terminal.card.store import FileStore
    from onecard.terminal.sam.virtual import VirtualSam

    cipher = parse_algorithm(algorithm)
    if file.exists():
        raise InvalidInput(f"文件已存在：{file}", f"the file is there already: {file}")
    try:
        VirtualSam.create(
            FileStore(file), transport_key=bytes(demo_maker_key(Home.from_environment(), int(cipher))), algorithm=cipher
        )
    except OSError as error:
        raise InvalidInput(f"无法写入 {file}：{error.strerror}", f"cannot write {file}: {error.strerror}") from None
    typer.echo(f"{file}  空白虚拟 SAM blank virtual SAM")


def _show(sam: str) -> None:
    from onecard.services.keys.models.sams import Sam
    from onecard.services.keys.sams import stock

    found = Sam.objects.select_related("terminal").get(pk=stock.parse_sam_no(sam))
    typer.echo(f"{found}  {found.get_state_display()} {found.state}  {found.terminal.tid if found.terminal else '-'}")


def _slot(reader: str, virtual: Path | None) -> "Reader":
    from onecard.kernel.errors import InvalidInput

    if virtual is not None:
        from onecard.terminal.reader.local import LocalReader
        from onecard.terminal.sam.virtual import VirtualSam

        try:
            return LocalReader(VirtualSam.open(virtual))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InvalidInput(f"不是虚拟 SAM 的文件：{virtual}", f"this is no file of a virtual SAM: {virtual}") from None
    from onecard.terminal.reader.pcsc import PcscReader

    return PcscReader(reader)
