"""`onecard cards stock`: the stock's documents, what lies where, and the proof of it. `life` beside it is one card's life."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from onecard.cli.cards_life import life
from onecard.cli.cards_words import Key, Reason, actor, id_of, refusal, type_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onecard.services.cards.api import Serials, StockDocument

__all__ = ["life", "stock"]

_HELP = "库存：订货、入库、调拨、退库、作废 / Stock: order, receive, hand over, return, scrap"
stock = typer.Typer(help=_HELP, no_args_is_help=True)

Lines = Annotated[list[str], typer.Argument(metavar="TYPE:FIRST-LAST …", help="卡种编码:起始序号-终止序号 card type and serials")]
Supplier = Annotated[str, typer.Argument(help="供应商 supplier")]
Ordered = Annotated[list[str], typer.Argument(metavar="TYPE:QUANTITY …", help="卡种编码:数量 card type and quantity")]
Place = Annotated[str, typer.Argument(metavar="PLACE", help="centre | operator:编码 CODE | unit:编码 CODE | supplier:名称 NAME")]


@stock.command()
def order(supplier: Supplier, lines: Ordered, reason: Reason = "", key: Key = "") -> None:
    """向供应商订货 Order cards from a supplier."""
    clerk = actor()
    from onecard.services.cards import api

    asked = [api.Ordered(type_id(code), _number(rest)) for code, rest in map(_halves, lines)]
    _tell_document(api.order(supplier, asked, actor=clerk, reason=reason, key=key or None))


@stock.command()
def receive(
    supplier: Supplier,
    lines: Lines,
    order_no: Annotated[int, typer.Option("--order", help="订货单号 number of the order")] = 0,
    reason: Reason = "",
    key: Key = "",
) -> None:
    """入库 Receive cards at the city centre; never more than ordered, where an order is named."""
    clerk = actor()
    from onecard.services.cards import api

    made = api.receive(supplier, _serials(lines), actor=clerk, order_id=order_no or None, reason=reason, key=key or None)
    _tell_document(made)


@stock.command("hand-over")
def hand_over(source: Place, target: Place, lines: Lines, reason: Reason = "", key: Key = "") -> None:
    """调拨给运营单位或接入单位 Hand cards over to an operator or unit (local allocation, O2)."""
    clerk = actor()
    from onecard.services.cards import api

    made = api.hand_over(_place(source), _place(target), _serials(lines), actor=clerk, reason=reason, key=key or None)
    _tell_document(made)


@stock.command("return")
def return_(source: Place, target: Place, lines: Lines, reason: Reason = "", key: Key = "") -> None:
    """退库 Give cards back the way they came."""
    clerk = actor()
    from onecard.services.cards import api

    made = api.return_stock(_place(source), _place(target), _serials(lines), actor=clerk, reason=reason, key=key or None)
    _tell_document(made)


@stock.command()
def scrap(source: Place, lines: Lines, reason: Reason, key: Key = "") -> None:
    """作废空白卡 Scrap blanks; there is no way back."""
    clerk = actor()
    from onecard.services.cards import api

    _tell_document(api.scrap(_place(source), _serials(lines), actor=clerk, reason=reason, key=key or None))


@stock.command("list")
def list_(
    place: Annotated[str, typer.Argument(metavar="[PLACE]", help="列出该库位的号段 the ranges of one place")] = "",
) -> None:
    """各库位的数量，或一个库位的号段 How many cards lie where, or the serials in one place."""
    actor()
    from onecard.services.cards import api

    if not place:
        for level in api.levels():
            typer.echo(f"{level.place.pk:>5}  {_name(level.place):<24}  {level.card_type.code:<16}  {level.quantity:>10,}")
        return
    for held in api.ranges(_place(place)).select_related("card_type"):
        typer.echo(f"{held.card_type.code:<16}  {held.first} - {held.last}  ({held.last - held.first + 1:,})")


@stock.command()
def check() -> None:
    """核对库存、卡片与押金 Proves stock, cards and deposits; exit code 1, naming the row, where something is wrong."""
    actor()
    from onecard.services.cards import api

    broken = {finding.number: finding for finding in api.check()}
    for number, (states, _) in api.CHECKS.items():
        typer.echo(f"{'✗' if number in broken else '✓'} {number:<4}{states.zh}  {states.en}")
        if number in broken:
            finding = broken[number]
            typer.echo(f"     {finding.place}\n     应为 expected: {finding.expected}\n     实为 found:    {finding.found}")
    if broken:
        raise typer.Exit(1)


def _halves(line: str) -> tuple[str, str]:
    code, colon, rest = line.rpartition(":")
    if not colon or not code:
        raise refusal(f"明细无法识别：{line}", f"not a line: {line}")
    return code, rest


def _serials(lines: "Sequence[str]") -> "list[Serials]":
    from onecard.services.cards import api

    found = []
    for code, rest in map(_halves, lines):
        first, _, last = rest.partition("-")
        found.append(api.Serials(type_id(code), _number(first), _number(last or first)))
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise refusal(f"不是数字：{text}", f"not a number: {text}")
    return int(text)


def _place(text: str) -> int:
    """The id of a place as it is written on the command line. Raises InvalidInput."""
    from onecard.services.cards import api

    kind, _, name = text.partition(":")
    if text == "centre":
        return api.centre().pk
    if kind == "supplier" and name:
        return api.supplier(name).pk
    if kind == "operator":
        return api.operator_place(
            id_of("SELECT id FROM operators_operator WHERE code = %s", name, what=f"运营单位 operator {name}")
        ).pk
    if kind == "unit":
        return api.unit_place(id_of("SELECT id FROM operators_unit WHERE code = %s", name, what=f"接入单位 unit {name}")).pk
    raise refusal(f"无此库位：{text}", f"no such place: {text}")


def _name(place: Any) -> str:
    owner = place.operator or place.unit
    return f"{place.kind} {owner.code if owner else place.name}".strip()


def _tell_document(document: "StockDocument") -> None:
    typer.echo(f"单号 document {document.pk}  {document.get_kind_display()} {document.kind}")
