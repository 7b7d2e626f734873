"""How files come to a device: parts over its own line, and the bridge that hands them to python-tuf, which is synchronous.

There is no HTTP here. Whoever has a line gives a `Fetch`; a front-end, a terminal and a test do it alike.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError as FutureCancelled
from dataclasses import dataclass
from typing import Protocol

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

from onecard.kernel.codes import Result
from onecard.kernel.errors import NotFound
from onecard.terminal.upgrade.errors import NoLine

PART_BYTES = 256 * 1024
"""How much is asked for at once; a Fetch frame may ask for twice that."""
PATIENCE_S = 60.0
"""How long one part may take: at the pace of an RS-485 bus it takes its time."""
SCHEME = "onecard:"


class Part(Protocol):
    """A part of a file, and the length of the whole."""

    @property
    def total(self) -> int: ...
    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class FilePart:
    """The plain form of a Part."""

    total: int
    data: bytes


Fetch = Callable[[str, int, int], Awaitable[Part | None]]
"""name, offset, length → the part; None (or NotFound) where there is no such file. `NativeClient.fetch` is one as it is."""


async def fetch_part(fetch: Fetch, name: str, offset: int, length: int) -> Part | None:
    """One part, of whatever kind of line. Raises NoLine."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            part = await fetch(name, offset, length)
    except NotFound:
        return None
    except Exception as error:  # whatever a line may raise
        raise NoLine(f"{name}: {error or type(error).__name__}") from error
    code = getattr(part, "code", Result.APPROVED)
    if code == Result.NO_ORIGINAL:
        return None
    if code != Result.APPROVED:
        raise NoLine(f"{name}: {code}")
    return part


class Bridge(FetcherInterface):
    """Lets python-tuf, in a thread, fetch over a line that lives in the event loop. `stop()` ends the fetch under way."""

    def __init__(self, fetch: Fetch, loop: asyncio.AbstractEventLoop) -> None:
        self._fetch_part = fetch
        self._loop = loop
        self._stopped = False
        self._under_way: asyncio.Task[Part | None] | None = None

    def stop(self) -> None:
        """Called in the loop: whatever the thread waits for ends at once."""
        self._stopped = True
        if self._under_way is not None:
            self._under_way.cancel()

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(SCHEME)
        first = self._part(name, 0)
        if first is None:
            raise DownloadHTTPError(f"no such file: {name}", 404)
        return self._rest(name, first)

    def _rest(self, name: str, part: Part) -> Iterator[bytes]:
        at, total = 0, part.total
        while True:
            if part.total != total or (at < total and not part.data):
                raise DownloadError(f"{name} changed or ended early at {at} of {total}")
            yield part.data  # more than was signed for is refused by the caller, who counts
            at += len(part.data)
            if at >= total:
                return
            following = self._part(name, at)
            if following is None:
                raise DownloadError(f"{name} went away at {at} of {total}")
            part = following

    def _part(self, name: str, offset: int) -> Part | None:
        if self._stopped:
            raise DownloadError("stopped")
        try:
            return asyncio.run_coroutine_threadsafe(self._ask(name, offset), self._loop).result()
        except FutureCancelled as error:
            raise DownloadError("stopped") from error
        except NoLine as error:
            raise DownloadError(error.en) from error

    async def _ask(self, name: str, offset: int) -> Part | None:
        self._under_way = asyncio.ensure_future(fetch_part(self._fetch_part, name, offset, PART_BYTES))
        try:
            return await self._under_way
        finally:
            self._under_way = None
