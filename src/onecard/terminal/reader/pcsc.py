"""Real readers: PC/SC through pyscard, which is imported only when a reader is asked for."""

import contextlib
from typing import TYPE_CHECKING, Any

from onecard.terminal.reader.errors import CardRemoved, ReaderGone, ReaderMissing

if TYPE_CHECKING:
    from smartcard.pcsc.PCSCReader import PCSCReader

_CARD_GONE = frozenset({0, 0x80100069, 0x8010000C, 0x80100068, 0x80100067, 0x80100066, 0x80100009, 0x80100016})
"""Torn off within an answer (success without a status word); card removed, absent, reset, unpowered, mute, unknown."""


def _readers() -> "list[PCSCReader]":
    try:
        from smartcard.pcsc.PCSCExceptions import EstablishContextException, ListReadersException
        from smartcard.System import readers
    except ImportError:
        raise ReaderMissing(
            "缺少 pyscard：请运行 scripts/install-reader",
            "pyscard is missing: run scripts/install-reader",
        ) from None
    try:
        return list(readers())
    except (EstablishContextException, ListReadersException) as error:
        raise ReaderMissing(
            "PC/SC 服务未运行：请安装并启动 pcscd", f"The PC/SC service does not run: install and start pcscd ({error})"
        ) from None


def list_readers() -> list[str]:
    """The names of the readers of this machine. Raises ReaderMissing."""
    return [str(reader) for reader in _readers()]


class PcscReader:
    """A reader by its name, or the beginning of it; without a name the first. Raises ReaderMissing, ReaderGone."""

    def __init__(self, name: str = "") -> None:
        self._reader = next((reader for reader in _readers() if str(reader).startswith(name)), None)
        if self._reader is None:
            raise ReaderGone(f"没有读卡器：{name}", f"No such reader: {name}")
        self.name = str(self._reader)
        self._connection: Any = None

    def connect(self) -> bytes:
        """See Reader."""
        from smartcard.Exceptions import CardConnectionException, NoCardException
        from smartcard.scard import SCARD_UNPOWER_CARD

        assert self._reader is not None
        self.disconnect()
        connection = self._reader.createConnection()
        try:
            connection.connect(disposition=SCARD_UNPOWER_CARD)
        except NoCardException:
            _release(connection)
            raise CardRemoved("读卡器上没有卡", "There is no card on the reader") from None
        except CardConnectionException as error:
            _release(connection)
            raise _translate(error) from None
        self._connection = connection
        return bytes(connection.getATR())

    def transmit(self, command: bytes) -> bytes:
        """See Reader."""
        from smartcard.Exceptions import SmartcardException

        if self._connection is None:
            raise CardRemoved
        try:
            data, sw1, sw2 = self._connection.transmit(list(command))
        except SmartcardException as error:
            raise _translate(error) from None
        except (IndexError, ValueError):
            raise CardRemoved from None  # an answer without a status word: the card was torn off
        return bytes(data) + bytes((sw1, sw2))

    def disconnect(self) -> None:
        """See Reader."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _release(connection)


def _release(connection: Any) -> None:
    """Let the card and the context go now; what pyscard would otherwise do when it is collected can no longer be answered for."""
    from smartcard.Exceptions import SmartcardException

    for step in (connection.disconnect, connection.release):
        with contextlib.suppress(SmartcardException):
            step()


def _translate(error: Exception) -> CardRemoved | ReaderGone:
    code = getattr(error, "hresult", 0) & 0xFFFFFFFF
    if code in _CARD_GONE:
        return CardRemoved()
    return ReaderGone("读卡器故障", f"The reader failed: {error}")
