"""A file to a reader over OSDP's file transfer, in parts that fit one packet each, so that polls go on between any two of them.

libosdp sends a file's packets one after another and does not poll the reader meanwhile. So each part is a whole file to libosdp:
``OP | offset(4) | first 8 bytes of the image's SHA-256 | bytes``; the part at offset 0 has ``total(4) | SHA-256(32)`` before its
bytes; big-endian. A reader keeps what it has taken, and a transfer goes on where it broke off, also after a restart of either
side. A reader that takes plain files only (quirk `whole_files`) can't be polled while one is sent to it, and begins anew.
"""

import asyncio
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onecard.gateway.drivers.osdp.link import Transfer
from onecard.gateway.drivers.osdp.panel import Panel
from onecard.kernel.errors import Unavailable

_HEAD = struct.Struct(">2sI8s")
_WHOLE = struct.Struct(">I32s")
MAGIC = b"OP"
HEAD_BYTES = _HEAD.size
FIRST_BYTES = _HEAD.size + _WHOLE.size
_REFUSALS, _FROM_ZERO = 12, 3
"""In a row, until it is given up; until it begins anew."""
_SILENT_S = 600.0
"""A reader that takes nothing for ten minutes will not take the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part as a reader gets it. `total` and `sha256` are in the first one only, else 0 and empty."""

    offset: int
    mark: bytes
    data: bytes
    total: int = 0
    sha256: bytes = b""


def build_part(image: bytes, digest: bytes, *, offset: int, room: int) -> bytes:
    """The part at `offset` that fits `room` bytes."""
    head = _HEAD.pack(MAGIC, offset, digest[:8])
    if offset == 0:
        head += _WHOLE.pack(len(image), digest)
    return head + image[offset : offset + room - len(head)]


def parse_part(data: bytes) -> Part:
    """Raises ValueError."""
    if len(data) < HEAD_BYTES or data[:2] != MAGIC:
        raise ValueError("not a part of a file")
    _, offset, mark = _HEAD.unpack(data[:HEAD_BYTES])
    if offset:
        return Part(offset, mark, data[HEAD_BYTES:])
    if len(data) < FIRST_BYTES:
        raise ValueError("the first part's head is not whole")
    total, digest = _WHOLE.unpack(data[HEAD_BYTES:FIRST_BYTES])
    if digest[:8] != mark:
        raise ValueError("the first part contradicts itself")
    return Part(0, mark, data[FIRST_BYTES:], total, digest)


class FileSender:
    """One file to one reader. `note` keeps how far it is, over restarts; None: nowhere."""

    def __init__(
        self, panel: Panel, address: int, image: bytes, *, file_id: int = 1, is_whole: bool = False, note: Path | None = None
    ) -> None:
        self._panel = panel
        self._address = address
        self._image = image
        self._digest = hashlib.sha256(image).digest()
        self._is_whole = is_whole
        self._file_id = file_id
        self._note = note
        self._sent = self._refusals = 0
        self._changed = asyncio.Event()
        self.done = 0 if is_whole else self._noted()
        """Bytes of the image that the reader has acknowledged."""

    async def send(self, progress: Callable[[int], None] | None = None) -> None:
        """Raises Unavailable when the reader refuses it or takes nothing for long; what it has taken is remembered."""
        transfer = Transfer(file_id=self._file_id, take=self._take, taken=self._taken, refused=self._refused)
        self._panel.send(self._address, transfer)
        try:
            while self.done < len(self._image):
                self._changed.clear()
                seen = self.done
                async with asyncio.timeout(_SILENT_S):
                    await self._changed.wait()
                if self._refusals > _REFUSALS:
                    raise self._failed()
                if self.done != seen and progress is not None:
                    progress(self.done)
            if self._note is not None:
                self._note.unlink(missing_ok=True)
        except TimeoutError:
            raise self._failed() from None
        finally:
            self._panel.send(self._address, None)

    def _failed(self) -> Unavailable:
        return Unavailable(f"读卡器 {self._address} 未能收完文件", f"reader {self._address} did not take the file")

    # in the panel's thread

    def _take(self, room: int) -> bytes | None:
        if self.done >= len(self._image):
            return None
        if self._is_whole:
            self._sent = len(self._image)
            return self._image
        part = build_part(self._image, self._digest, offset=self.done, room=room)
        self._sent = len(part) - (HEAD_BYTES if self.done else FIRST_BYTES)
        return part

    def _taken(self) -> None:
        self.done += self._sent
        self._refusals = 0
        self._write_note()
        self._panel.tell(self._changed.set)

    def _refused(self) -> None:
        self._refusals += 1
        if self._refusals >= _FROM_ZERO and not self._is_whole:
            self.done = 0  # it does not know what came before: another file, or its memory was lost
        self._panel.tell(self._changed.set)

    def _noted(self) -> int:
        if self._note is None:
            return 0
        try:
            noted = json.loads(self._note.read_text("utf-8"))
            return int(noted["done"]) if noted["sha256"] == self._digest.hex() and 0 <= noted["done"] < len(self._image) else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _write_note(self) -> None:
        """Not synchronised to the disk: a note that is too old makes the reader get some bytes twice."""
        if self._note is None:
            return
        fresh = self._note.with_suffix(".new")
        fresh.write_text(json.dumps({"sha256": self._digest.hex(), "done": self.done}), "utf-8")
        fresh.replace(self._note)
