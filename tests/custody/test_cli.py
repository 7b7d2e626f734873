"""`onecard keys` from an empty vault to an active key and a SAM at work, as people type it: hidden input on a terminal."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.contrib.auth.models import User

from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.custody.components import Component, Scheme, check_of, format_component
from onecard.services.keys.models import Key
from onecard.services.keys.models.custody import Ceremony, KeyRequest
from tests.custody.conftest import PASSWORD
from tests.custody.terminal import Answer, converse
from tests.support.postgres import TestDatabase

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def run(database: TestDatabase, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**database.environment, "ONECARD_APP_DATABASE": database.app_dsn, "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "onecard", "keys", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def check_on_sheet(shown: str) -> str:
    """Who is given a component reads its check value off the screen."""
    found = re.search(r"check value: ([0-9A-F]{6})", shown)
    assert found is not None, shown
    return found[1]


def as_(name: str, *more: tuple[str, Answer]) -> list[tuple[str, Answer]]:
    return [(f"{name} 的密码", PASSWORD), *more]


def test_from_an_empty_vault_to_an_active_key(
    database: TestDatabase, officers: Callable[..., list[User]], passphrase: Path, tmp_path: Path
) -> None:
    officers("chen", "zhang", "li")
    assert run(database, "init").returncode == 0
    code, shown = converse(
        database,
        ["keys", "ceremony", "open", "purchase", "--scheme", "xor2", "--custodians", "zhang,li", "--user", "chen"],
        as_("chen"),
    )
    assert (code, "收集分量" in shown) == (0, True), shown
    number = str(Ceremony.objects.get().pk)

    sheet = format_component(Scheme(2, 2), Component(1, KEY), tag=int(number))
    code, shown = converse(
        database,
        ["keys", "ceremony", "enter", number, "--user", "zhang"],
        as_("zhang", ("分量", sheet), ("校验值", check_of(Algorithm.DES3, KEY))),
    )
    assert (code, "校验值相符" in shown) == (0, True), shown
    assert sheet not in shown, "what is typed is not shown"
    assert PASSWORD not in shown

    code, shown = converse(
        database, ["keys", "ceremony", "enter", number, "--make", "--user", "li"], as_("li", ("已抄写", check_on_sheet))
    )
    assert (code, "已确认" in shown) == (0, True), shown
    code, shown = converse(database, ["keys", "ceremony", "finish", number, "--user", "chen"], as_("chen"))
    key = Key.objects.get()
    assert (code, f"KCV {bytes(key.kcv).hex().upper()}" in shown) == (0, True), shown

    code, shown = converse(
        database, ["keys", "request", "activate", str(key.pk), "--reason", "go live", "--user", "chen"], as_("chen")
    )
    assert code == 0, shown
    request = str(KeyRequest.objects.get().pk)
    code, shown = converse(database, ["keys", "approve", request, "--user", "chen"], as_("chen"))
    assert (code, "who asks does not decide" in shown) == (2, True), shown
    code, shown = converse(database, ["keys", "approve", request, "--user", "zhang"], as_("zhang"))
    assert (code, "chen → zhang" in shown) == (0, True), shown
    assert Key.objects.get().state == "active"

    assert " active" in run(database, "status").stdout
    usage = run(database, "usage").stdout
    assert "chen+zhang" in usage, "both names stand in the log of uses"
    assert run(database, "usage", "verify").stdout.startswith("完整 whole: ")
    file = tmp_path / "transcript.json"
    assert run(database, "transcript", "export", number, "--out", str(file)).returncode == 0
    assert "签名有效" in run(database, "transcript", "verify", str(file)).stdout
    file.write_text(file.read_text().replace("zhang", "zheng"))
    assert run(database, "transcript", "verify", str(file)).returncode == 2
    public = json.loads(file.read_text())["signature"]["public_key"]
    assert run(database, "transcript", "verify", str(file), "--key", public).returncode == 2


def test_a_wrong_password_and_a_pipe_are_refused(database: TestDatabase, officers: Callable[..., list[User]]) -> None:
    officers("chen")
    code, shown = converse(
        database, ["keys", "request", "activate", "1", "--reason", "x", "--user", "chen"], [("的密码", "wrong")]
    )
    assert (code, "wrong user name or password" in shown) == (2, True), shown
    piped = run(database, "request", "activate", "1", "--reason", "x", "--user", "chen")
    assert (piped.returncode, "needs a terminal" in piped.stderr) == (2, True)


def test_a_module_is_ordered_taken_in_and_blocked(database: TestDatabase, django_database: TestDatabase) -> None:
    ordered = run(database, "sam", "order", "2", "--ref", "PO-1", "--first", "00000000A001").stdout.split()
    assert ordered == ["00000000A001", "00000000A002"]
    assert run(database, "sam", "receive", "CHIP0001", "--ref", "PO-1").stdout.split() == ["00000000A001", "CHIP0001"]
    assert run(database, "sam", "block", "00000000A001", "--reason", "stolen").returncode == 0
    assert re.search(r"00000000A001\s+CHIP0001\s+已停用 blocked", run(database, "sam", "list").stdout)
    refused = run(database, "sam", "bind", "00000000A002", "10000001")
    assert (refused.returncode, "no such terminal" in refused.stderr) == (2, True)
