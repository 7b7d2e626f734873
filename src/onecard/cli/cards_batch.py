"""`onecard cards batch`: create, run at a station, see how far, pause, resume, cancel; and what the group's commands share."""

import getpass
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.ledger.codes import Medium
    from onecard.services.actors import Actor
    from onecard.services.issuing.api import Figures, Progress, Recipient, Report

app = typer.Typer(help="制卡批次 / Issuing batches", no_args_is_help=True, add_completion=False)
BatchId = Annotated[int, typer.Argument(help="批号 number of the batch")]


def ready() -> None:
    """A migrated database and Django; what every command of the group begins with."""
    from onecard.datacenter import dj, prepared

    prepared.ensure()
    dj.setup()


def actor() -> "Actor":
    """The command line itself, by the name of who runs it."""
    from onecard.services.actors import Actor

    return Actor.system(f"cli:{_user()}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def station(reader: str) -> str:
    """The name of this work place."""
    return f"{platform.node()} {reader}"[:80]


def medium_of(name: str) -> "Medium":
    """Raises InvalidInput."""
    from onecard.kernel.errors import InvalidInput
    from onecard.ledger.codes import Medium

    try:
        return Medium[name.upper()]
    except KeyError:
        raise InvalidInput(
            f"介质只能是 cpu、sim、uid、qr，不是 {name}", f"the medium is cpu, sim, uid or qr, not {name}"
        ) from None


def parse_uid(text: str) -> bytes:
    """Raises InvalidInput."""
    from onecard.kernel.errors import InvalidInput

    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidInput(f"UID 须为十六进制：{text}", f"the UID is given in hex: {text}") from None


def ids_of(operator: str, card_type: str) -> tuple[int, int]:
    """An operator and a card type by code. Raises NotFound."""
    from onecard.kernel.errors import NotFound
    from onecard.services.operators.models import CardType, Operator

    operator_id = Operator.objects.filter(code=operator).values_list("pk", flat=True).first()
    type_id = CardType.objects.filter(code=card_type).values_list("pk", flat=True).first()
    if operator_id is None:
        raise NotFound(f"无此运营单位：{operator}", f"no such operator: {operator}")
    if type_id is None:
        raise NotFound(f"无此卡种：{card_type}", f"no such card type: {card_type}")
    return operator_id, type_id


def line(report: "Report") -> str:
    """A touch in one line."""
    from onecard.services.issuing.api import Outcome

    if report.result is None:
        return f"× {report.zh} / {report.en}"
    result = report.result
    if result.outcome is Outcome.NOTHING_QUEUED:
        return "- 没有排队的卡 / nothing is queued for a blank card"
    marks = {Outcome.DONE: "✓", Outcome.ROLLED_BACK: "↩", Outcome.FAILED: "×"}
    resumed = " 续做 resumed" if result.resumed else ""
    reason = f"  {result.zh} / {result.en}" if result.zh else ""
    return f"{marks[result.outcome]} #{result.job_id} {result.card_no}{resumed}{_took(report.figures)}{reason}"


def _took(figures: "Figures | None") -> str:
    if figures is None:
        return ""
    return (
        f"  {figures.round_trips} 条指令 commands, 本方 own {figures.own_s * 1000:.0f} ms, 卡 card {figures.card_s * 1000:.0f} ms"
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="名称 name")],
    operator: Annotated[str, typer.Option(help="运营单位编码 operator's code")],
    card_type: Annotated[str, typer.Option("--type", help="卡种编码 card type's code")],
    count: Annotated[int, typer.Option(help="不记名卡张数 how many anonymous cards", min=0)] = 0,
    holders: Annotated[Path | None, typer.Option(help="持卡人编号文件，每行一个 file of holder numbers")] = None,
    accounts: Annotated[Path | None, typer.Option(help="账号文件，每行一个 file of account numbers")] = None,
    unit: Annotated[int | None, typer.Option(help="接入单位编号 unit's number")] = None,
    of_unit: Annotated[bool, typer.Option("--of-unit", help="该单位全部持卡人 every holder of the unit")] = False,
    medium: Annotated[str, typer.Option(help="cpu | sim")] = "cpu",
    feeder: Annotated[bool, typer.Option("--feeder", help="自动送卡机 a feeder lays the cards on")] = False,
) -> None:
    """建立批次 / Create a batch."""
    ready()
    from onecard.services.issuing import api

    operator_id, type_id = ids_of(operator, card_type)
    order = api.BatchOrder(
        name,
        operator_id,
        type_id,
        medium=medium_of(medium),
        unit_id=unit,
        pace=api.Pace.FEEDER if feeder else api.Pace.OPERATOR,
        recipients=_recipients(holders, accounts, unit if of_unit else None),
        count=count,
    )
    batch = api.create(order, actor=actor())
    typer.echo(f"#{batch.pk}  {batch.name}  {batch.count} 张 cards")


def _recipients(holders: Path | None, accounts: Path | None, unit: int | None) -> "list[Recipient]":
    from onecard.services.issuing.api import Recipient
    from onecard.services.people.models import Holder

    found = [Recipient(holder_id=number) for number in _numbers(holders)]
    found += [Recipient(account_no=number) for number in _numbers(accounts)]
    if unit is not None:
        members = Holder.objects.filter(unit_id=unit, state="active").order_by("pk").values_list("pk", flat=True)
        found += [Recipient(holder_id=number) for number in members]
    return found


def _numbers(path: Path | None) -> list[int]:
    from onecard.kernel.errors import InvalidInput

    numbers = []
    for row, text in enumerate(path.read_text(encoding="utf-8").split("\n") if path else [], start=1):
        if not text.strip():
            continue
        if not text.strip().isdecimal():
            raise InvalidInput(f"{path} 第 {row} 行不是号码：{text}", f"{path} row {row} is no number: {text}")
        numbers.append(int(text))
    return numbers


@app.command()
def run(
    batch_id: BatchId,
    reader: Annotated[str | None, typer.Option(help="PC/SC 读卡器名 PC/SC reader")] = None,
    virtual: Annotated[Path | None, typer.Option(help="虚拟卡目录 folder of virtual cards")] = None,
) -> None:
    """在本工位制卡，直至完成、暂停或 Ctrl-C / Work on the batch at this reader until it is over, paused, or Ctrl-C."""
    ready()
    from onecard.cli.cards_readers import open_slot
    from onecard.services.issuing import api
    from onecard.services.keys.api import open_vault

    vault = open_vault()
    slot = open_slot(reader, virtual)
    if api.get(batch_id).state in (api.BatchState.CREATED, api.BatchState.PAUSED):
        api.start(batch_id, actor=actor())
    own: list[float] = []

    def show(report: "Report") -> None:
        if report.figures is not None and report.result is not None and report.result.outcome is api.Outcome.DONE:
            own.append(report.figures.own_s)
        typer.echo(f"{line(report)}  {_far(api.progress(batch_id))}")

    request = api.Request(station(slot.name), actor(), batch_id=batch_id)
    api.run_batch(request, slot, vault, show)
    progress = api.progress(batch_id)
    typer.echo(_standing(progress))
    if own:
        own.sort()
        typer.echo(
            f"本方每张用时 own time a card: 中位 median {own[len(own) // 2] * 1000:.0f} ms,"
            f" 最长 longest {own[-1] * 1000:.0f} ms, {len(own)} 张 cards"
        )
    sys.exit(0 if progress.state in (api.BatchState.FINISHED, api.BatchState.RUNNING) else 1)


def _far(progress: "Progress") -> str:
    return f"[{progress.done}/{progress.total}]"


def _standing(progress: "Progress") -> str:
    parts = [
        f"#{progress.batch_id}  {progress.state.label} {progress.state.value}",
        f"完成 done {progress.done}/{progress.total}",
        f"排队 queued {progress.queued}",
        f"在制 in work {progress.in_work}",
        f"废卡 rejected {progress.rejected}",
        f"回退 rolled back {progress.rolled_back}",
    ]
    if progress.per_hour is not None:
        parts.append(f"每小时 per hour {progress.per_hour}")
    if progress.ends_at is not None:
        parts.append(f"预计完成 done at {progress.ends_at.astimezone():%H:%M:%S}")
    return "  ".join(parts)


@app.command()
def status(batch_id: Annotated[int | None, typer.Argument(help="批号，缺省为最近 20 批 else the latest 20")] = None) -> None:
    """进度 / How far batches are."""
    ready()
    from onecard.services.issuing import api

    if batch_id is None:
        for batch in api.batch_list()[:20]:
            typer.echo(f"{_standing(api.progress(batch.pk))}  {batch.name}")
        return
    typer.echo(_standing(api.progress(batch_id)))
    for job in api.jobs(batch_id=batch_id).exclude(state__in=(api.JobState.QUEUED, api.JobState.DONE))[:100]:
        typer.echo(f"  #{job.pk}  {job.get_state_display()} {job.state}  {job.card_no or '-'}  {job.station}  {job.reason_zh}")


@app.command()
def pause(batch_id: BatchId) -> None:
    """暂停：不再发放新卡 / Give out no further card."""
    ready()
    from onecard.services.issuing import api

    api.pause(batch_id, actor=actor())
    typer.echo(_standing(api.progress(batch_id)))


@app.command()
def resume(batch_id: BatchId) -> None:
    """继续 / Go on."""
    ready()
    from onecard.services.issuing import api

    api.start(batch_id, actor=actor())
    typer.echo(_standing(api.progress(batch_id)))


@app.command()
def cancel(batch_id: BatchId) -> None:
    """取消：排队的作废，在制的下次放上时擦除 / Drop the queue; cards in work are erased at their next touch."""
    ready()
    from onecard.services.issuing import api

    api.cancel(batch_id, actor=actor())
    typer.echo(_standing(api.progress(batch_id)))
