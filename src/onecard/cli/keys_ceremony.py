"""`onecard keys ceremony`: open a ceremony, enter or receive one's own component, combine; each step by one person signed in."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.services.keys.models.custody import Ceremony

app = typer.Typer(
    help="密钥仪式：多位保管人的分量合成密钥 / Key ceremony: a key from the components of several custodians",
    no_args_is_help=True,
    add_completion=False,
)

CeremonyId = Annotated[int, typer.Argument(help="仪式号 number of the ceremony")]
_CLEARED = "\x1b[2J\x1b[3J\x1b[H"
"""Clears the screen and what has scrolled off it."""
User = Annotated[str | None, typer.Option("--user", help="管理中心用户名 user name of the management centre")]


@app.command(name="open")
def open_(
    use: Annotated[str, typer.Argument(help="用途 use: purchase, load, tac …")],
    custodians: Annotated[str, typer.Option(help="保管人用户名，逗号分隔 user names, separated by commas")],
    scheme: Annotated[str, typer.Option(help="xor3 或 2of3 / xor3 or 2of3")] = "xor3",
    algorithm: Annotated[str, typer.Option(help="3des | sm4")] = "3des",
    kcv: Annotated[str, typer.Option(help="恢复旧密钥时应得的校验值 check value of an old key to bring in again")] = "",
    version: Annotated[
        int | None, typer.Option(help="恢复旧密钥时其版本，与 --kcv 同时给出 version of an old key, together with --kcv")
    ] = None,
    user: User = None,
) -> None:
    """开始仪式 / Open a ceremony."""
    from onecard.cli.keys import ready
    from onecard.cli.signin import sign_in

    ready()
    from onecard.services.keys.custody import ceremony as service
    from onecard.services.keys.custody.components import Scheme

    opened = service.open_ceremony(
        service.parse_use(use),
        algorithm=service.parse_algorithm(algorithm),
        scheme=Scheme.parse(scheme),
        custodians=custodians.replace("，", ",").split(","),
        version=version,
        expected_kcv=kcv,
        actor=sign_in(user),
    )
    _show(opened)


@app.command()
def enter(
    ceremony_id: CeremonyId,
    make: Annotated[bool, typer.Option("--make", help="由平台生成本人分量 have the platform make mine")] = False,
    user: User = None,
) -> None:
    """录入或领取本人的分量 / Enter or receive one's own component."""
    from onecard.cli.keys import ready
    from onecard.cli.signin import ask, ask_hidden, sign_in
    from onecard.kernel.errors import InvalidInput

    ready()
    from onecard.services.keys.custody import ceremony as service

    actor = sign_in(user)
    if make:
        if not sys.stdout.isatty():
            raise InvalidInput("分量只显示在终端上", "a component is shown on a terminal only")
        sheet = service.make(ceremony_id, actor=actor)
        typer.echo(f"分量 component {sheet.number}\n\n    {sheet.text}\n\n校验值 check value: {sheet.check_value}")
        try:
            service.confirm(ceremony_id, ask("已抄写，分量单上的校验值 written down; check value on the sheet: "), actor=actor)
        finally:
            typer.echo(_CLEARED, nl=False)
        typer.echo("已确认 confirmed")
        return
    text = ask_hidden("分量（按组录入）component, in groups: ")
    found = service.enter(ceremony_id, text, check_value=ask("分量单上的校验值 check value on the sheet: "), actor=actor)
    typer.echo(f"已录入，校验值相符 entered, the check value is right: {found}")


@app.command()
def status(ceremony_id: Annotated[int | None, typer.Argument(help="仪式号 number of the ceremony")] = None) -> None:
    """仪式进行到哪一步 / How far the ceremonies are."""
    from onecard.cli.keys import ready

    ready()
    from onecard.services.keys.custody import ceremony as service

    for found in [service.get_ceremony(ceremony_id)] if ceremony_id is not None else service.ceremonies(limit=20):
        _show(found)


@app.command()
def finish(ceremony_id: CeremonyId, user: User = None) -> None:
    """在保管库内合成密钥，显示校验值 / Combine inside the vault and show the check value."""
    from onecard.cli.keys import ready
    from onecard.cli.signin import sign_in

    ready()
    from onecard.services.keys.custody import ceremony as service

    _show(service.finish(ceremony_id, actor=sign_in(user)))


@app.command()
def abort(ceremony_id: CeremonyId, reason: Annotated[str, typer.Option(help="事由 reason")] = "", user: User = None) -> None:
    """中止仪式并清除全部分量 / Abort and wipe every component."""
    from onecard.cli.keys import ready
    from onecard.cli.signin import sign_in

    ready()
    from onecard.services.keys.custody import ceremony as service

    _show(service.abort(ceremony_id, reason=reason, actor=sign_in(user)))


def _show(found: "Ceremony") -> None:
    from onecard.services.keys.custody.ceremony import scheme_of

    kcv = f"  KCV {found.kcv}" if found.kcv else ""
    version = f" v{found.version}" if found.version else ""
    typer.echo(f"#{found.pk}  {found.use}{version}  {scheme_of(found)}  {found.get_state_display()}{kcv}")
    for part in found.components.order_by("number"):
        typer.echo(f"    {part.number}. {part.custodian}  {part.get_state_display()}  {part.check_value or '-'}")
