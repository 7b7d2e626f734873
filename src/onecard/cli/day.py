"""`onecard day`: cut the business day, settle it, see how far it is, write the sheets."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.services.settlement.api import Progress, SettlementRun

_HELP = "营业日：日切、清分、结算 / The business day: cut, clear, settle"
app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)

RunId = Annotated[int | None, typer.Argument(help="批次号，缺省为最近一次 run number, else the latest")]


def _ready() -> None:
    from onecard.datacenter import dj, prepared

    prepared.ensure()
    dj.setup()


def _chosen(run_id: int | None) -> int:
    from onecard.kernel.errors import NotFound
    from onecard.services.settlement import api

    if run_id is not None:
        return run_id
    runs = api.latest_runs(1)
    if not runs:
        raise NotFound("还没有日切：请先运行 onecard day cut", "no day has been cut yet: run onecard day cut first")
    return runs[0].pk


def _line(run: "SettlementRun") -> str:
    from onecard.kernel.money import format_yuan

    text = (
        f"#{run.pk}  {run.business_date} / {run.part_no}  {run.get_state_display()}  流水 transfers {run.transfer_count}"
        f"  清分 gross {format_yuan(run.gross_fen, grouped=True)}  手续费 fees {format_yuan(run.fee_fen, grouped=True)}"
    )
    return f"{text}\n    {run.failure}" if run.failure else text


@app.command()
def cut(settle_now: Annotated[bool, typer.Option("--settle", help="随即结算 settle at once")] = False) -> None:
    """日切：此前入账的全部归入一个批次 / Cut the day: all that is posted so far becomes a run."""
    _ready()
    from onecard.services.settlement import api

    run = api.day_cut()
    typer.echo(_line(run))
    if settle_now:
        _settle(run.pk)


@app.command()
def settle(
    run_id: RunId = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="从流水重算 compute it again from the journal")] = False,
    full_audit: Annotated[bool, typer.Option("--full-audit", help="审计全部流水 audit the whole journal")] = False,
    past_unbalanced: Annotated[bool, typer.Option("--past-unbalanced", help="越过不平的批次 go past an unbalanced run")] = False,
) -> None:
    """清分、结算并核对一个批次；中断过的从断处继续 / Clear, settle and prove a run; resumes an interrupted one."""
    _ready()
    _settle(_chosen(run_id), repeat=repeat, full_audit=full_audit, past_unbalanced=past_unbalanced)


def _settle(run_id: int, *, repeat: bool = False, full_audit: bool = False, past_unbalanced: bool = False) -> None:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from onecard.services.settlement import api

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[tuple[int, str], TaskID] = {}

        def show(at: "Progress") -> None:
            key = (at.run_id, at.name)
            if key not in tasks:
                tasks[key] = bars.add_task(f"#{at.run_id} {at.name}", total=at.total)
            bars.update(tasks[key], completed=at.done)

        run = api.run_settlement(run_id, show, repeat=repeat, full_audit=full_audit, past_unbalanced=past_unbalanced)
    typer.echo(_line(run))
    if run.state != api.RunState.BALANCED:
        sys.exit(1)


@app.command()
def status() -> None:
    """营业日历、未完成批次与最早未结算流水 / The open day, unfinished runs, and the oldest unsettled record."""
    _ready()
    from onecard.services.settlement import api

    row = api.calendar()
    typer.echo(f"营业日 open date {row.open_date}  日切 cut {row.cut_time:%H:%M}")
    oldest = api.oldest_unsettled()
    typer.echo(f"最早未结算 oldest unsettled {oldest.isoformat(timespec='seconds') if oldest else '-'}")
    for run in api.unfinished_runs():
        typer.echo(_line(run))


@app.command(name="list")
def list_runs(limit: Annotated[int, typer.Option(help="行数 rows", min=1)] = 20) -> None:
    """最近的批次 / The latest runs."""
    _ready()
    from onecard.services.settlement import api

    for run in api.latest_runs(limit):
        typer.echo(_line(run))


@app.command()
def sheets(
    run_id: RunId = None,
    fmt: Annotated[str, typer.Option("--format", help="csv | xlsx")] = "csv",
    out: Annotated[Path, typer.Option(help="输出目录 folder to write to")] = Path(),
) -> None:
    """导出结算单 / Write the settlement sheets of a run to files."""
    from onecard.kernel.errors import InvalidInput

    if fmt not in ("csv", "xlsx"):
        raise InvalidInput(f"格式只能是 csv 或 xlsx，不是 {fmt}", f"the format is csv or xlsx, not {fmt}")
    _ready()
    from onecard.services.settlement import api

    for path in api.export(_chosen(run_id), out, fmt="xlsx" if fmt == "xlsx" else "csv"):
        typer.echo(str(path))
