"""A home of its own for the tests that run whole cities as commands; one for all of them, because making it takes seconds."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home


@dataclass(frozen=True)
class CityHome:
    """A home, and the command run in it."""

    home: Home

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ONECARD_")}
        return {**kept, "ONECARD_HOME": str(self.home.path), "COLUMNS": "200"}

    @contextmanager
    def start(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """The command, running, with what it says in a pipe; killed at the end if it still runs (its roles end with it)."""
        with subprocess.Popen(
            [sys.executable, "-m", "onecard", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, *words: str, timeout_s: float = 120) -> tuple[int, str]:
        """The command, to its end: exit code and what it said."""
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=timeout_s)
        return process.returncode, said

    def processes(self) -> list[str]:
        """Every process on this machine that was started in this home or names it."""
        mark = os.fsencode(str(self.home.path))
        return [found for pid in _pids() if (found := _describe(pid, mark))]


def wait_for_line(process: "subprocess.Popen[str]", text: str) -> Sequence[str]:
    """What the process says up to a line with a text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was never said:\n{''.join(lines)}")


@pytest.fixture(scope="session")
def city() -> Iterator[CityHome]:
    folder = Path(tempfile.mkdtemp(prefix="onecard-city-"))
    folder.chmod(0o711)
    made = CityHome(Home(folder / "home"))
    yield made
    EmbeddedServer(made.home).stop(immediate=True)
    shutil.rmtree(folder, ignore_errors=True)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]


def _describe(pid: int, mark: bytes) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        started_here = mark in command or mark in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return ""
    return f"{pid} {command.replace(bytes(1), b' ').decode(errors='replace')}" if started_here and command else ""
