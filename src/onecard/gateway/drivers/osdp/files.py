"""A file to a reader over OSDP's file transfer: in parts that say where they begin, to go on where it broke off.

A part is ``OCF1 | total(4) | offset(4) | SHA-256 of the whole(32) | bytes from offset``, big-endian. A reader that takes plain
files only is served with the quirk `whole_files`: then every new attempt begins at the first byte.
"""

import asyncio
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from osdp import Command, CommandFileTxFlags

from onecard.gateway.drivers.osdp.panel import Panel
from onecard.kernel.errors import Unavailable

_HEAD = struct.Struct(">4sII32s")
MAGIC = b"OCF1"
HEAD_BYTES = _HEAD.size
_ATTEMPTS = 20
_STALL_S = 3.0
_LOOK_S = 0.05
_OFFLINE_LOOKS = 12_000
"""Ten minutes off line in all; then the transfer has failed."""


@dataclass(frozen=True, slots=True)
class Part:
    """The head of a part."""

    total: int
    offset: int
    sha256: bytes


def build_part(image: bytes, offset: int) -> bytes:
    """What is sent to go on at `offset`."""
    return _HEAD.pack(MAGIC, len(image), offset, hashlib.sha256(image).digest()) + image[offset:]


def parse_part(head: bytes) -> Part:
    """Raises ValueError."""
    if len(head) < HEAD_BYTES:
        raise ValueError("a part's head is not whole")
    magic, total, offset, digest = _HEAD.unpack(head[:HEAD_BYTES])
    if magic != MAGIC or offset > total:
        raise ValueError("not a part of a file")
    return Part(total, offset, digest)


class FileSender:
    """One file to one reader."""

    def __init__(
        self, panel: Panel, address: int, image: bytes, *, is_whole: bool, progress: Callable[[int], None] | None = None
    ) -> None:
        self._panel = panel
        self._address = address
        self._image = image
        self._is_whole = is_whole
        self._progress = progress
        self.done = 0
        """Bytes of the image that the reader has acknowledged."""
        self.attempts = 0
        self._patience = _OFFLINE_LOOKS

    async def send(self) -> None:
        """Raises Unavailable when the reader does not get on with it in many attempts."""
        while self.attempts < _ATTEMPTS:
            self.attempts += 1
            await self._online()
            if await self._attempt():
                return
        raise Unavailable(f"读卡器 {self._address} 未能收完文件", f"reader {self._address} did not take the file")

    async def _online(self) -> None:
        while self._address not in self._panel.secure and self._patience > 0:
            self._patience -= 1
            await asyncio.sleep(_LOOK_S)

    async def _attempt(self) -> bool:
        start = 0 if self._is_whole else self.done
        content = self._image if self._is_whole else build_part(self._image, start)
        head = len(content) - (len(self._image) - start)
        closed = [False]
        operations = {
            "open": lambda file_id, size: len(content),
            "read": lambda size, offset: content[offset : offset + size],
            "write": lambda data, offset: -1,
            "close": lambda file_id: closed.__setitem__(0, True) or 0,
        }
        await self._panel.call(lambda context, index: context.register_file_ops(index, operations), self._address)
        transfer = {"command": Command.FileTransfer, "id": 1, "flags": 0}
        if not await self._panel.command(self._address, transfer):
            await asyncio.sleep(_LOOK_S)
            return False
        offset, since = -1, asyncio.get_running_loop().time()
        while True:
            status = await self._panel.call(_file_status, self._address)
            now = asyncio.get_running_loop().time()
            if status is not None and status["offset"] != offset:
                offset, since = status["offset"], now
                self.done = max(self.done, start + offset - head) if not self._is_whole else max(0, offset)
                if self._progress is not None:
                    self._progress(self.done)
            if closed[0]:
                return offset >= len(content)
            if self._address not in self._panel.secure and self._patience > 0:
                since = now  # libosdp goes on by itself when the reader is back: waiting for it is not stalling
                self._patience -= 1
            if now - since > _STALL_S:
                await self._cancel(transfer)
                return False
            await asyncio.sleep(_LOOK_S)

    async def _cancel(self, transfer: dict[str, Any]) -> None:
        """The reader is woken anew: libosdp then forgets what it was sending."""
        await self._panel.command(self._address, transfer | {"flags": CommandFileTxFlags.Cancel})
        await self._panel.call(_restart, self._address)


def _file_status(context: Any, index: int) -> dict[str, int] | None:
    status = context.get_file_tx_status(index)
    return status if isinstance(status, dict) else None


def _restart(context: Any, index: int) -> None:
    context.disable_pd(index)
    context.enable_pd(index)
