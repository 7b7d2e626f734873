"""Application server and gateway as the processes they are in a city, on the test's database and home."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from onecard.datacenter.home import Home
from tests.support.postgres import TestDatabase


@dataclass(frozen=True, slots=True)
class House:
    """Where the gateway listens."""

    native: int
    enrol: int
    log: Path


@contextmanager
def running(home: Home, database: TestDatabase, *, web: str = "") -> Iterator[House]:
    """Both processes, once the gateway has the authorised list; ended afterwards. `web` is where the web tier listens."""
    native, iso, metrics, enrol = free_ports(4)
    environment = {**database.environment, "ONECARD_APP_DATABASE": database.app_dsn, "ONECARD_HOME": str(home.path)}
    gateway = ["gateway", "--native-port", str(native), "--iso-port", str(iso), "--metrics-port", str(metrics)]
    gateway += ["--host", "127.0.0.1", "--enrol-port", str(enrol), *(["--web", web] if web else [])]
    log = home.path / "house.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("ab"))
        for words in (["app"], gateway):
            stack.enter_context(_process(words, environment, output.fileno()))
        until(lambda: _is_ready(metrics), 60, what=lambda: f"the gateway is not ready:\n{log.read_text()[-3000:]}")
        yield House(native, enrol, log)


@contextmanager
def front_end(folder: Path, gateway: int, *, browsers: int | None = None, over_tls: bool = False) -> Iterator[int]:
    """`onecard serve fep` on an enrolment folder; gives its port for terminals. `browsers`: its port for the workstation."""
    native, iso, metrics = free_ports(3)
    words = ["fep", "--home", str(folder), "--gateway", f"127.0.0.1:{gateway}", "--listen", "127.0.0.1"]
    words += ["--native-port", str(native), "--iso-port", str(iso), "--metrics-port", str(metrics)]
    words += ["--workstation-port", str(browsers or -1), "--workstation-listen", "127.0.0.1" if over_tls else ""]
    log = folder / "fep.log"
    with log.open("ab") as output, _process(words, {}, output.fileno()):
        yield native


def until(condition: Callable[[], object], within_s: float, *, what: Callable[[], str] = lambda: "") -> float:
    """Waits for a condition of another process, which nothing announces; gives how long that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < within_s, f"not within {within_s} s {what()}"
        time.sleep(0.05)
    return time.monotonic() - begin


@contextmanager
def _process(words: list[str], environment: dict[str, str], output: int) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "onecard", "serve", *words], env={**os.environ, **environment}, stdout=output, stderr=output
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
