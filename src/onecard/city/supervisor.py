"""The supervisor: starts the roles of one machine, restarts one that dies, and stops them all in the right order.

Roles are children in sessions of their own, so that Ctrl-C reaches the supervisor alone; each is told by the kernel when the
supervisor is gone (`child.py`). What a role writes goes to its own log file. Nothing here knows the business.
"""

import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onecard.kernel.errors import Unavailable

log = logging.getLogger(__name__)
_BACKOFF_S = (0.3, 1.0, 2.0, 5.0, 10.0, 15.0)
_STEADY_AFTER_S = 10.0
_READY_POLL_S = 0.05


class RoleFailed(Unavailable):
    """A role ended before it was ready."""

    code = "CITY.ROLE_FAILED"


@dataclass(frozen=True, slots=True)
class Role:
    """What to run: `command` are the words after `onecard`; `is_ready` says whether it serves."""

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool] = lambda: True
    stop_timeout_s: float = 20.0
    environment: Mapping[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    """Words before the interpreter's: a role that lives in a network namespace."""


@dataclass(slots=True)
class _Child:
    role: Role
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0


class Supervisor:
    """Keeps a set of roles running. Use from one thread, inside `signals()` when Ctrl-C is to stop it."""

    def __init__(
        self, *, log_dir: Path, inherit_fds: Sequence[int] = (), on_restart: Callable[[str, int], None] | None = None
    ) -> None:
        self._log_dir = log_dir
        self._inherit_fds = tuple(inherit_fds)
        self._on_restart = on_restart
        self._children: dict[str, _Child] = {}
        self._watchers: list[Callable[[], None]] = []
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self.stopping = False

    def watch(self, check: Callable[[], None]) -> None:
        """Have `check` called about once a second while the supervisor runs (the database is looked after so)."""
        self._watchers.append(check)

    def start(self, role: Role, *, timeout_s: float = 60.0) -> None:
        """Start a role and wait until it serves. Raises RoleFailed, with the end of its log, when it ends or stays silent."""
        child = self.begin(role)
        deadline = time.monotonic() + timeout_s
        while not role.is_ready():
            assert child.process is not None
            if child.process.poll() is not None:
                raise self._failure(child, f"退出码 {child.process.returncode}", f"exit status {child.process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(child, f"{timeout_s:.0f} 秒内未就绪", f"not ready within {timeout_s:.0f} s")
            if self.stopping:
                return
            self._sleep(_READY_POLL_S)

    def begin(self, role: Role) -> "_Child":
        """Start a role without waiting for it."""
        assert role.name not in self._children, "role started twice"
        child = self._children[role.name] = _Child(role)
        self._spawn(child)
        return child

    def run(self, *, until: float | None = None, tick: Callable[[], None] | None = None) -> None:
        """Look after the roles until `stopping` is set (by a signal) or the monotonic moment `until` has come."""
        next_watch = 0.0
        while not self.stopping and (until is None or time.monotonic() < until):
            self.tend()
            if time.monotonic() >= next_watch:
                for check in self._watchers:
                    check()
                next_watch = time.monotonic() + 1.0
            if tick is not None:
                tick()
            self._sleep(0.2)

    def tend(self) -> None:
        """One look at every role: note the dead, start those whose waiting time is over."""
        now = time.monotonic()
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._note_death(child, now)
            if child.process is None and now >= child.due_at:
                self._spawn(child)

    @property
    def is_idle(self) -> bool:
        """Whether no role is in its care."""
        return not self._children

    def pid(self, name: str) -> int | None:
        """The process number of a role while it runs."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def restarts(self) -> dict[str, int]:
        """How often each role has died in a row without a steady time between."""
        return {name: child.failures for name, child in self._children.items()}

    def stop(self, *, order: Sequence[str]) -> None:
        """Stop the roles one after another, each with SIGTERM and, past its own time limit, SIGKILL."""
        self.stopping = True
        rest = [name for name in reversed(self._children) if name not in order]
        for name in (*rest, *order):
            child = self._children.pop(name, None)
            if child is not None and child.process is not None:
                _end(child.process, timeout_s=child.role.stop_timeout_s)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Inside, SIGINT, SIGTERM and SIGHUP set `stopping` and wake `run`."""

        def ask_to_stop(_number: int, _frame: object) -> None:
            self.stopping = True

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, ask_to_stop) for number in numbers}
        old_fd = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(old_fd)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _spawn(self, child: _Child) -> None:
        role = child.role
        self._log_dir.mkdir(parents=True, exist_ok=True)
        with (self._log_dir / f"{role.name}.log").open("ab") as sink:
            child.process = subprocess.Popen(
                [*role.wrapper, *child_words(os.getpid()), *role.command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **role.environment},
                pass_fds=self._inherit_fds,
                start_new_session=True,
            )
        child.started_at = time.monotonic()

    def _note_death(self, child: _Child, now: float) -> None:
        assert child.process is not None
        if now - child.started_at > _STEADY_AFTER_S:
            child.failures = 0
        delay = _BACKOFF_S[min(child.failures, len(_BACKOFF_S) - 1)]
        child.failures += 1
        child.due_at = now + delay
        log.warning("role %s ended with %s, starting again in %.1f s", child.role.name, child.process.returncode, delay)
        if self._on_restart is not None:
            self._on_restart(child.role.name, child.process.returncode)
        child.process = None

    def _failure(self, child: _Child, zh: str, en: str) -> RoleFailed:
        path = self._log_dir / f"{child.role.name}.log"
        tail = "\n".join(path.read_text("utf-8", "replace").splitlines()[-15:])
        name = child.role.name
        return RoleFailed(f"{name} 未能启动（{zh}），日志 {path}：\n{tail}\n", f"{name} did not start ({en}), see its log")

    def _sleep(self, seconds: float) -> None:
        if select.select([self._wake_read], [], [], seconds)[0]:
            os.read(self._wake_read, 512)


def child_words(parent_pid: int) -> list[str]:
    """What stands before a role's own words on its command line."""
    return [sys.executable, "-m", "onecard.city.child", str(parent_pid)]


def _end(process: subprocess.Popen[bytes], *, timeout_s: float) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        log.warning("process %d did not end within %.0f s: killed", process.pid, timeout_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
