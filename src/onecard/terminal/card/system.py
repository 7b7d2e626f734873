"""The card system of a virtual chip: power, one command at a time, the commit of what it changed, and where power can fail.

Each command works on the state in memory; if it changed anything, the whole image is committed before the answer leaves. After a
loss of power the state is read from the store again: it is that before the command or that after it, never between.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from onecard.protocol.purse.apdu import Command, Response, Status
from onecard.protocol.purse.files import FileId
from onecard.terminal.card.state import BLOCKED_FOR_GOOD, ChipState, Directory, File
from onecard.terminal.card.store import Store
from onecard.terminal.reader.errors import CardRemoved

Random = Callable[[int], bytes]
SPACE_BYTES = 32_768
SELECT = (0x00, 0xA4)


class Refused(Exception):  # noqa: N818 - what the chip answers
    """The command is answered with this status word; nothing of it is kept."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


class RefusedAndKept(Refused):
    """The same, but what the command changed so far (an error counter) is kept."""


@dataclass(slots=True)
class Session:
    """What a chip forgets without power."""

    directory: int = FileId.MASTER
    file: int | None = None
    levels: dict[int, int] = field(default_factory=dict)
    """The security state of each directory, 0…15."""
    challenge: bytes = b""
    fresh_challenge: bytes = b""
    """The challenge asked for by the command just before, the only one that counts."""
    transaction: Any = None
    cache: list[tuple[int, int, bytes]] = field(default_factory=list)
    prepared: Any = None


Handler = Callable[["ChipSystem", Command], bytes]
Handlers = Mapping[tuple[int, int], Handler]
"""(class without its lower half, instruction) → what does it."""


class ChipSystem:
    """A chip with a set of commands. `random(n)` gives its random bytes."""

    handlers: ClassVar[Handlers] = {}
    continuing: ClassVar[frozenset[tuple[int, int]]] = frozenset()
    """Commands that a transaction begun survives."""
    while_blocked: ClassVar[frozenset[tuple[int, int]]] = frozenset()
    """Commands that serve also while the application is blocked for a time."""

    def __init__(self, store: Store, *, random: Random = secrets.token_bytes) -> None:
        self.random = random
        self._store = store
        self.state = ChipState.parse(store.load())
        self.session = Session()
        self._committed = self.state.image()
        self._powered = False
        self._bytes_left: int | None = None
        self._writes_left: int | None = None
        self._tear_committed = False

    # ---- power

    def power_on(self) -> bytes:
        """Power up or reset; the ATR."""
        self._committed = self._store.load()
        self.state = ChipState.parse(self._committed)
        self.session = Session()
        self._powered = True
        return bytes.fromhex(self.state.atr)

    def power_off(self) -> None:
        """Take the power away."""
        self._powered = False

    def tear_after(self, count: int) -> None:
        """Let power fail after `count` more bytes, commands and answers together, have gone over the interface."""
        self._bytes_left = count

    def tear_at_write(self, number: int, *, committed: bool) -> None:
        """Let power fail at the n-th commit from now (1: the next), just before or just after it."""
        self._writes_left = number
        self._tear_committed = committed

    def mend(self) -> None:
        """Forget where power was to fail."""
        self._bytes_left = self._writes_left = None

    def _lose_power(self) -> CardRemoved:
        self.mend()
        self.power_off()
        return CardRemoved()

    def _receive(self, count: int) -> None:
        """Bytes of a command come in; when the last one is the last with power, the command is not begun."""
        if self._bytes_left is not None:
            self._bytes_left -= count
            if self._bytes_left <= 0:
                raise self._lose_power()

    def _send(self, count: int) -> None:
        if self._bytes_left is not None:
            self._bytes_left -= count
            if self._bytes_left < 0:
                raise self._lose_power()
            if self._bytes_left == 0:
                self._lose_power()

    # ---- commands

    def transmit(self, command: bytes) -> bytes:
        """One APDU. Raises CardRemoved without power or where it is torn off."""
        if not self._powered:
            raise CardRemoved
        self._receive(len(command))
        response = self.execute(command)
        self._send(len(response))
        return response

    def execute(self, raw: bytes) -> bytes:
        """The answer to whatever bytes come in: always a status word."""
        try:
            command = Command.parse(raw)
        except ValueError:
            self._forget()
            return bytes(Response(b"", Status.WRONG_LENGTH))
        try:
            data = self._dispatch(command)
        except RefusedAndKept as refused:
            self._commit()
            return bytes(Response(b"", refused.sw))
        except Refused as refused:
            self._roll_back()
            return bytes(Response(b"", refused.sw))
        if command.le is not None and len(data) > command.le:
            self._roll_back()
            return bytes(Response(b"", 0x6C00 | len(data) & 0xFF))
        self._commit()
        return bytes(Response(data, Status.OK))

    def _dispatch(self, command: Command) -> bytes:
        key = (command.cla & 0xF0, command.ins)
        self.session.fresh_challenge, self.session.challenge = self.session.challenge, b""
        if key not in self.continuing:
            self.session.transaction, self.session.cache = None, []
        if self.state.is_blocked:
            raise Refused(Status.FUNCTION_NOT_SUPPORTED)
        handler = self.handlers.get(key)
        if handler is None:
            known = any(cla == key[0] for cla, _ in self.handlers)
            raise Refused(Status.WRONG_INSTRUCTION if known else Status.WRONG_CLASS)
        block = self.directory.block
        if block == BLOCKED_FOR_GOOD and key != SELECT:
            raise Refused(Status.APPLICATION_BLOCKED_FOR_GOOD)
        if block and key != SELECT and key not in self.while_blocked:
            raise Refused(Status.FUNCTION_NOT_SUPPORTED)
        return handler(self, command)

    def _forget(self) -> None:
        self.session.challenge = self.session.fresh_challenge = b""
        self.session.transaction, self.session.cache = None, []

    def _commit(self) -> None:
        image = self.state.image()
        if image == self._committed:
            return
        tearing = self._writes_left is not None
        if self._writes_left is not None:
            self._writes_left -= 1
        if tearing and self._writes_left == 0 and not self._tear_committed:
            raise self._lose_power()
        self._store.commit(image)
        self._committed = image
        if tearing and self._writes_left == 0:
            raise self._lose_power()

    def _roll_back(self) -> None:
        self.state = ChipState.parse(self._committed)

    # ---- what handlers use

    @property
    def directory(self) -> Directory:
        """The directory selected."""
        return self.state.directory(self.session.directory) or self.state.master

    def level(self, directory: int) -> int:
        """The security state of a directory."""
        return self.session.levels.get(directory, 0)

    def allows(self, right: int) -> bool:
        """An access byte XY: the directory's state is in Y…X; with X = 0 the master's is Y or higher."""
        upper, lower = right >> 4, right & 0x0F
        if upper == 0:
            return self.level(FileId.MASTER) >= lower
        return lower <= self.level(self.session.directory) <= upper

    def require(self, right: int) -> None:
        """Raises Refused 6982."""
        if not self.allows(right):
            raise Refused(Status.SECURITY_NOT_SATISFIED)

    def require_room(self, command: Command, size: int) -> None:
        """An answer shorter than what comes is refused with 6Cxx before anything is done. Raises Refused."""
        if command.le is not None and command.le < size:
            raise Refused(0x6C00 | size)

    def need_file(self, file: File | None) -> File:
        """Raises Refused 6A82 where there is none."""
        if file is None:
            raise Refused(Status.FILE_NOT_FOUND)
        return file
