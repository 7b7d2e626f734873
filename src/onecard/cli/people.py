"""`onecard people`: load cardholders from a file, see loads and their reports, and the legal caps."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.services.actors import Actor
    from onecard.services.people.api import Job, LoadOptions

_HELP = "持卡人：批量导入、导入报告、法定限额 / Cardholders: bulk loading, its reports, legal caps"
app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)

JobId = Annotated[int, typer.Argument(help="导入编号 number of the load")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="错误报告（CSV）写到 write the report of wrong rows to")]


def _ready() -> "Actor":
    from onecard.datacenter import dj, prepared

    prepared.ensure()
    dj.setup()
    from onecard.services.actors import Actor

    return Actor.system("cli")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV（UTF-8 或 GB18030）或 XLSX")],
    operator: Annotated[str, typer.Option(help="运营单位编码 the operator's code")],
    unit: Annotated[str, typer.Option(help="接入单位编码 the unit's code")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不导入 check only")] = False,
    mode: Annotated[str, typer.Option(help="all 全部正确才导入 | good 只导入正确的行 the good rows")] = "all",
    mapping: Annotated[list[str] | None, typer.Option("--map", help="字段=表头 field=header, e.g. name=姓名")] = None,
    report: ReportFile = None,
    document_type: Annotated[str, typer.Option(help="无证件类型列时的类型 kind of document where no column says")] = "id_card",
    make_departments: Annotated[
        bool, typer.Option("--make-departments", help="建立没有的部门 make departments that are missing")
    ] = False,
    card_type: Annotated[str, typer.Option(help="为每人开户的卡种编码 card type: opens an account for each")] = "",
    public_yuan: Annotated[str, typer.Option(help="公共钱包初始余额 opening balance of the public purse")] = "0",
    private_yuan: Annotated[str, typer.Option(help="私有钱包初始余额 of the unit's private purse")] = "0",
    valid_until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="卡有效期至 the cards' last day")] = None,
    sheet: Annotated[str, typer.Option(help="工作表 the sheet, else the first")] = "",
) -> None:
    """从文件批量导入持卡人 / Load cardholders from a file."""
    actor = _ready()
    from onecard.kernel.errors import InvalidInput
    from onecard.kernel.money import parse_yuan
    from onecard.services.people import api

    try:
        public_fen, private_fen = parse_yuan(public_yuan), parse_yuan(private_yuan)
    except ValueError as error:
        raise InvalidInput(f"金额无效：{error}", str(error)) from None
    operator_id = _id_of("operators_operator", "code = %s", [operator], what=f"运营单位 operator {operator}")
    options = api.LoadOptions(
        operator_id=operator_id,
        unit_id=_id_of("operators_unit", "code = %s AND operator_id = %s", [unit, operator_id], what=f"接入单位 unit {unit}")
        if unit
        else None,
        mode=mode,
        dry_run=dry_run,
        mapping=_mapping(mapping or []),
        document_type=document_type,
        make_departments=make_departments,
        card_type_id=_id_of("operators_cardtype", "code = %s", [card_type], what=f"卡种 card type {card_type}")
        if card_type
        else None,
        public_fen=public_fen,
        private_fen=private_fen,
        valid_until=valid_until.date() if valid_until else None,
        sheet=sheet,
    )
    _end(_run(options, file, actor=actor), report, actor=actor)


def _run(options: "LoadOptions", file: Path, *, actor: "Actor") -> "Job":
    from onecard.services.people import api

    job = api.create_job(options, actor=actor, file_name=file.name)
    return _with_bars(job.id, file)


def _with_bars(job_id: int, file: Path | None) -> "Job":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    from onecard.services.people import api

    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(job: "Job") -> None:
            if job.state not in tasks:
                tasks[job.state] = bars.add_task(f"{job.state_text} {job.state}", total=job.total or None)
            bars.update(tasks[job.state], completed=job.done, total=job.total or None)

        return api.run_load(job_id, file, show)


def _end(job: "Job", report: Path | None, *, actor: "Actor") -> None:
    from onecard.services.people import api

    typer.echo(_line(job))
    for problem in api.problems_of(job.id, actor=actor, limit=5):
        typer.echo(f"    第 {problem.row_no} 行 row  {problem.column}：{problem.zh} / {problem.en}")
    if report is not None:
        with report.open("w", encoding="utf-8-sig", newline="") as stream:
            count = api.write_report(job.id, stream, actor=actor)
        typer.echo(f"报告 report {report}  ({count:,})")
    if job.state in (api.LoadState.REFUSED, api.LoadState.FAILED):
        sys.exit(1)


def _line(job: "Job") -> str:
    text = (
        f"#{job.id}  {job.file_name}  {job.state_text} {job.state}  行 rows {job.row_count:,}  错误 wrong {job.bad_count:,}"
        f"  导入 loaded {job.holder_count:,}  开户 accounts {job.account_count:,}"
    )
    return f"{text}\n    {job.failure.zh} / {job.failure.en}" if job.failure else text


def _mapping(pairs: list[str]) -> dict[str, str]:
    from onecard.kernel.errors import InvalidInput

    made = {}
    for pair in pairs:
        name, equals, header = pair.partition("=")
        if not equals or not header:
            raise InvalidInput(f"--map 须为 字段=表头，不是 {pair}", f"--map is field=header, not {pair}")
        made[name.strip()] = header.strip()
    return made


def _id_of(table: str, condition: str, values: list[str | int], *, what: str) -> int:
    from django.db import connection

    from onecard.kernel.errors import NotFound

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} WHERE {condition}", values)  # noqa: S608 (both are literals of this file)
        row = cursor.fetchone()
    if row is None:
        raise NotFound(f"没有 {what}", f"there is no {what}")
    return int(row[0])


@app.command()
def jobs(limit: Annotated[int, typer.Option(help="行数 rows", min=1)] = 20) -> None:
    """最近的导入 / The latest loads."""
    actor = _ready()
    from onecard.services.people import api

    for job in api.recent_jobs(actor=actor, limit=limit):
        typer.echo(_line(job))


@app.command()
def report(job_id: JobId, out: ReportFile = None) -> None:
    """一次导入的错误报告 / The report of a load."""
    actor = _ready()
    from onecard.services.people import api

    if out is None:
        api.write_report(job_id, sys.stdout, actor=actor)
        return
    with out.open("w", encoding="utf-8-sig", newline="") as stream:
        typer.echo(f"{api.write_report(job_id, stream, actor=actor):,}")


@app.command()
def resume() -> None:
    """继续被中断的导入 / Go on with loads that were cut off."""
    actor = _ready()
    from onecard.kernel.errors import OneCardError
    from onecard.services.people import api

    for job in api.unfinished_jobs(actor=actor):
        try:
            typer.echo(_line(_with_bars(job.id, None)))
        except OneCardError as error:
            typer.echo(f"#{job.id}  {error.zh} / {error.en}")


@app.command()
def caps() -> None:
    """法定余额上限 / What a purse may hold by law, by date."""
    _ready()
    from onecard.kernel.money import format_yuan
    from onecard.services.people import api

    for cap in api.caps():
        anonymous, registered = (format_yuan(fen, grouped=True) for fen in (cap.anonymous_fen, cap.registered_fen))
        typer.echo(f"{cap.valid_from}  不记名 anonymous {anonymous}  记名 registered {registered}  {cap.basis}")


@app.command(name="set-cap")
def set_cap(
    valid_from: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="生效日期 first day")],
    anonymous_yuan: Annotated[str, typer.Argument(help="不记名（元），0 为不限 anonymous, 0 for none")],
    registered_yuan: Annotated[str, typer.Argument(help="记名（元），0 为不限 registered, 0 for none")],
    basis: Annotated[str, typer.Option(help="依据 on what ground")] = "",
) -> None:
    """设定自某日起的法定余额上限 / Set the caps from a day on."""
    actor = _ready()
    from onecard.kernel.errors import InvalidInput
    from onecard.kernel.money import parse_yuan
    from onecard.services.people import api

    try:
        anonymous_fen, registered_fen = parse_yuan(anonymous_yuan), parse_yuan(registered_yuan)
    except ValueError as error:
        raise InvalidInput(f"金额无效：{error}", str(error)) from None
    api.set_cap(api.Cap(valid_from.date(), anonymous_fen, registered_fen, basis), actor=actor)
    caps()
