"""`onecard cards life`: one card: how it stands, operations and their undo, its time line, and the table they run from."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onecard.cli import cards_chip, cards_renew
from onecard.cli.cards_words import Key, Reason, actor, refusal, type_id

if TYPE_CHECKING:
    from onecard.services.cards.api import LifeEvent

life = typer.Typer(help="卡片生命周期 / The life of a card", no_args_is_help=True)

CardNo = Annotated[int, typer.Argument(metavar="CARD", help="卡号 card number")]


@life.command()
def show(card_no: CardNo) -> None:
    """一张卡的现状，以及现在可办的操作 A card as it stands, and what can be done with it now."""
    clerk = actor()
    from onecard.kernel.money import format_yuan
    from onecard.services.cards import api

    card = api.card(card_no, actor=clerk)
    state = api.State(card.state)
    until = card.valid_until or "无期限 no end"
    deposit = format_yuan(api.deposit_fen(card_no))
    typer.echo(
        f"卡号 card {card_no}  账号 account {card.account_no}  卡种 type {card.card_type.code}  序号 serial {card.serial or 0}"
    )
    typer.echo(f"状态 state: {state.label} {state.value}  有效期至 until: {until}  押金 deposit: {deposit}")
    typer.echo(f"介质 medium: {card.get_medium_display()}  序号 serial: {card.serial or '-'}")
    for operation in api.allowed(state):
        typer.echo(f"  {operation.value:<20}{operation.label}")


@life.command()
def operate(
    card_no: CardNo,
    operation: Annotated[str, typer.Argument(help="操作 operation, as `show` lists them")],
    reason: Reason = "",
    key: Key = "",
    holder: Annotated[int, typer.Option(help="持卡人编号 (register)")] = 0,
    card_type: Annotated[str, typer.Option("--type", help="卡种编码 (change_type)")] = "",
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="有效期至 (extend)")] = None,
    serial: Annotated[int, typer.Option(help="新卡序号 the new card's serial (replace, exchange)")] = 0,
    new_card: Annotated[int, typer.Option(help="新卡卡号，缺省自动取号 its number, else a new one")] = 0,
    medium: Annotated[str, typer.Option(help="新卡介质 its medium: UID QR")] = "UID",
    waive_fee: Annotated[bool, typer.Option("--waive-fee", help="免收费用")] = False,
    fee_from_purse: Annotated[bool, typer.Option("--fee-from-purse", help="从钱包扣费 the purse pays the fee")] = False,
    chip_counter: Annotated[int | None, typer.Option(help="卡内脱机序号 the chip's offline counter (return, carry_over)")] = None,
    chip_balance: Annotated[str | None, typer.Option(metavar="YUAN", help="卡内余额，元 the chip's balance")] = None,
    reader: Annotated[str | None, typer.Option(help="从 PC/SC 读卡器读出两者 read both from a card on that reader")] = None,
    virtual: Annotated[Path | None, typer.Option(help="从虚拟卡目录读出两者 read both from a folder of virtual cards")] = None,
) -> None:
    """办理一项操作；退卡时不读卡则不退芯片余额 Do an operation; a return pays no chip that was not read."""
    clerk = actor()
    from onecard.ledger.codes import Medium
    from onecard.services.cards import api

    wanted = api.Operation(operation) if operation in api.Operation.values else None
    if wanted not in api.TABLE:
        raise refusal(f"无此操作：{operation}", f"no such operation: {operation}")
    card = api.card(card_no, actor=clerk)
    renewal = None
    if wanted in (api.Operation.REPLACE, api.Operation.EXCHANGE):
        if medium.upper() not in Medium.__members__:
            raise refusal(f"无此介质：{medium}", f"no such medium: {medium}")
        on = Medium[medium.upper()]
        cards_renew.require_unwritten(on)
        number = new_card or api.new_numbers(card.operator_id, card.account_no, medium=on).card_no
        renewal = api.NewCard(number, on, serial or None)
    counter, balance_fen = cards_chip.reading(card_no, chip_counter, chip_balance, reader=reader, folder=virtual)
    details = api.Details(
        holder_id=holder or None,
        card_type_id=type_id(card_type) if card_type else None,
        valid_until=until.date() if until else None,
        new_card=renewal,
        fee_waived=waive_fee,
        fee_from_purse=fee_from_purse,
        chip_counter=counter,
        chip_balance_fen=balance_fen,
    )
    _tell_event(api.operate(card_no, operation, actor=clerk, reason=reason, key=key or None, details=details))


@life.command()
def undo(event: Annotated[int, typer.Argument(help="事件号 number of the event")], reason: Reason, key: Key = "") -> None:
    """撤销一项操作 Undo an operation: the money exactly back."""
    clerk = actor()
    from onecard.services.cards import api

    _tell_event(api.undo(event, actor=clerk, reason=reason, key=key or None))


@life.command()
def timeline(card_no: CardNo) -> None:
    """一张卡的全部经过 Everything of a card, oldest first."""
    clerk = actor()
    from onecard.kernel.business_day import PLATFORM_ZONE
    from onecard.services.cards import api

    for entry in api.timeline(card_no, actor=clerk):
        at = entry.at.astimezone(PLATFORM_ZONE)
        event = f"#{entry.event_id}" if entry.event_id else ""
        typer.echo(
            f"{at:%Y-%m-%d %H:%M:%S}  {entry.source:<8}{event:<8}{entry.title.zh} {entry.title.en}  {entry.detail.zh}"
            f"  {entry.actor}  {entry.reason}".rstrip()
        )


@life.command()
def table(
    write: Annotated[
        Path | None, typer.Option("--write", help="写入该文档的表格之处 put it into that page's place for it")
    ] = None,
) -> None:
    """状态 × 操作表 The table of states and operations that the code runs from."""
    from onecard.datacenter import dj

    dj.setup()
    from onecard.services.cards import lifepage

    if write is None:
        typer.echo(lifepage.render())
    else:
        write.write_text(lifepage.put(write.read_text(encoding="utf-8")), encoding="utf-8")


def _tell_event(event: "LifeEvent") -> None:
    from onecard.kernel.money import format_yuan
    from onecard.services.cards import api

    cash = "收 received" if event.cash_fen > 0 else "付 paid out"
    money = f"  {cash}: {format_yuan(abs(event.cash_fen))}" if event.cash_fen else ""
    other = f"  另一张卡 other card: {event.other_card}" if event.other_card else ""
    state = f"{event.get_state_after_display()} {event.state_after}"
    typer.echo(f"事件 event {event.pk}  {event.get_operation_display()}  {state}{money}{other}")
    note = api.chip_note(event)
    if note is not None:
        typer.echo(f"{note.zh}\n{note.en}")
