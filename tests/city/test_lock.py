"""One city a home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onecard.city.lock import AlreadyRunning, HomeLock, is_alive, running_holder

_HOLD = """
import sys, pathlib
from onecard.city.lock import HomeLock
HomeLock(pathlib.Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def _holder(path: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", _HOLD, str(path)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_city_in_the_same_home_is_refused_and_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    with _holder(path) as first:
        assert running_holder(path) == first.pid
        with pytest.raises(AlreadyRunning, match=str(first.pid)):
            HomeLock(path).acquire(patience_s=0)
        first.stdin.close()  # type: ignore[union-attr]
        first.wait(10)
    assert running_holder(path) is None


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    with _holder(path) as first:
        first.kill()
        first.wait(10)
    lock = HomeLock(path)
    lock.acquire(patience_s=0)
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()
    assert path.read_text() == ""


def test_a_dead_process_nobody_waited_for_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process.pid)
    assert is_alive(os.getpid())
    assert not is_alive(0)
