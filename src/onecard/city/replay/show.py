"""What `onecard replay` prints."""

from rich.console import Console
from rich.table import Table

from onecard.city.replay.report import Report, Sum
from onecard.city.replay.send import Sent
from onecard.city.replay.staging import Staged
from onecard.kernel.codes import Result
from onecard.kernel.money import format_yuan


def show_staged(console: Console, staged: Staged) -> None:
    """Rows taken, rows not taken and why."""
    known = "（此前已登记 staged before）" if staged.is_known else ""
    _say(console, f"可上送 rows to send {staged.rows:,}{known}，不可上送 rows that can't be {staged.rejects.total():,}")
    for reason, count in staged.rejects.most_common():
        _say(console, f"  {count:>8,}  {reason}")
    if staged.rejects_path is not None:
        _say(console, f"  逐行清单 line by line: {staged.rejects_path}")


def show_sent(console: Console, sent: Sent, *, posted: int, is_known: bool) -> None:
    """What went through the gateway."""
    _say(
        console,
        f"经网关上送 sent through the gateway {sent.records:,} 笔 records / {sent.chunks} 批 chunks，"
        f"其中两次 of which twice {sent.doubled_chunks} 批 chunks（{sent.doubled_records:,} 笔 records）",
    )
    refused = {code: count for code, count in sorted(sent.codes.items()) if code}
    for code, count in refused.items():
        _say(console, f"  [red]{count:>8,}  {Result(code).name}[/]")
    if is_known and not posted:
        _say(
            console,
            "本文件此前已全部入账：均按重复应答，未再记账 all of it had been posted: every record was answered as a duplicate",
        )
    else:
        _say(console, f"新入账 newly posted {posted:,} 笔 records")


def show_report(console: Console, report: Report, problems: list[str], *, compared: bool) -> None:
    """The platform's counts and sums, and the verdict."""
    runs = "、".join(str(run) for run in report.runs)
    _table(console, f"按公司 by company（清分 clearing, run {runs}）", report.by_operator)
    _table(console, "按类型 by type（流水 journal）", report.by_type)
    _say(console, f"卡 cards {report.cards:,}，终端 terminals {report.terminals:,}")
    for reason, count in report.refused.items():
        _say(console, f"[red]未成功 not approved: {reason} × {count:,}[/]")
    for problem in problems:
        _say(console, f"[red]不符 difference: {problem}[/]")
    if not problems:
        _say(
            console,
            "[green]与给定合计逐项一致，分毫不差 every figure agrees to the cent[/]"
            if compared
            else "[green]清分与流水一致 clearing and journal agree[/]",
        )


def _table(console: Console, title: str, sums: dict[str, Sum]) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("笔数 rows", "收费笔数 charged", "金额 yuan"):
        table.add_column(heading, justify="right")
    rows = sorted(sums.items(), key=lambda item: (-item[1].amount_fen, item[0]))
    for name, each in rows:
        table.add_row(name, f"{each.rows:,}", f"{each.charged_rows:,}", format_yuan(each.amount_fen, grouped=True))
    table.add_section()
    total = [sum(getattr(each, key) for each in sums.values()) for key in ("rows", "charged_rows", "amount_fen")]
    table.add_row("合计 total", f"{total[0]:,}", f"{total[1]:,}", format_yuan(total[2], grouped=True))
    console.print(table)


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False)
