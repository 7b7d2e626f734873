"""What a reader is to whoever uses cards, and one exchange over it."""

import time
from typing import Protocol

from onecard.protocol.purse.apdu import Command, Response
from onecard.terminal.reader.errors import CardRemoved

_MORE = 0x61
_OTHER_LENGTH = 0x6C


class Reader(Protocol):
    """A slot with a card in it, or without."""

    def connect(self) -> bytes:
        """Power the card up and give its ATR. Raises CardRemoved, ReaderGone."""
        ...

    def transmit(self, command: bytes) -> bytes:
        """One APDU there and its answer back. Raises CardRemoved, ReaderGone: whether the card did it is then unknown."""
        ...

    def disconnect(self) -> None:
        """Power the card down; never raises."""
        ...


def wait_for_card(reader: Reader, *, seconds: float, poll_seconds: float = 0.05) -> bytes:
    """The ATR as soon as a card is there. Raises CardRemoved when none came in time, ReaderGone."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return reader.connect()
        except CardRemoved:
            if time.monotonic() >= deadline:
                raise
        time.sleep(poll_seconds)


def exchange(reader: Reader, command: Command) -> Response:
    """One command, with what T=0 needs: GET RESPONSE after 61xx, the right length after 6Cxx. Raises what the reader raises."""
    response = Response.parse(reader.transmit(bytes(command)))
    if response.sw >> 8 == _OTHER_LENGTH:
        again = Command.of(command.header, command.data, le=response.sw & 0xFF or 256)
        response = Response.parse(reader.transmit(bytes(again)))
    data = response.data
    while response.sw >> 8 == _MORE:
        response = Response.parse(reader.transmit(bytes(Command(0x00, 0xC0, 0x00, 0x00, le=response.sw & 0xFF or 256))))
        data += response.data
    return Response(data, response.sw)
