"""`onecard replay`: send a file of real transactions through every tier and compare what the platform then has."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)
_File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="交易文件（CSV 或 gz） The file, CSV or gzip.")
]


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def replay(
    file: _File,
    expect: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="给定合计（JSON），逐分比较 Totals to compare with.")
    ] = None,
    chunk: Annotated[int, typer.Option(min=1, max=1000, help="每批笔数 Records a chunk.")] = 500,
    seed: Annotated[int, typer.Option(help="打乱次序的种子 Seed of the order.")] = 1,
    rejects: Annotated[
        Path | None, typer.Option(dir_okay=False, help="不可上送的行写到何处 Where rows that can't be sent are listed.")
    ] = None,
) -> None:
    """把真实刷卡文件经网关上送（脱机记录，乱序分批，十分之一送两次），随后日切、清分、结算，并与给定合计比较。

    Send a file of real taps through the gateway as offline records, in shuffled chunks, every tenth twice; then cut the day,
    clear and settle it, and compare. Ends with status 1 when anything differs. Sending the same file again posts nothing twice.
    """
    from rich.console import Console

    from onecard.city.database import as_found
    from onecard.datacenter import dj, prepared
    from onecard.datacenter.home import Home

    home, console = Home.from_environment(), Console()
    home.prepare()
    with as_found(home):
        with console.status("数据中心启动 starting the data centre …"):
            prepared.ensure(home)
        dj.setup()
        from onecard.city.replay.report import read_expected
        from onecard.city.replay.run import Options
        from onecard.city.replay.run import replay as run_replay

        expected = read_expected(expect) if expect else None
        options = Options(source=file, expected=expected, chunk=chunk, seed=seed, rejects=rejects)
        agrees = run_replay(home, options, console)
    if not agrees:
        raise typer.Exit(1)
