"""`onecard bench`: each measurement is its area's own; here is only the list of them and the two options they share."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from onecard.cli.dispatch import Entry, load, page, show, typer_main, wants_help
from onecard.kernel.errors import InvalidInput

BENCHES = {
    "post": Entry("只测账簿：记账函数", "the ledger alone: the posting function", "onecard.ledger.bench:run"),
    "purchase": Entry(
        "联机消费，全程（ISO 8583，TLS）", "on-line purchases through every tier", "onecard.city.bench_purchase:run"
    ),
    "advice": Entry("脱机流水成批上送（自有协议）", "offline records in batches, native driver", "onecard.city.bench_advice:run"),
    "fep": Entry("前置机：大小、内存、脱机决定", "a front-end: size, memory, offline decisions", "onecard.fep.bench:run"),
    "access": Entry(
        "接入层：一万六千台前置机、名单、补传、脱机决定",
        "the access tier: 16,320 front-ends and what they do",
        "onecard.city.bench_access:run",
    ),
    "tac": Entry("TAC 分散与校验", "deriving card keys and verifying TACs", "onecard.services.keys.bench:run"),
    "people": Entry("三十万持卡人批量导入", "loading 300,000 cardholders", "onecard.services.people.bench:run"),
    "clear": Entry("一百万笔清分与结算", "clearing and settling a million transactions", "onecard.services.settlement.bench:run"),
}
_PAGE = """用法 Usage: onecard bench 项目 [--quick] [--json]

{page}

  --quick   几秒内得出粗略结果 rough figures in seconds
  --json    末行为一个 JSON 对象 one JSON object as the last line"""


def main(words: Sequence[str]) -> None:
    """Run the measurement the words name."""
    if wants_help(words):
        show(_PAGE.format(page=page(BENCHES)))
        return
    name = words[0]
    if name not in BENCHES:
        raise InvalidInput(
            f"没有测量项目 {name}（{'、'.join(BENCHES)}）", f"there is no measurement {name} ({', '.join(BENCHES)})"
        )
    typer_main(_with_flags(load(BENCHES[name].target)), words[1:], prog_name=f"onecard bench {name}")


def _with_flags(run: Callable[..., None]) -> Callable[..., None]:
    """The same function with `json` and `quick` off unless said otherwise, as Typer reads it from a signature."""

    @functools.wraps(run)
    def command(**given: Any) -> None:
        run(**given)

    signature = inspect.signature(run)
    parameters = [
        parameter.replace(default=False) if name in {"json", "quick"} and parameter.default is parameter.empty else parameter
        for name, parameter in signature.parameters.items()
    ]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command
