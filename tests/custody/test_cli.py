"""`onecard keys` from an empty vault to an active key and a SAM at work, as people type it: hidden input on a terminal."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from typer.testing import CliRunner, Result

from onecard.cli import signin
from onecard.cli.db import app as db_app
from onecard.cli.keys import app
from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput, OneCardError, RuleViolated
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.api import Vault, close_vault
from onecard.services.keys.custody.components import Component, Scheme, check_of, format_component
from onecard.services.keys.models import Key
from onecard.services.keys.models.custody import Ceremony, KeyRequest
from tests.custody.conftest import PASSWORD
from tests.custody.terminal import converse
from tests.support.postgres import TestDatabase

Officers = Callable[..., list[User]]
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def run(*words: str) -> Result:
    """A command that asks for nothing, in this process."""
    result = CliRunner().invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, (OneCardError, SystemExit)), result.exception
    return result


@pytest.fixture
def run_as(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command by somebody who signs in, in this process; how a password is asked for is tested on real terminals."""

    def run_signed_in(name: str, *words: str) -> Result:
        monkeypatch.setattr(signin, "ask_hidden", lambda _prompt: PASSWORD)
        return run(*words, "--user", name)

    return run_signed_in


def check_on_sheet(shown: str) -> str:
    """Who is given a component reads its check value off the screen."""
    found = re.search(r"check value: ([0-9A-F]{6})", shown)
    assert found is not None, shown
    return found[1]


def test_from_an_empty_vault_to_an_active_key(
    database: TestDatabase, officers: Officers, passphrase: Path, run_as: Callable[..., Result], tmp_path: Path
) -> None:
    officers("chen", "zhang", "li")
    assert run("init").exit_code == 0
    opened = run_as("chen", "ceremony", "open", "purchase", "--scheme", "xor2", "--custodians", "zhang,li")
    assert "收集分量" in opened.output
    number = str(Ceremony.objects.get().pk)

    sheet = format_component(Scheme(2, 2), Component(1, KEY), tag=int(number))
    code, shown = converse(
        database,
        ["keys", "ceremony", "enter", number, "--user", "zhang"],
        [("zhang 的密码", PASSWORD), ("分量", sheet), ("校验值", check_of(Algorithm.DES3, KEY))],
    )
    assert (code, "校验值相符" in shown) == (0, True), shown
    assert sheet not in shown, "what is typed is not shown"
    assert PASSWORD not in shown
    code, shown = converse(
        database,
        ["keys", "ceremony", "enter", number, "--make", "--user", "li"],
        [("li 的密码", PASSWORD), ("已抄写", check_on_sheet)],
    )
    assert (code, "已确认" in shown) == (0, True), shown

    finished = run_as("chen", "ceremony", "finish", number)
    key = Key.objects.get()
    assert f"KCV {bytes(key.kcv).hex().upper()}" in finished.output
    assert run_as("chen", "request", "activate", str(key.pk), "--reason", "go live").exit_code == 0
    request = str(KeyRequest.objects.get().pk)
    assert "who asks does not decide" in str(run_as("chen", "approve", request).exception)
    assert "chen → zhang" in run_as("zhang", "approve", request).output
    assert Key.objects.get().state == "active"

    assert " active" in run("status").output
    assert "chen+zhang" in run("usage").output, "both names stand in the log of uses"
    assert run("usage", "verify").output.startswith("完整 whole: ")
    file = tmp_path / "transcript.json"
    assert run("transcript", "export", number, "--out", str(file)).exit_code == 0
    assert "签名有效" in run("transcript", "verify", str(file)).output
    public = json.loads(file.read_text())["signature"]["public_key"]
    assert "签名有效" in run("transcript", "verify", str(file), "--key", public).output
    assert run("transcript", "verify", str(file), "--key", "00" * 32).exit_code != 0
    file.write_text(file.read_text().replace("zhang", "zheng"))
    assert isinstance(run("transcript", "verify", str(file)).exception, InvalidInput)


def test_a_wrong_password_and_a_pipe_are_refused(database: TestDatabase, officers: Officers) -> None:
    officers("chen")
    words = ["keys", "request", "activate", "1", "--reason", "x", "--user", "chen"]
    code, shown = converse(database, words, [("的密码", "wrong")])
    assert (code, "wrong user name or password" in shown) == (2, True), shown
    with pytest.raises(InvalidInput, match="needs a terminal"):
        signin.ask_hidden("")


def test_a_module_is_ordered_taken_in_and_blocked(django_database: TestDatabase) -> None:
    ordered = run("sam", "order", "2", "--ref", "PO-1", "--first", "00000000A001").output.split()
    assert ordered == ["00000000A001", "00000000A002"]
    assert run("sam", "receive", "CHIP0001", "--ref", "PO-1").output.split() == ["00000000A001", "CHIP0001"]
    assert run("sam", "block", "00000000A001", "--reason", "stolen").exit_code == 0
    assert re.search(r"00000000A001\s+CHIP0001\s+已停用 blocked", run("sam", "list").output)
    assert "no such terminal" in str(run("sam", "bind", "00000000A002", "10000001").exception)


def test_a_virtual_module_in_a_file_is_personalised(django_database: TestDatabase, home_of_demo: Path, tmp_path: Path) -> None:
    """With the demonstration's vault, as `docs/keys.md` begins."""
    assert run("init", "--demo").exit_code == 0
    file = tmp_path / "module.sam"
    assert run("sam", "virtual", str(file)).exit_code == 0
    assert "there already" in str(run("sam", "virtual", str(file)).exception)
    run("sam", "order", "1", "--ref", "PO-1")
    run("sam", "receive", "CHIP0001", "--ref", "PO-1")
    done = run("sam", "personalise", "000000000001", "--virtual", str(file))
    assert (done.exit_code, "已个人化" in done.output) == (0, True), done.output


@pytest.fixture
def home_of_demo(new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of the test's own, where no other vault's passphrase lies."""
    home = new_home()
    home.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(home.path))
    for name in ("CREDENTIALS_DIRECTORY", "ONECARD_VAULT_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    yield home.path
    close_vault()


def test_a_real_vault_becomes_no_demonstration(database: TestDatabase, django_database: TestDatabase, passphrase: Path) -> None:
    assert run("init").exit_code == 0
    refusal = run("init", "--demo").exception
    assert isinstance(refusal, RuleViolated)
    assert refusal.rule == "K4"
    close_vault()


def test_files_that_are_none_are_refused_in_words(django_database: TestDatabase, vault: Vault, tmp_path: Path) -> None:
    binary, text = tmp_path / "binary", tmp_path / "text"
    binary.write_bytes(b"\x80\xff\x00")
    text.write_text('{"a": 1}')
    run("sam", "order", "1", "--ref", "PO-1")
    run("sam", "receive", "CHIP0001", "--ref", "PO-1")
    for file in (binary, text):
        assert isinstance(run("transcript", "verify", str(file)).exception, InvalidInput)
        refusal = run("sam", "personalise", "000000000001", "--virtual", str(file)).exception
        assert isinstance(refusal, InvalidInput)
        assert "no file of a virtual SAM" in str(refusal)


def test_a_transcript_that_cannot_be_written_is_said_so(monkeypatch: pytest.MonkeyPatch, django_database: TestDatabase) -> None:
    monkeypatch.setattr("onecard.services.keys.custody.transcript.dump", lambda _ceremony: "text")
    refusal = run("transcript", "export", "1", "--out", "/nonexistent/x").exception
    assert isinstance(refusal, InvalidInput)
    assert "cannot write" in str(refusal)


def test_what_was_done_to_a_module_is_shown(django_database: TestDatabase) -> None:
    run("sam", "order", "1", "--ref", "PO-1")
    run("sam", "receive", "CHIP0001", "--ref", "PO-1")
    assert "000000000001  已停用 blocked" in run("sam", "block", "000000000001", "--reason", "x").output
    assert "000000000001  已报废 scrapped" in run("sam", "scrap", "000000000001", "--reason", "x").output
    assert "no such state: nonsense (ordered, received" in str(run("sam", "list", "--state", "nonsense").exception)


def test_a_new_officer_chooses_a_password_at_the_first_sign_in(database: TestDatabase, vault: Vault) -> None:
    made = CliRunner().invoke(db_app, ["admin", "Chen", "--role", "key-officer"])
    assert made.exit_code == 0, made.output
    once = made.output.split()[-1]
    assert "there is such a user" in str(CliRunner().invoke(db_app, ["admin", "chen"]).exception)
    assert "no such role" in str(CliRunner().invoke(db_app, ["admin", "li", "--role", "king"]).exception)
    words = ["keys", "rotate", "purchase", "--user", "Chen"]
    code, shown = converse(database, words, [("的密码", once), ("choose a password", "12345"), ("once more", "12345")])
    assert code != 0, shown
    code, shown = converse(database, words, [("的密码", once), ("choose a password", PASSWORD), ("once more", PASSWORD)])
    assert (code, "purchase v1" in shown) == (0, True), shown
    code, shown = converse(database, words, [("的密码", PASSWORD)])
    assert (code, "purchase v2" in shown) == (0, True), shown
