"""`onecard serve`: one role of the platform in the foreground, until SIGTERM or Ctrl-C drains it."""

import logging
import sys
from collections.abc import Sequence

from onecard.cli.dispatch import Entry, load, page, show, typer_main, wants_help
from onecard.kernel.errors import InvalidInput

# Each `run` states its options in its signature; what it writes to the log goes to stderr.
ROLES = {
    "gateway": Entry("统一接入网关：终端与前置机由此接入", "the unified access gateway", "onecard.gateway.server:run"),
    "app": Entry("应用服务器：受理并记账", "the application server", "onecard.appserver.server:run"),
    "web": Entry("管理中心网页", "the management centre in a browser", "onecard.consoles.server:run"),
    "worker": Entry(
        "后台任务：日切、清分、结算", "background work: day cut, clearing, settlement", "onecard.services.settlement.worker:run"
    ),
}
_NEEDS_DATABASE = {"app", "web", "worker"}


def main(words: Sequence[str]) -> None:
    """Run the role the words name."""
    if wants_help(words):
        show(f"用法 Usage: onecard serve 角色 [选项]    onecard serve 角色 --help\n\n{page(ROLES)}")
        return
    role = words[0]
    if role not in ROLES:
        raise InvalidInput(f"没有角色 {role}（{'、'.join(ROLES)}）", f"there is no role {role} ({', '.join(ROLES)})")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if role in _NEEDS_DATABASE and not {"-h", "--help"} & set(words):
        from onecard.datacenter import prepared

        prepared.ensure_embedded()
    typer_main(load(ROLES[role].target), words[1:], prog_name=f"onecard serve {role}")
