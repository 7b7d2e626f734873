"""What every part of the vault stands on: keeper, store, clock, the tree as it is committed, and the writing down of uses."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from onecard.kernel.clock import Clock, SystemClock
from onecard.services.actors import Actor
from onecard.services.keys.book import STAMP, Book, Family
from onecard.services.keys.errors import VaultLocked
from onecard.services.keys.keepers.base import Keeper
from onecard.services.keys.store import Store

PURSE = "PURSE"
"""The key set of the public purse."""


class VaultBase:
    """One key set through one keeper. Safe for threads."""

    def __init__(self, keeper: Keeper, store: Store, *, set_code: str = PURSE, clock: Clock | None = None) -> None:
        self.keeper = keeper
        self.store = store
        self.clock = clock or SystemClock()
        self._set_code = set_code
        self._book = Book.read(store)
        self._user = f"{Path(sys.argv[0]).name or 'python'}[{os.getpid()}]@{socket.gethostname()}"[:150]

    def __repr__(self) -> str:
        return f"<vault, {self.keeper.name}>"

    def note(
        self,
        operation: str,
        *,
        subject: str = "",
        keys: Mapping[int, int],
        count: int,
        failed: int = 0,
        actor: Actor | None = None,
    ) -> None:
        """Write a use down: before its result leaves the vault, so that a use without a line gives nothing."""
        who = f"{actor.name} {self._user}" if actor is not None else self._user
        self.store.note(self.clock.now(), who, operation, subject=subject, keys=keys, count=count, failed=int(failed))

    def _current(self) -> tuple[Book, Family]:
        """The tree as it is committed now."""
        book = self._book
        if book.stamp != self.store.rows(STAMP)[0][0]:
            book = self._book = Book.read(self.store)
            self.keeper.forget()
        family = book.families.get(self._set_code)
        if family is None:
            raise VaultLocked(f"无此密钥组：{self._set_code}", f"no such key set: {self._set_code}")
        return book, family

    def close(self) -> None:
        """Forget the keys. The vault has to be opened again."""
        self.keeper.close()
        self.store.close()
