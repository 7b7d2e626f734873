"""`./onecard`: plain POSIX shell, the environment made once and left alone where it serves."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHELL_FILES = [
    ROOT / "onecard",
    ROOT / ".ci" / "run",
    *(file for file in sorted((ROOT / "scripts").iterdir()) if file.read_bytes().startswith((b"#!/bin/sh", b"# Sourced"))),
]


@pytest.mark.parametrize("file", SHELL_FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("shell", ["sh", "dash", "bash --posix"])
def test_every_script_is_posix_shell(shell: str, file: Path) -> None:
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([*shell.split(), "-n", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file", SHELL_FILES, ids=lambda file: file.name)
def test_every_script_stops_at_the_first_failure_and_names_no_host(file: Path) -> None:
    text = file.read_text()
    assert "set -eu" in text or text.startswith("# Sourced")
    assert "http" not in text
    assert file.name == "common.sh" or os.access(file, os.X_OK)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the launcher needs, with an environment that looks made and is the one the tests run in."""
    for name in ("onecard", "requirements", "src"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    environment = tmp_path / ".venv"
    environment.mkdir()
    (environment / "bin").mkdir()
    (environment / "bin" / "python").write_text(f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    (environment / "bin" / "python").chmod(0o755)
    return tmp_path


def stamp(checkout: Path) -> Path:
    file = checkout / ".venv" / "onecard-runtime"
    file.write_text(hashlib.sha256((checkout / "requirements" / "runtime.lock").read_bytes()).hexdigest() + "\n")
    return file


def launch(checkout: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(
        [str(checkout / "onecard"), *words], env=variables, capture_output=True, text=True, check=False, cwd="/"
    )


def test_an_environment_of_this_lock_is_used_as_it_is(checkout: Path) -> None:
    stamp(checkout)
    done = launch(checkout, "version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("onecard 0.1.0\n")


def test_the_commands_exit_code_is_the_launchers(checkout: Path) -> None:
    stamp(checkout)
    assert launch(checkout, "nonsense").returncode == 2


def test_an_old_lock_or_no_python_is_noticed(checkout: Path) -> None:
    stamp(checkout).write_text("of another lock\n")
    done = launch(checkout, "version", ONECARD_PYTHON="/bin/true-python")
    assert done.returncode == 1
    assert "ONECARD_PYTHON=/bin/true-python" in done.stderr
    assert "is not Python 3.11 or newer" in done.stderr


def test_it_works_through_a_link_and_with_spaces_in_the_path(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    stamp(checkout)
    spaced = tmp_path_factory.mktemp("with") / "a space"
    spaced.symlink_to(checkout)
    assert launch(spaced, "version").returncode == 0
