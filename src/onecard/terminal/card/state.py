"""What a virtual chip remembers without power: directories, files, keys, purses. As one JSON image."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from onecard.protocol.purse.files import FileId

NO_BLOCK, BLOCKED, BLOCKED_FOR_GOOD = 0, 1, 2


@dataclass(slots=True)
class Key:
    """A key: type byte, number, rights, the two bytes that follow (version and algorithm, or state and error counter), value."""

    kind: int
    number: int
    usage: int
    change: int
    first: int
    second: int
    value: str = field(repr=False)

    @property
    def secret(self) -> bytes:
        """The key's bytes."""
        return bytes.fromhex(self.value)

    @property
    def tries_left(self) -> int:
        """Of a key with an error counter (most tries in the upper, tries left in the lower half of the second byte)."""
        return self.second & 0x0F

    def count_failure(self) -> int:
        """One try less; how many are left."""
        self.second = self.second & 0xF0 | max(0, self.tries_left - 1)
        return self.tries_left

    def reset_failures(self) -> None:
        """All tries again."""
        self.second = self.second & 0xF0 | self.second >> 4


@dataclass(slots=True)
class File:
    """An elementary file. Binary files have one record, their content; a cyclic file's first record is its newest."""

    number: int
    kind: int
    read: int
    write: int
    size: int
    count: int = 1
    records: list[str] = field(default_factory=list)

    @property
    def shape(self) -> int:
        """The type without the bits of line protection."""
        return self.kind & 0x3F

    @property
    def protection(self) -> int:
        """The two bits of line protection: 00, 80 (MAC), C0 (MAC and cipher)."""
        return self.kind & 0xC0


@dataclass(slots=True)
class Purse:
    """A purse file: money, counters, and the proofs of the last transaction of each kind (they survive a loss of power)."""

    number: int
    log: int
    balance: int = 0
    offline_counter: int = 0
    online_counter: int = 0
    proofs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Directory:
    """The master directory or an application."""

    number: int
    name: str
    create: int
    erase: int
    block: int = NO_BLOCK
    key_file: int | None = None
    """The type byte of its key file, once there is one."""
    add_key: int = 0
    keys: list[Key] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    purses: list[Purse] = field(default_factory=list)

    def key(self, kind: int, number: int) -> Key | None:
        """A key by type and number."""
        return next((key for key in self.keys if key.kind == kind and key.number == number), None)

    def file(self, number: int) -> File | None:
        """A file by number."""
        return next((file for file in self.files if file.number == number), None)

    def file_by_sfi(self, sfi: int) -> File | None:
        """A file by short identifier."""
        return next((file for file in self.files if file.number & 0x1F == sfi), None)

    def purse(self, number: int) -> Purse | None:
        """A purse by number."""
        return next((purse for purse in self.purses if purse.number == number), None)


@dataclass(slots=True)
class ChipState:
    """All of it. `algorithm` is that of control and maintenance keys, which carry none of their own."""

    atr: str
    uid: str
    algorithm: int
    directories: list[Directory]
    is_blocked: bool = False
    transaction_seq: int = 0
    """A SAM's own transaction sequence."""

    @property
    def master(self) -> Directory:
        """Directory 3F00."""
        return self.directories[0]

    def directory(self, number: int) -> Directory | None:
        """A directory by number."""
        return next((directory for directory in self.directories if directory.number == number), None)

    def space_used(self) -> int:
        """Bytes of files and keys."""
        files = sum(file.size * file.count for directory in self.directories for file in directory.files)
        return files + sum(24 * len(directory.keys) for directory in self.directories)

    def image(self) -> bytes:
        """The bytes a store keeps."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def parse(cls, image: bytes) -> "ChipState":
        """The reverse."""
        content: dict[str, Any] = json.loads(image)
        directories = [_directory(entry) for entry in content.pop("directories")]
        return cls(directories=directories, **content)


def _directory(entry: dict[str, Any]) -> Directory:
    keys = [Key(**key) for key in entry.pop("keys")]
    files = [File(**file) for file in entry.pop("files")]
    purses = [Purse(**purse) for purse in entry.pop("purses")]
    return Directory(keys=keys, files=files, purses=purses, **entry)


def blank_state(*, atr: bytes, uid: bytes, algorithm: int, transport_key: bytes) -> ChipState:
    """As a maker delivers it: an empty master directory whose control key (39, number 00) is the transport key."""
    control = Key(0x39, 0, 0xF0, 0x0A, 0xAA, 0xFF, transport_key.hex())
    master = Directory(FileId.MASTER, b"1PAY.SYS.DDF01".hex(), 0x0A, 0x0A, key_file=0xFF, add_key=0x0A, keys=[control])
    return ChipState(atr.hex(), uid.hex(), algorithm, [master])
