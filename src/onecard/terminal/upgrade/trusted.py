"""The signed repository as a device sees it (D2): nothing leaves here that the repository's keys have not signed.

TUF's client work flow (standards 6.1) by python-tuf: roll-back, freeze, mix-and-match, endless data and tampering are refused
with `NotTrusted`. Files come in parts over the device's own line, go on where they stopped, and are checked as a whole.
"""

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tuf.api import exceptions
from tuf.api.metadata import TargetFile  # type: ignore[attr-defined]
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.updater import Updater

from onecard.kernel.clock import Clock, SystemClock
from onecard.terminal.upgrade.errors import NoLine, NoSuchFile, NotTrusted
from onecard.terminal.upgrade.fetching import PART_BYTES, SCHEME, Bridge, Fetch, fetch_part
from onecard.terminal.upgrade.slots import sync

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_ROOT = "metadata/1.root.json"
_METADATA_AT_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """What the repository has signed of one file."""

    path: str
    length: int
    sha256: bytes
    custom: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name for Fetch: with the hash, so that a name stands for one content for ever."""
        folder, slash, base = self.path.rpartition("/")
        return f"targets/{folder}{slash}{self.sha256.hex()}.{base}"


@dataclass(slots=True)
class _InHand:
    """A file that somebody fetches or reads: how many, and how many of them go on using it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    keepers: int = 0


class TrustedRepository:
    """One device's view of the repository, kept in `folder` (one instance a folder). Who wants the same file at the same time
    waits for who began: a file is fetched by one at a time.

    `root` is the root the maker or the operator has put on the device. Without one, the first root that comes over the line is
    kept for good: the line is the platform's own by its certificate, and later roots need the signatures of this one.
    """

    def __init__(self, folder: Path, fetch: Fetch, root: bytes | None = None, *, clock: Clock | None = None) -> None:
        self._metadata = folder / "metadata"
        self._files = folder / "files"
        self._fetch = fetch
        self._root = root
        self._clock = clock or SystemClock()
        self._updater: Updater | None = None
        self._lock = asyncio.Lock()
        self._in_hand: dict[bytes, _InHand] = {}

    @property
    def timestamp_version(self) -> int:
        """Of the newest timestamp that was checked; 0: none since the start."""
        return self._updater._trusted_set.timestamp.version if self._updater else 0

    async def refresh(self) -> None:
        """Take the newest metadata. Raises NotTrusted, NoLine; then what was known stays known, and nothing new is."""
        async with self._lock:
            await self._refresh()

    async def find(self, path: str) -> Target:
        """What is signed of a target. Raises NoSuchFile, NotTrusted, NoLine."""
        async with self._lock:
            updater = self._updater or await self._refresh()
            info = await self._threaded(lambda bridge: _find(updater, bridge, path))
        if info is None:
            raise NoSuchFile(path)
        return Target(path, info.length, bytes.fromhex(info.hashes["sha256"]), dict(info.custom or {}))

    async def get(self, path: str, at_most: int) -> bytes:
        """The content of a small target, nothing of it kept that nobody else keeps. Raises as `find`, and NotTrusted where it is
        over `at_most`.
        """
        target = await self._find_small(path, at_most)
        kept = self._kept(target)
        async with self._alone(target, keeps=False) as hand:
            was_kept = kept.exists()
            async with aclosing(self._fill(target)) as filling:
                async for _ in filling:
                    pass
            done = await self._finish(target)
            try:
                return await asyncio.to_thread(done.read_bytes)
            finally:
                if not was_kept and not hand.keepers:
                    done.unlink(missing_ok=True)

    async def download(self, path: str, at_most: int) -> Path:
        """A file with the content of a target, in this folder until `forget`; goes on where an earlier call stopped."""
        target = await self._find_small(path, at_most)
        async with aclosing(self.fill(target)) as filling:
            async for _ in filling:
                pass
        return await self.finish(target)

    async def _find_small(self, path: str, at_most: int) -> Target:
        target = await self.find(path)
        if target.length > at_most:
            raise NotTrusted(f"{path}: {target.length} > {at_most}")
        return target

    async def fill(self, target: Target) -> AsyncGenerator[int, None]:
        """Fetch what is missing of a file; gives how many bytes are here, after each part.

        Raises NoLine, NoSuchFile, NotTrusted.
        """
        async with self._alone(target), aclosing(self._fill(target)) as filling:
            async for at in filling:
                yield at

    async def _fill(self, target: Target) -> AsyncGenerator[int, None]:
        self._files.mkdir(parents=True, exist_ok=True)
        if self._kept(target).exists():
            return
        part = self._kept(target).with_suffix(".part")
        at = await asyncio.to_thread(_begun, part, target)
        while at < target.length:
            piece = await self._piece(target, at)
            await asyncio.to_thread(_append, part, piece)
            at += len(piece)
            yield at
        if not target.length:
            await asyncio.to_thread(_append, part, b"")

    async def finish(self, target: Target) -> Path:
        """The whole file, proven by its hash. Raises NotTrusted: then nothing of it is kept."""
        async with self._alone(target):
            return await self._finish(target)

    async def _finish(self, target: Target) -> Path:
        done = self._kept(target)
        part = done.with_suffix(".part")
        if await asyncio.to_thread(_is_whole, done, target):
            return done
        if not await asyncio.to_thread(_is_whole, part, target):
            for file in (done, part):
                file.unlink(missing_ok=True)
            raise NotTrusted(f"{target.path}: not the signed content")
        part.replace(done)
        sync(self._files)
        return done

    def forget(self, target: Target) -> None:
        """Drop the file of a target, a begun one too; not while somebody fetches it."""
        if target.sha256 in self._in_hand:
            return
        for file in (self._kept(target), self._kept(target).with_suffix(".part")):
            file.unlink(missing_ok=True)

    def keep_only(self, hashes: frozenset[bytes]) -> None:
        """Drop every file but those with these hashes, and those that somebody fetches now."""
        named = {sha.hex() for sha in hashes | self._in_hand.keys()}
        for file in self._files.glob("*") if self._files.exists() else ():
            if file.stem not in named:
                file.unlink(missing_ok=True)

    def metadata(self, name: str) -> bytes | None:
        """A metadata file as it was checked ("timestamp.json", "3.root.json"); None: not here in that version."""
        number, _, rest = name.rpartition("/")[2].partition(".")
        if rest == "root.json":
            path = self._metadata / "root_history" / f"{number}.root.json"
            return path.read_bytes() if path.exists() else None
        role = number if rest == "json" else rest.removesuffix(".json")
        path = self._metadata / f"{role}.json"
        if not path.exists():
            return None
        content = path.read_bytes()
        if rest == "json":
            return content if role == "timestamp" else None
        return content if str(json.loads(content)["signed"]["version"]) == number else None

    @asynccontextmanager
    async def _alone(self, target: Target, *, keeps: bool = True) -> AsyncIterator[_InHand]:
        """One after another with the file of a target."""
        hand = self._in_hand.setdefault(target.sha256, _InHand())
        hand.users += 1
        hand.keepers += keeps
        try:
            async with hand.lock:
                yield hand
        finally:
            hand.users -= 1
            hand.keepers -= keeps
            if not hand.users:
                del self._in_hand[target.sha256]

    def _kept(self, target: Target) -> Path:
        return self._files / target.sha256.hex()

    async def _piece(self, target: Target, at: int) -> bytes:
        wanted = min(PART_BYTES, target.length - at)
        got = await fetch_part(self._fetch, target.name, at, wanted)
        if got is None:
            raise NoSuchFile(target.path)
        if got.total != target.length or not 0 < len(got.data) <= wanted:
            raise NotTrusted(f"{target.path}: {got.total}, {len(got.data)} != {target.length}")
        return got.data

    async def _refresh(self) -> Updater:
        if self._root is None:
            self._root = await self._first_root()
        root = self._root
        updater = await self._threaded(lambda bridge: self._updated(bridge, root))
        self._updater = updater
        return updater

    async def _first_root(self) -> bytes:
        kept = self._metadata / "root_history" / "1.root.json"
        if kept.exists():
            return kept.read_bytes()
        return await self._threaded(lambda bridge: bridge.download_bytes(SCHEME + FIRST_ROOT, _METADATA_AT_MOST))

    def _updated(self, bridge: Bridge, root: bytes) -> Updater:
        self._metadata.mkdir(parents=True, exist_ok=True)
        updater = Updater(
            str(self._metadata),
            f"{SCHEME}metadata/",
            target_base_url=f"{SCHEME}targets/",
            fetcher=bridge,
            config=UpdaterConfig(max_root_rotations=64),
            bootstrap=root,
        )
        updater._trusted_set.reference_time = self._clock.now()  # python-tuf takes no clock
        updater.refresh()
        self._settle()
        return updater

    def _settle(self) -> None:
        """What roll-back is measured by is on the disk before anything is taken: python-tuf itself does not sync."""
        for file in self._metadata.rglob("*.json"):
            sync(file)
        sync(self._metadata)

    async def _threaded(self, work: Callable[[Bridge], T]) -> T:
        """Run python-tuf in a thread; cut short, it ends before this does. Raises NotTrusted, NoLine."""
        loop = asyncio.get_running_loop()
        bridge = Bridge(self._fetch, loop)
        running = loop.run_in_executor(None, work, bridge)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            bridge.stop()
            await asyncio.wait([running])
            raise
        except exceptions.DownloadLengthMismatchError as error:
            raise NotTrusted(str(error)) from error
        except exceptions.DownloadError as error:
            raise NoLine(str(error)) from error
        except exceptions.RepositoryError as error:
            raise NotTrusted(f"{type(error).__name__}: {error}") from error


def _find(updater: Updater, bridge: Bridge, path: str) -> TargetFile | None:
    updater._fetcher = bridge  # each call has a bridge of its own, which can be stopped
    return updater.get_targetinfo(path)


def _is_whole(file: Path, target: Target) -> bool:
    if not file.exists() or file.stat().st_size != target.length:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest() == target.sha256


def _begun(part: Path, target: Target) -> int:
    """How much of a file is here; more than there can be is dropped."""
    at = part.stat().st_size if part.exists() else 0
    if at > target.length:
        part.unlink()
        return 0
    return at


def _append(file: Path, data: bytes) -> None:
    with file.open("ab") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
