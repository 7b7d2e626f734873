"""Files of the signed repository on their way to devices: fetched from an application server in blocks, once for all lines.

What can't change under its name (targets, and metadata with a version in its name) stays in memory up to a bound. The rest
(timestamp.json, and what does not exist yet) is kept for a second, and forgotten when the platform says that data has changed.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.apps import AppServers
from onecard.kernel.codes import Result
from onecard.protocol.proto.app_pb2 import FetchFileCall
from onecard.protocol.proto.device_pb2 import FetchReply

BLOCK_BYTES = 262_144
_CALL_S = 8.0
_BRIEF_S = 1.0
_CALLS = 16
_IMMUTABLE = re.compile(r"targets/.+|metadata/(?:.+/)?[0-9]+\.[^/]+")
_OF_ONE = re.compile(r"targets/(?:(?:rules|cards)/(?P<unit>[^/]+)|parameters/(?P<line>[^/]+))/.+")
_Key = tuple[str, int]
"""Name, number of the block."""


@dataclass(frozen=True, slots=True)
class _Block:
    code: int
    total: int
    data: bytes
    until: float

    @property
    def weight(self) -> int:
        return len(self.data) + 200


class Files:
    """The cache and the calls; several lines that ask for the same block wait for one call."""

    def __init__(self, apps: AppServers, *, cache_bytes: int, clock_s: Callable[[], float] | None = None) -> None:
        self._apps = apps
        self._bound = cache_bytes
        self._now = clock_s or asyncio.get_running_loop().time
        self._kept: OrderedDict[_Key, _Block] = OrderedDict()
        self._coming: dict[_Key, asyncio.Task[_Block]] = {}
        self._calls = asyncio.Semaphore(_CALLS)
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    async def fetch(self, line: AdmittedLine, name: str, *, offset: int, length: int) -> FetchReply:
        """A part, cut at the end of the file. Raises AppUnavailableError, AppBusyError."""
        # The blocks are everybody's: whose file it is has to be looked at here, and not only where it comes from (N3).
        owner = _OF_ONE.fullmatch(name)
        if owner is not None and owner["unit"] != str(line.unit_id) and owner["line"] != str(line.line_id):
            return FetchReply(code=Result.NO_ORIGINAL)
        first = await self._block(line.line_id, name, offset // BLOCK_BYTES)
        if first.code != Result.APPROVED:
            return FetchReply(code=first.code)
        end = min(offset + length, first.total)
        parts = [first.data[offset % BLOCK_BYTES :][: max(0, end - offset)]]
        for number in range(offset // BLOCK_BYTES + 1, -(-end // BLOCK_BYTES)):
            block = await self._block(line.line_id, name, number)
            if block.code != Result.APPROVED or block.total != first.total:
                break  # it has changed in between: what is whole so far is a part too
            parts.append(block.data[: end - number * BLOCK_BYTES])
        return FetchReply(code=Result.APPROVED, total=first.total, data=b"".join(parts))

    def forget_brief(self) -> None:
        """Data has changed: what may change under its name is fetched anew, also where a call for it is under way."""
        for key in [key for key, block in self._kept.items() if block.until]:
            self._drop(key)
        for key in [key for key in self._coming if not _IMMUTABLE.fullmatch(key[0])]:
            del self._coming[key]

    async def _block(self, line_id: int, name: str, number: int) -> _Block:
        key = name, number
        kept = self._kept.get(key)
        if kept is not None:
            if not kept.until or self._now() < kept.until:
                self._kept.move_to_end(key)
                self.hits += 1
                return kept
            self._drop(key)
        coming = self._coming.get(key)
        if coming is None:
            self.misses += 1
            coming = self._coming[key] = asyncio.create_task(self._call(line_id, key))
            coming.add_done_callback(lambda task: self._came(key, task))
        else:
            self.hits += 1
        # A line that breaks must not take the block away from the others.
        return await asyncio.shield(coming)

    async def _call(self, line_id: int, key: _Key) -> _Block:
        name, number = key
        call = FetchFileCall(line_id=line_id, name=name, offset=number * BLOCK_BYTES, length=BLOCK_BYTES)
        async with self._calls:
            reply: FetchReply = await self._apps.call(
                lambda stub, timeout: stub.FetchFile(call, timeout=timeout), deadline_s=_CALL_S
            )
        stays = reply.code == Result.APPROVED and _IMMUTABLE.fullmatch(name)
        return _Block(reply.code, reply.total, reply.data, 0.0 if stays else self._now() + _BRIEF_S)

    def _came(self, key: _Key, task: asyncio.Task[_Block]) -> None:
        if self._coming.get(key) is not task:
            return  # forgotten meanwhile
        del self._coming[key]
        if task.cancelled() or task.exception() is not None:
            return
        block = task.result()
        self._kept[key] = block
        self.bytes += block.weight
        while self.bytes > self._bound:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        self.bytes -= self._kept.pop(key).weight
