"""What the tests of roll-outs stand on: a vault, off-line keys, a repository, and a way to it without a line.

Tests are plain functions: the platform's part is called straight, a device's part runs in an event loop of its own (`run`), and
what it fetches is read by one thread with one connection.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import SuccinctRoles

from onecard.datacenter import dj
from onecard.datacenter.home import Home
from onecard.kernel.clock import ManualClock
from onecard.terminal.upgrade.fetching import FilePart
from onecard.terminal.upgrade.trusted import TrustedRepository
from tests.services.conftest import Tree

dj.setup()

from django.db import connections  # noqa: E402

from onecard.services.actors import Actor  # noqa: E402
from onecard.services.keys import api as keys  # noqa: E402
from onecard.services.rollouts import api, tufmetadata  # noqa: E402

KDF = keys.KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
PASSPHRASE = b"seven small boats at anchor"
ACTOR = Actor.system("test")
OTHER = Actor.system("other")


@dataclass
class Wire:
    """Fetches from the database as an application server does; a test may change what comes, and counts it."""

    threads: ThreadPoolExecutor
    asked: list[tuple[str, int]] = field(default_factory=list)
    instead: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    line_id: int | None = None
    broken: int = 0
    on_ask: Callable[[], None] = lambda: None

    async def fetch(self, name: str, offset: int, length: int) -> FilePart | None:
        if self.cut_after is not None and len(self.asked) >= self.cut_after:
            self.broken += 1
            raise ConnectionResetError("the line is down")
        self.asked.append((name, offset))
        self.on_ask()
        if name in self.instead:
            content = self.instead[name]
            return FilePart(len(content), content[offset : offset + length])
        loop = asyncio.get_running_loop()
        part = await loop.run_in_executor(self.threads, lambda: api.read_file(name, offset, length, line_id=self.line_id))
        return FilePart(part.total, part.data) if part else None


@dataclass
class House:
    """The city and its repository."""

    tree: Tree
    folder: Path
    root: bytes
    clock: ManualClock
    keys: Path
    threads: ThreadPoolExecutor

    def wire(self, line_id: int | None = None) -> Wire:
        return Wire(self.threads, line_id=line_id)

    def sign(self, proposed: bytes, *, role: str = "targets", by: tuple[int, ...] = (1, 3)) -> bytes:
        """Two people sign off line, one after the other, and it comes in."""
        for number in by:
            key = api.read_key_file(self.keys / f"{role}-{number}.pem", PASSPHRASE)
            proposed = api.sign_off_line(proposed, [key])
        api.accept(proposed, actor=ACTOR, clock=self.clock)
        return proposed

    def repository(self, name: str = "device", wire: Wire | None = None, *, root: bytes | None = None) -> TrustedRepository:
        return TrustedRepository(self.folder / name, (wire or self.wire()).fetch, root or self.root, clock=self.clock)


def release(house: House, kind: str, version: int, content: bytes, *, hardware=(), title: str = "a release"):
    """A release, handed in and signed by two of the holders of targets' keys."""
    made = api.add_release(kind, title, version=version, content=content, hardware_ids=hardware, actor=ACTOR, clock=house.clock)
    house.sign(api.propose_targets(actor=ACTOR, clock=house.clock))
    return api.get_release(made.pk)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@contextmanager
def open_house(tree: Tree, folder: Path, monkeypatch) -> Iterator[House]:
    monkeypatch.setenv("ONECARD_HOME", str(folder / "home"))
    bins = SuccinctRoles([], 1, 2, "unit")  # four of them are signed sooner than 128; clients read the number from the metadata
    monkeypatch.setattr(tufmetadata, "BINS", bins)
    monkeypatch.setattr(tufmetadata, "AUTOMATIC_ROLES", ("deny", "automatic", *bins.get_roles()))
    keys.close_vault()
    home = Home.from_environment()
    home.prepare()
    keys.init_demo(home, kdf=KDF, uses=())
    clock = ManualClock(datetime.now(UTC))
    root = api.init_repository(folder / "keys", PASSPHRASE, actor=ACTOR, clock=clock)
    with ThreadPoolExecutor(1) as threads:
        yield House(tree, folder, root, clock, folder / "keys", threads)
        threads.submit(connections.close_all).result()
    keys.close_vault()
