"""`onecard ledger`: the books, for the person who answers for them: audit and statements."""

import re
from datetime import datetime
from typing import Annotated, Any

import typer

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.errors import InvalidInput
from onecard.kernel.money import format_yuan
from onecard.kernel.numbers import is_account_no, is_card_no

app = typer.Typer(no_args_is_help=True, add_completion=False, help="账务：审计与对账单。The books: audit and statements.")


@app.command()
def audit(
    quick: Annotated[bool, typer.Option("--quick", help="只审上次审计以来的部分 only what came since the last audit")] = False,
) -> None:
    """逐条核对账务不变式 Restates the ledger's numbered invariants; exit code 1, naming the row, where one is broken."""
    from onecard.ledger import audit as auditor

    def tell(check: auditor.Check) -> None:
        mark = "✗" if check.finding else "✓"
        typer.echo(f"{mark} {check.number:<4}{check.states.zh}  {check.states.en}  ({check.seconds:.1f} s)")
        if check.finding:
            typer.echo(f"     {check.finding.place}")
            typer.echo(f"     应为 expected: {check.finding.expected}\n     实为 found:    {check.finding.found}")

    with _connection() as connection:
        report = auditor.run(connection, full=not quick, progress=tell)
        heads = auditor.chain_heads(connection)
    typer.echo("哈希链末端，请另存他处 Heads of the hash chains, to be kept elsewhere:")
    for head in heads:
        typer.echo(f"  通道 lane {head.lane:>2}  批 batch {head.batch_no}  {head.hash.hex()}")
    typer.echo("账务无误 The books are in order" if report.ok else "账务有误 The books are NOT in order")
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def statement(
    number: Annotated[str, typer.Argument(metavar="ACCOUNT", help="账号或卡号 account or card number")],
    as_of: Annotated[str, typer.Option("--as-of", help="截至时刻，如 2026-05-01T12:00:00 (上海时间 Shanghai time)")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="行数 lines")] = 50,
) -> None:
    """账户对账单 The statement of an account as of any moment, newest first."""
    from onecard.ledger import balances
    from onecard.ledger.codes import KIND_TEXT, TransferKind

    moment = _moment(as_of) if as_of else None
    with _connection() as connection:
        account = _account_no(connection, number)
        lines = balances.statement(connection, account, as_of=moment, limit=limit)
        held = {line.unit_id: line.balance_fen for line in reversed(lines)} if moment else {}
        for purse in balances.purses(connection, account):
            fen = purse.balance_fen if moment is None else held.get(purse.unit_id, 0)
            name = "公共钱包 public purse" if purse.unit_id == 0 else f"私有钱包 private purse, 单位 unit {purse.unit_id}"
            typer.echo(f"{account}  {name}: {format_yuan(fen, grouped=True)}")
    for line in lines:
        kind = KIND_TEXT[TransferKind(line.kind)]
        posted = line.posted_at.astimezone(PLATFORM_ZONE)
        typer.echo(
            f"{posted:%Y-%m-%d %H:%M:%S}  {line.business_date}  {line.unit_id:>5}  {format_yuan(line.amount_fen):>12}"
            f"  {format_yuan(line.balance_fen):>12}  {kind.zh} {kind.en}  {line.terminal_id}/{line.terminal_seq}"
        )
    if not lines:
        typer.echo("无流水 No transfers")


def _connection() -> Any:
    import psycopg

    from onecard.datacenter import dsn, prepared

    prepared.start()
    return psycopg.connect(dsn.app_dsn(), autocommit=True)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"时刻无法识别：{text}", f"not a moment: {text}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=PLATFORM_ZONE)


def _account_no(connection: Any, text: str) -> int:
    number = int(text) if re.fullmatch(r"\d{1,16}", text, re.ASCII) else 0
    if is_card_no(number):
        row = connection.execute("SELECT account_no FROM ledger.card WHERE card_no = %s", (number,)).fetchone()
        number = row[0] if row else 0
    known = connection.execute("SELECT 1 FROM ledger.account WHERE account_no = %s", (number,)).fetchone()
    if not is_account_no(number) or known is None:
        raise InvalidInput(f"无此账号或卡号：{text}", f"no such account or card: {text}")
    return number
