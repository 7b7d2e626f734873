"""The command's manners: quick help, one clear message for what is wrong, exit codes a script can rely on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onecard.cli.bench import BENCHES
from onecard.cli.dispatch import load
from onecard.cli.main import COMMANDS
from onecard.cli.serve import ROLES
from onecard.datacenter import dj
from onecard.datacenter.home import Home

NEVER_A_TRACEBACK = "Traceback (most recent call last)"


def onecard(*words: str, home: Home | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", **environment}
    if home is not None:
        variables["ONECARD_HOME"] = str(home.path)
    return subprocess.run([sys.executable, "-m", "onecard", *words], env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_the_front_page_lists_every_command_chinese_first(words: tuple[str, ...]) -> None:
    done = onecard(*words)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for name, entry in COMMANDS.items():
        at = next(number for number, line in enumerate(lines) if line.split(maxsplit=1)[:1] == [name])
        assert lines[at].endswith(entry.zh)
        assert lines[at + 1].strip() == entry.en
    assert max(map(len, lines)) <= 100


def test_the_front_page_imports_no_tier() -> None:
    program = (
        "import sys; from onecard.cli.main import _front_page; _front_page();"
        "print([name for name in ('django', 'psycopg', 'grpc', 'typer', 'rich', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_front_page_is_there_at_once() -> None:
    begun = time.monotonic()
    onecard("--help")
    assert time.monotonic() - begun < 5  # it takes some 0.07 s; the margin is for a machine at its limit


@pytest.mark.parametrize("target", sorted({entry.target for table in (COMMANDS, ROLES, BENCHES) for entry in table.values()}))
def test_every_word_leads_somewhere(target: str) -> None:
    dj.setup()
    assert load(target) is not None


@pytest.mark.parametrize("group", ["db", "ledger", "day", "city", "up", "replay", "fuzz", "serve", "bench", "version"])
def test_every_group_has_a_page_of_its_own(group: str) -> None:
    done = onecard(group, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert any("\u4e00" <= character <= "\u9fff" for character in done.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dbb",), "did you mean db?"),
        (("zzz",), "there is no command onecard zzz"),
        (("serve", "everything"), "there is no role everything"),
        (("bench", "nothing"), "there is no measurement nothing"),
        (("db", "restore", "/nowhere"), "/nowhere is not a backup"),
    ],
)
def test_what_is_wrong_is_said_in_both_languages_without_a_traceback(
    words: tuple[str, ...], said: str, new_home: Callable[[], Home]
) -> None:
    done = onecard(*words, home=new_home())
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "错误：" in done.stderr
    assert NEVER_A_TRACEBACK not in done.stderr


def test_a_wrong_option_shows_the_usage() -> None:
    done = onecard("db", "start", "--fast")
    assert done.returncode == 2
    assert "--fast" in done.stderr
    assert NEVER_A_TRACEBACK not in done.stderr


@pytest.mark.parametrize("value", ["nonsense", "host=/nowhere dbname=city", "postgresql://127.0.0.1:1/city"])
def test_a_database_out_of_reach_is_said_plainly(value: str) -> None:
    done = onecard("db", "status", ONECARD_DATABASE=value)
    assert done.returncode == 2
    assert done.stderr.startswith("错误：")
    assert NEVER_A_TRACEBACK not in done.stderr


def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    program = (
        "import sys, types, time; module = types.ModuleType('slow');\n"
        "def command():\n    print('ready', flush=True); time.sleep(60)\n"
        "module.command = command; sys.modules['slow'] = module\n"
        "from onecard.cli import main as front; from onecard.cli.dispatch import Entry\n"
        "front.COMMANDS['slow'] = Entry('慢', 'slow', 'slow:command'); front.main(['slow'])"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, wrong = process.communicate()
    assert process.returncode == 130
    assert NEVER_A_TRACEBACK not in wrong


def test_a_reader_that_leaves_early_is_no_error() -> None:
    line = f"{sys.executable} -m onecard --help | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_version_names_every_part() -> None:
    assert [line.split()[0] for line in onecard("version").stdout.splitlines()] == ["onecard", "python", "postgresql"]
    assert onecard("--version").stdout == onecard("version").stdout


@pytest.mark.skipif("ONECARD_TEST_DATABASE" in os.environ, reason="the tests run on a server of the distribution")
def test_a_data_centres_day(new_home: Callable[[], Home], tmp_path: Path) -> None:
    home = new_home()
    assert onecard("db", "status", home=home).returncode == 3
    started = onecard("db", "start", home=home)
    assert (started.returncode, "started" in started.stdout) == (0, True), started.stderr
    assert "running already" in onecard("db", "start", home=home).stdout
    assert onecard("db", "migrate", home=home).returncode == 0
    told = onecard("db", "psql", "--owner", "-Atc", "SELECT current_user, count(*) > 20 FROM django_migrations", home=home)
    assert told.stdout == "onecard_owner|t\n", told.stderr
    assert onecard("db", "psql", "-Atc", "SELECT current_user", home=home).stdout == "onecard_app\n"
    assert onecard("db", "backup", str(tmp_path / "backup"), home=home).returncode == 0
    refused = onecard("db", "restore", str(tmp_path / "backup"), home=home)
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    restored = onecard("db", "restore", str(tmp_path / "backup"), "--replace", home=home)
    assert restored.returncode == 0, restored.stderr
    status = onecard("db", "status", home=home)
    assert (status.returncode, str(home.pg_data) in status.stdout) == (0, True)
    assert "stopped" in onecard("db", "stop", home=home).stdout
    assert onecard("db", "status", home=home).returncode == 3
