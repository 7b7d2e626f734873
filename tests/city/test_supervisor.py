"""The supervisor with roles that are small commands of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onecard.city.lock import is_alive
from onecard.city.supervisor import Role, RoleFailed, Supervisor

_ROLE = """
import os, signal, sys, time, pathlib
note = pathlib.Path(sys.argv[1]).open("a", buffering=1)
def end(number, frame):
    note.write(f"{sys.argv[2]} stopped\\n"); sys.exit(0)
signal.signal(signal.SIGTERM, end)
note.write(f"{sys.argv[2]} started {os.getpid()}\\n")
while True: time.sleep(60)
"""
_MAIN = """
import sys, pathlib
from onecard.city import keeper, supervisor
from onecard.city.supervisor import Role, Supervisor
sup = Supervisor(log_dir=pathlib.Path(sys.argv[1]))
supervisor.child_words = lambda parent: [sys.executable, "-c", "import sys; from onecard.city.child import die_with_parent;"
    f"die_with_parent({parent}); exec(sys.argv.pop(1))"]
with sup.signals():
    sup.start(Role("a", (pathlib.Path(sys.argv[2]).read_text(), sys.argv[3], "a")))
    sup.run()
sup.stop(order=("a",))
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr("onecard.city.supervisor.child_words", lambda parent: [sys.executable, "-c"])
    made = Supervisor(log_dir=tmp_path / "log")
    yield made
    made.stop(order=())


def _lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def _role(notes: Path, name: str) -> Role:
    def is_ready() -> bool:
        return any(line.startswith(f"{name} started") for line in _lines(notes))

    return Role(name, (_ROLE, str(notes), name), is_ready=is_ready)


def _until(true: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


def test_roles_stop_in_the_order_asked_for(supervisor: Supervisor, notes: Path) -> None:
    for name in ("app", "gateway", "traffic"):
        supervisor.start(_role(notes, name))
    supervisor.stop(order=("gateway", "app"))
    assert _lines(notes)[3:] == ["traffic stopped", "gateway stopped", "app stopped"]


def test_a_role_that_dies_is_started_again(supervisor: Supervisor, notes: Path) -> None:
    supervisor.start(_role(notes, "app"))
    first = supervisor.pid("app")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    _until(lambda: supervisor.pid("app") is None)
    supervisor.run(until=time.monotonic() + 5, tick=lambda: setattr(supervisor, "stopping", len(_lines(notes)) == 2))
    assert supervisor.pid("app") not in (None, first)
    assert supervisor.restarts() == {"app": 1}


def test_a_role_that_ends_at_once_is_reported_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    with pytest.raises(RoleFailed, match="no such luck"):
        supervisor.start(Role("app", ("import sys; sys.exit('no such luck')",), is_ready=lambda: False))


def test_a_killed_supervisor_leaves_no_role_behind(tmp_path: Path, notes: Path) -> None:
    (tmp_path / "role.py").write_text(_ROLE)
    words = [sys.executable, "-c", _MAIN, str(tmp_path), str(tmp_path / "role.py"), str(notes)]
    with subprocess.Popen(words) as process:
        _until(lambda: bool(_lines(notes)))
        role = int(_lines(notes)[0].split()[-1])
        process.kill()
    _until(lambda: not is_alive(role))
    assert _lines(notes)[-1] == "a stopped"
