"""The persistent memory of a virtual chip: one image, replaced as a whole or not at all."""

import os
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Holds one image."""

    def load(self) -> bytes: ...

    def commit(self, image: bytes) -> None: ...


class MemoryStore:
    """An image in memory: for simulations and tests."""

    def __init__(self, image: bytes = b"") -> None:
        self._image = image

    def load(self) -> bytes:
        """The image."""
        return self._image

    def commit(self, image: bytes) -> None:
        """Replace it."""
        self._image = image


class FileStore:
    """One file, readable by its owner only: it holds the chip's keys.

    Written beside, synced, renamed: old or new, never between.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._durable = durable

    def load(self) -> bytes:
        """The file's content. Raises FileNotFoundError."""
        return self._path.read_bytes()

    def commit(self, image: bytes) -> None:
        """Replace the file; on the disk when this returns, if the store is durable."""
        beside = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(image)
            if self._durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(self._path)
        if self._durable:
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
