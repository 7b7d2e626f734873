"""The command's front page and its manners: one clear message for what is wrong, exit code 2 for it, 130 for Ctrl-C."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from onecard import __version__
from onecard.cli.dispatch import Entry, call, page, show, wants_help
from onecard.kernel.errors import InvalidInput, OneCardError

_START = {
    "up": Entry(
        "在本机运行一座演示城市（Ctrl-C 停止，再次运行则继续）", "run a demonstration city on this machine", "onecard.cli.up:app"
    ),
    "replay": Entry(
        "把真实交易文件经网关送入，并日切、清分、结算", "send a file of real transactions through it", "onecard.cli.replay:app"
    ),
}
_OPERATE = {
    "db": Entry(
        "数据中心：启动、停止、备份、恢复、迁移", "the data centre: start, stop, back up, restore, migrate", "onecard.cli.db:app"
    ),
    "serve": Entry(
        "运行一个角色：gateway、app、web、worker", "run one role: gateway, app, web, worker", "onecard.cli.serve:main"
    ),
    "enrol": Entry(
        "登记前置机或终端（一次性登记码）", "enrol a front-end or terminal by its one-time code", "onecard.cli.enrol:enrol"
    ),
    "city": Entry("演示城市：建立与装载", "the demonstration city: make it, load it", "onecard.cli.city:app"),
    "ledger": Entry("账簿：审计、对账单", "the ledger: audit, statements", "onecard.cli.ledger:app"),
    "keys": Entry(
        "密钥：密钥库、分量仪式、SAM、双人控制", "keys: the vault, the ceremony, SAMs, dual control", "onecard.cli.keys:app"
    ),
    "cards": Entry("卡片：库存、制卡、生命周期", "cards: stock, personalisation, life cycle", "onecard.cli.cards:app"),
    "people": Entry("持卡人：批量导入", "cardholders: bulk loading", "onecard.cli.people:app"),
    "terminal": Entry(
        "终端模拟器：收银、门禁、考勤、自助机、表计", "terminals: pos, door, attendance, kiosk, meter", "onecard.cli.terminal:app"
    ),
    "rollout": Entry("远程升级：签名、发布、分批升级", "roll-outs: signing, releases, groups", "onecard.cli.rollout:app"),
    "day": Entry("营业日：日切、清分结算、结算单", "the business day: cut, settle, sheets", "onecard.cli.day:app"),
}
_PROVE = {
    "bench": Entry("性能测量，以 pgbench 为基准", "measure, against pgbench on the same server", "onecard.cli.bench:main"),
    "driver": Entry("驱动：列表、厂商自测、总线测量", "drivers: list, conformance kit, bus figures", "onecard.cli.driver:app"),
    "fuzz": Entry("用随机报文冲击解码器", "throw hostile bytes at the decoders", "onecard.cli.fuzz:app"),
    "test": Entry("运行全部检查与测试（./onecard test）", "run every check and test (./onecard test)", "onecard.cli.test:main"),
    "version": Entry("版本", "the versions of this program and of its parts", "onecard.cli.version:version"),
}
COMMANDS = _START | _OPERATE | _PROVE

_FRONT_PAGE = """\
城市一卡通 One-Card {version}

用法 Usage: onecard 命令 [选项]    onecard 命令 --help

从这里开始 Start here
{start}

运营 Operate
{operate}

验证 Prove
{prove}

数据目录 Data folder: {home}  (ONECARD_HOME)
数据库 Database: {database}  (ONECARD_DATABASE)"""


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process."""
    words = list(sys.argv[1:] if words is None else words)
    try:
        _run(words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        sys.stdout = None  # whoever read us is gone: nothing to flush, nothing to say
        code = 0
    except Exception as error:
        _complain(error)
        code = 2
    raise SystemExit(code)


def _run(words: list[str]) -> None:
    if wants_help(words) and len(words) <= 1:
        show(_front_page())
        return
    if words[0] in {"--version", "-V"}:
        words[0] = "version"
    elif words[0] == "help":
        words = [words[1], "--help", *words[2:]]
    try:
        call(COMMANDS, words, prog_name="onecard")
    except InvalidInput as error:
        if words[0] in COMMANDS:
            raise
        error.en += " (onecard --help)"
        raise


def _front_page() -> str:
    from onecard.datacenter.home import Home

    return _FRONT_PAGE.format(
        version=__version__,
        start=page(_START),
        operate=page(_OPERATE),
        prove=page(_PROVE),
        home=Home.from_environment().path,
        database="由 ONECARD_DATABASE 指定 given" if os.environ.get("ONECARD_DATABASE") else "内嵌 embedded",
    )


def _complain(error: Exception) -> None:
    """Say what is wrong in both languages; a traceback only for what nobody expected."""
    if isinstance(error, OneCardError):
        zh, en = error.zh, error.en
    elif _is_database_out_of_reach(error):
        zh = en = str(error).strip()
        zh = f"无法连接数据库：{zh}"
        en = "cannot reach the database"
    else:
        raise error
    sys.stderr.write(f"错误：{zh}\nerror: {en}\n")


def _is_database_out_of_reach(error: Exception) -> bool:
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.OperationalError)
