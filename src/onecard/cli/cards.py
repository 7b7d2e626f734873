"""`onecard cards`: personalise one card or a batch at a reader, recognise a card; stock and life are groups of their own."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onecard.cli import cards_batch, cards_renew, cards_stock
from onecard.cli.cards_words import refusal

if TYPE_CHECKING:
    from onecard.services.issuing.api import Report

_HELP = "卡片：库存、制卡、生命周期 / Cards: stock, personalisation, life cycle"
app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False)
app.add_typer(cards_batch.app, name="batch")
app.add_typer(cards_stock.stock, name="stock")
app.add_typer(cards_stock.life, name="life")
job_app = typer.Typer(help="制卡作业：步骤、重做、回退 / Jobs: steps, retry, roll back", no_args_is_help=True)
app.add_typer(job_app, name="job")

Reader = Annotated[str | None, typer.Option(help="PC/SC 读卡器名（可只写开头） PC/SC reader, or how its name begins")]
Virtual = Annotated[Path | None, typer.Option("--virtual", help="虚拟卡目录 folder of virtual cards")]
Only = Annotated[str | None, typer.Option("--card", help="目录中的一张虚拟卡 one file of the folder")]
Serial = Annotated[int | None, typer.Option(help="卡面序列号，缺省取库存下一张 serial on the card, else the next of the stock")]
JobId = Annotated[int, typer.Argument(help="作业号 number of the job")]


@app.command()
def readers() -> None:
    """列出读卡器 / List the readers of this machine."""
    from onecard.terminal.reader.pcsc import list_readers

    for name in list_readers():
        typer.echo(name)


@app.command()
def virtual(
    folder: Annotated[Path, typer.Argument(help="目录 folder")],
    count: Annotated[int, typer.Option(help="张数 how many", min=1, max=10_000)] = 10,
) -> None:
    """建立空白虚拟卡（演示厂商密钥） / Make blank virtual cards with the demonstration maker's key."""
    cards_batch.ready()
    from onecard.cli.cards_readers import make_virtual

    made = make_virtual(folder, count)
    typer.echo(f"新建 {len(made)} 张 made {len(made)} cards: {folder}")


@app.command()
def recognise(reader: Reader = None, folder: Virtual = None, card: Only = None, serial: Serial = None) -> None:
    """识别读卡器上的卡：空白、在制、已发、外来 / Say what a card is: blank, in work, issued, foreign."""
    cards_batch.ready()
    from onecard.cli.cards_readers import open_slot
    from onecard.services.issuing import api

    slot = open_slot(reader, folder, only=card)
    while slot.await_card():
        try:
            found, _ = api.play(api.recognise(serial=serial), slot.exchange)
        finally:
            slot.release(wait=False)
        number = f"  卡号 card {found.card_no}" if found.card_no else ""
        typer.echo(f"{found.uid}  {found.kind}{number}  {found.state}".rstrip())
        if folder is None:
            return


@app.command()
def issue(
    operator: Annotated[str, typer.Option(help="运营单位编码 operator's code")] = "",
    card_type: Annotated[str, typer.Option("--type", help="卡种编码 card type's code")] = "",
    reader: Reader = None,
    folder: Virtual = None,
    card: Only = None,
    serial: Serial = None,
    medium: Annotated[str, typer.Option(help="cpu | sim | uid | qr")] = "cpu",
    holder: Annotated[int | None, typer.Option(help="持卡人编号，缺省不记名 holder's number, else anonymous")] = None,
    account: Annotated[int | None, typer.Option(help="账号，缺省新开 account, else a new one")] = None,
    unit: Annotated[int | None, typer.Option(help="接入单位编号 unit's number")] = None,
    uid: Annotated[str, typer.Option(help="UID 卡的十六进制 UID hex UID of a UID card")] = "",
    replaces: Annotated[int | None, typer.Option(help="补卡：挂失的原卡号 the lost card it replaces")] = None,
    exchanges: Annotated[int | None, typer.Option(help="换卡：收回的原卡号 the card it is exchanged for")] = None,
    reason: Annotated[str, typer.Option(help="补换卡事由 why it is replaced or exchanged")] = "",
    waive_fee: Annotated[bool, typer.Option("--waive-fee", help="免补换卡费 no fee for it")] = False,
    fee_from_purse: Annotated[bool, typer.Option("--fee-from-purse", help="从钱包扣费 the purse pays the fee")] = False,
) -> None:
    """发、补、换一张卡：写卡、校验、发行 / Issue, replace or exchange one card: write it, prove it, issue it."""
    cards_batch.ready()
    from onecard.ledger.codes import Medium
    from onecard.services.issuing import api

    who, on = cards_batch.actor(), cards_batch.medium_of(medium)
    if replaces is not None or exchanges is not None:
        given = (operator, card_type, holder, account, unit, uid)
        wanted = cards_renew.renewal(replaces, exchanges, medium=on, given=given)
        terms = replace(wanted, reason=reason, serial=serial, fee_waived=waive_fee, fee_from_purse=fee_from_purse)
        job = api.create_renewal(terms, actor=who)
    else:
        if reason or waive_fee or fee_from_purse:
            raise refusal("事由与收费选项只用于补卡、换卡", "a reason and terms are for a replacement or an exchange")
        operator_id, type_id = cards_batch.ids_of(operator, card_type)
        job = api.create_job(api.JobOrder(operator_id, type_id, on, unit, api.Recipient(account, holder)), actor=who)
    why = "未写成 not written"
    try:
        if on in (Medium.UID, Medium.QR):
            done = api.bind(job.pk, uid=cards_batch.parse_uid(uid), serial=serial, actor=who)
            typer.echo(f"卡号 card {done.card_no}  账号 account {done.account_no}")
            return
        report = _touch(job.pk, reader, folder, card=card, serial=serial)
        why = f"{report.zh} {report.en}".strip() or why
    finally:
        if api.get_job(job.pk).state == api.JobState.QUEUED:
            api.roll_back(job.pk, actor=who, reason=why)
    _tell(report)


def _tell(report: "Report") -> None:
    """The touch in one line; ends the programme with 1 where no card came of it."""
    from onecard.services.issuing import api

    typer.echo(cards_batch.line(report))
    if report.result is None or report.result.outcome is not api.Outcome.DONE:
        sys.exit(1)


def _touch(job_id: int | None, reader: str | None, folder: Path | None, *, card: str | None, serial: int | None) -> "Report":
    from onecard.cli.cards_readers import open_slot
    from onecard.services.issuing import api
    from onecard.services.keys.api import open_vault

    vault = open_vault()
    slot = open_slot(reader, folder, only=card)
    slot.await_card()
    try:
        request = api.Request(cards_batch.station(slot.name), cards_batch.actor(), job_id=job_id, serial=serial)
        return api.touch_once(request, slot, vault)
    finally:
        slot.release(wait=False)


@app.command()
def resume(reader: Reader = None, folder: Virtual = None, card: Only = None, serial: Serial = None) -> None:
    """续做或擦除在制的卡，不动空白卡 / Finish or erase a card in work; a blank is left alone."""
    cards_batch.ready()
    report = _touch(None, reader, folder, card=card, serial=serial)
    typer.echo(cards_batch.line(report))
    if report.result is None:
        sys.exit(1)


@job_app.command()
def write(job_id: JobId, reader: Reader = None, folder: Virtual = None, card: Only = None, serial: Serial = None) -> None:
    """写一个排队的作业，如柜台建立的补卡 / Write a job that waits, such as a replacement the desk asked for."""
    cards_batch.ready()
    _tell(_touch(job_id, reader, folder, card=card, serial=serial))


@job_app.command()
def steps(job_id: JobId) -> None:
    """作业的写卡日志 / The journal of a job."""
    cards_batch.ready()
    from onecard.services.issuing import api

    job = api.get_job(job_id)
    typer.echo(
        f"#{job.pk}  {job.get_state_display()} {job.state}  卡号 {job.card_no or '-'}  序列号 {job.stock_serial or '-'}"
        f"  UID {job.uid or '-'}  {job.reason_zh}"
    )
    for entry in api.steps(job_id):
        moment = entry.at.astimezone().isoformat(timespec="milliseconds")
        typer.echo(f"  {moment}  {entry.attempt}  {entry.step:<28} {entry.phase:<8} {entry.note}")


@job_app.command()
def retry(job_id: JobId) -> None:
    """重做失败或已回退的作业 / Queue a failed or rolled-back job anew."""
    cards_batch.ready()
    from onecard.services.issuing import api

    typer.echo(f"#{api.retry(job_id, actor=cards_batch.actor()).pk}")


@job_app.command(name="roll-back")
def roll_back(
    job_id: JobId,
    again: Annotated[bool, typer.Option("--again", help="之后重做 queue it anew afterwards")] = False,
    reason: Annotated[str, typer.Option(help="事由 reason")] = "",
) -> None:
    """回退未完成的作业；已写的卡下次放上时擦除 / Undo a job; a written card is erased at its next touch."""
    cards_batch.ready()
    from onecard.services.issuing import api

    typer.echo(api.roll_back(job_id, actor=cards_batch.actor(), again=again, reason=reason).label)


@job_app.command(name="write-off")
def write_off(job_id: JobId, reason: Annotated[str, typer.Option(help="事由 reason")]) -> None:
    """作废不再回来的卡 / Give up a card that does not come back."""
    cards_batch.ready()
    from onecard.services.issuing import api

    typer.echo(api.write_off(job_id, actor=cards_batch.actor(), reason=reason).label)
