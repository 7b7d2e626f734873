"""The readers of `onecard cards`: a PC/SC reader by its name, or a folder of virtual cards that are laid on one after another."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from onecard.protocol.purse.apdu import Command, Response

if TYPE_CHECKING:
    from onecard.terminal.reader.base import Reader

_POLL_S = 0.2


class PcscSlot:
    """A real reader. A person lays cards on it and takes them away; Ctrl-C ends the work."""

    def __init__(self, name: str) -> None:
        from onecard.terminal.reader.pcsc import PcscReader

        self._reader = PcscReader(name)
        self.name = self._reader.name

    def await_card(self) -> bool:
        """Wait for a card and power it up."""
        from onecard.terminal.reader.errors import CardRemoved

        told = False
        while True:
            try:
                self._reader.connect()
            except CardRemoved:
                if not told:
                    typer.echo("请放卡 … lay a card on the reader", err=True)
                    told = True
                time.sleep(_POLL_S)
            else:
                return True

    def exchange(self, command: Command) -> Response:
        """See Slot."""
        return _exchange(self._reader, command)

    def release(self, *, wait: bool) -> None:
        """Power the card down; with `wait` until it was taken away."""
        from onecard.terminal.reader.errors import CardRemoved

        self._reader.disconnect()
        told = False
        while wait:
            try:
                self._reader.connect()
            except CardRemoved:
                return
            self._reader.disconnect()
            if not told:
                typer.echo("请取卡 … take the card away", err=True)
                told = True
            time.sleep(_POLL_S)


class VirtualSlot:
    """A folder of virtual cards (`*.card`), laid on one after another by name, each once."""

    def __init__(self, folder: Path, *, only: str | None = None) -> None:
        from onecard.kernel.errors import NotFound
        from onecard.terminal.reader.local import LocalReader

        paths = [folder / only] if only else sorted(folder.glob("*.card"))
        if not paths or not all(path.exists() for path in paths):
            raise NotFound(
                f"{folder} 中没有虚拟卡：请先运行 onecard cards virtual",
                f"there are no virtual cards in {folder}: run onecard cards virtual first",
            )
        self.name = str(folder)
        self._paths = iter(paths)
        self._reader = LocalReader()

    def await_card(self) -> bool:
        """The next card of the folder."""
        from onecard.terminal.card.virtual import VirtualCard

        path = next(self._paths, None)
        if path is None:
            return False
        self._reader.put(VirtualCard.open(path))
        self._reader.connect()
        return True

    def exchange(self, command: Command) -> Response:
        """See Slot."""
        return _exchange(self._reader, command)

    def release(self, *, wait: bool) -> None:
        """Take the card off."""
        self._reader.take()


def _exchange(reader: "Reader", command: Command) -> Response:
    from onecard.terminal.reader.base import exchange

    return exchange(reader, command)


def open_slot(reader: str | None, virtual: Path | None, *, only: str | None = None) -> PcscSlot | VirtualSlot:
    """The reader the options name, else the first PC/SC reader. Raises InvalidInput, ReaderMissing, ReaderGone, NotFound."""
    from onecard.kernel.errors import InvalidInput

    if reader is not None and virtual is not None:
        raise InvalidInput("--reader 与 --virtual 只能给出一个", "give --reader or --virtual, not both")
    return VirtualSlot(virtual, only=only) if virtual is not None else PcscSlot(reader or "")


def make_virtual(folder: Path, count: int, *, start: int = 1) -> list[Path]:
    """Blank virtual cards with the demonstration maker's transport key. Files that are there are left alone."""
    from onecard.datacenter.home import Home
    from onecard.protocol.purse.ciphers import Algorithm
    from onecard.services.keys import api as keys
    from onecard.terminal.card.store import FileStore
    from onecard.terminal.card.virtual import VirtualCard

    transport = bytes(keys.demo_maker_key(Home.from_environment(), Algorithm.DES3))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    for number in range(start, start + count):
        path = folder / f"{number:06}.card"
        if not path.exists():
            VirtualCard.create(FileStore(path), transport_key=transport)
            made.append(path)
    return made
