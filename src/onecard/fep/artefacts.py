"""The front-end's store of artefacts (D2): each is fetched once for the unit, checked against the signed repository, and served.

Terminals fetch through here what they would fetch from the platform. Metadata is served as it was checked; what this store has
not checked is passed on to the line, and the terminal checks it itself.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

from onecard.kernel.codes import Result
from onecard.kernel.errors import NotFound, OneCardError
from onecard.protocol.proto.device_pb2 import FetchReply
from onecard.terminal.upgrade.errors import NotTrusted
from onecard.terminal.upgrade.trusted import Target, TrustedRepository

_log = logging.getLogger(__name__)
_FRESH_S = 5.0
_REFRESH_S = 15.0
_MOST = 24
"""Files kept beside those of running roll-outs: lists and rules that terminals ask for one after another."""
AT_MOST = 512 << 20
_TARGET = re.compile(r"targets/(?P<folder>(?:[^/]+/)*)(?P<sha>[0-9a-f]{64})\.(?P<base>[^/]+)")


class Artefacts:
    """One repository in a folder of its own. `is_up` says whether the line can be asked."""

    def __init__(self, repository: TrustedRepository, *, is_up: Callable[[], bool]) -> None:
        self._repository = repository
        self._is_up = is_up
        self._ready: dict[bytes, tuple[Path, int]] = {}
        self._wanted: frozenset[bytes] = frozenset()
        self._fetching: dict[bytes, asyncio.Task[Path]] = {}
        self._refreshed_at = float("-inf")
        self._told = 0
        self._refreshing = asyncio.Lock()
        self.fetched = 0
        """Files that came over the line since the start."""

    async def stop(self) -> None:
        """Leave off fetching; it goes on where it stopped."""
        for task in self._fetching.values():
            task.cancel()
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)

    def want(self, hashes: frozenset[bytes]) -> None:
        """Keep these whatever else is asked for; drop what neither these nor terminals need."""
        self._wanted = hashes
        spare = [sha for sha in self._ready if sha not in hashes][:-_MOST]
        for sha in spare:
            del self._ready[sha]
        self._repository.keep_only(frozenset({*self._ready, *self._fetching, *hashes}))

    async def refresh(self, *, force: bool = False) -> None:
        """Look at the repository again, at most every few seconds. Raises NotTrusted, NoLine."""
        async with self._refreshing:
            now = asyncio.get_running_loop().time()
            if force or now - self._refreshed_at > _FRESH_S:
                told = self._told
                await self._repository.refresh()
                # What the platform has told of meanwhile may be newer than what has just come.
                self._refreshed_at = now if told == self._told else float("-inf")

    def forget_freshness(self) -> None:
        """The platform has new data: the next who asks looks at the repository again."""
        self._refreshed_at = float("-inf")
        self._told += 1

    async def find(self, path: str) -> Target:
        """What is signed of a target. Raises NoSuchFile, NotTrusted, NoLine."""
        return await self._repository.find(path)

    async def fetch(self, target: Target) -> Path:
        """The file, fetched once however many ask. Raises NoLine, NotTrusted, NoSuchFile."""
        ready = self._ready.get(target.sha256)
        if ready is not None and ready[0].exists():
            return ready[0]
        running = self._fetching.get(target.sha256)
        if running is None:
            running = asyncio.create_task(self._bring(target), name=f"artefact {target.path}")
            self._fetching[target.sha256] = running
            running.add_done_callback(lambda _: self._fetching.pop(target.sha256, None))
        return await asyncio.shield(running)

    async def serve(self, name: str, offset: int, length: int) -> FetchReply | None:
        """A part for a terminal; None: the line is to be asked."""
        asked = _TARGET.fullmatch(name)
        try:
            if asked is None:
                return await self._metadata(name, offset, length)
            target = await self.find(asked["folder"] + asked["base"])
            if target.sha256.hex() != asked["sha"]:
                return FetchReply(code=Result.NO_ORIGINAL)
            data = await asyncio.to_thread(_read, await self.fetch(target), offset, length)
        except NotFound:
            return None if self._is_up() else FetchReply(code=Result.NO_ORIGINAL)
        except NotTrusted as error:
            _log.warning("artefacts: %s", error.en)
            return FetchReply(code=Result.NO_ORIGINAL)
        except (OneCardError, OSError) as error:
            _log.info("artefacts: %s: %s", name, error)
            return FetchReply(code=Result.UNAVAILABLE)
        return FetchReply(code=Result.APPROVED, total=target.length, data=data)

    async def _metadata(self, name: str, offset: int, length: int) -> FetchReply | None:
        if not name.startswith("metadata/"):
            return None
        if name == "metadata/timestamp.json" and self._is_up():
            try:
                async with asyncio.timeout(_REFRESH_S):
                    await self.refresh()
            except (OneCardError, TimeoutError) as error:
                # The last one that was checked is served: whether it is too old, the terminal sees by its date.
                _log.info("artefacts: %s", error)
        content = await asyncio.to_thread(self._repository.metadata, name)
        if content is None:
            return None if self._is_up() else FetchReply(code=Result.NO_ORIGINAL)
        return FetchReply(code=Result.APPROVED, total=len(content), data=content[offset : offset + length])

    async def _bring(self, target: Target) -> Path:
        if target.length > AT_MOST:
            raise NotTrusted(f"{target.path}: {target.length} bytes")
        async with aclosing(self._repository.fill(target)) as filling:
            async for _ in filling:
                pass
        path = await self._repository.finish(target)
        self._ready[target.sha256] = (path, target.length)
        self.fetched += 1
        return path


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)
