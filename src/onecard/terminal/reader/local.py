"""A reader in the same process: virtual cards are put on it and taken off."""

from typing import Protocol

from onecard.terminal.reader.errors import CardRemoved


class Chip(Protocol):
    """What a virtual card or SAM is to a reader."""

    def power_on(self) -> bytes: ...

    def transmit(self, command: bytes) -> bytes: ...

    def power_off(self) -> None: ...


class LocalReader:
    """`LocalReader(card)`; `put` and `take` move cards."""

    def __init__(self, chip: Chip | None = None) -> None:
        self._chip = chip

    def put(self, chip: Chip) -> None:
        """Another card lies on the reader now."""
        self.take()
        self._chip = chip

    def take(self) -> None:
        """The card is taken away, powerless at once."""
        self.disconnect()
        self._chip = None

    def connect(self) -> bytes:
        """See Reader."""
        if self._chip is None:
            raise CardRemoved("读卡器上没有卡", "There is no card on the reader")
        return self._chip.power_on()

    def transmit(self, command: bytes) -> bytes:
        """See Reader."""
        if self._chip is None:
            raise CardRemoved
        return self._chip.transmit(command)

    def disconnect(self) -> None:
        """See Reader."""
        if self._chip is not None:
            self._chip.power_off()
