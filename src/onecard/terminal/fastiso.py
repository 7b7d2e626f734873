"""ISO 8583 purchases made from a template, for load generators: a message is patched, and only its MAC is computed."""

from datetime import datetime

from onecard.protocol.iso8583.fast import PURCHASE_BITMAP, SIZE
from onecard.protocol.iso8583.fields import CURRENCY_YUAN, build_de60
from onecard.protocol.iso8583.times import format_moment
from onecard.protocol.mac import UnionPayMac

_HEADER = bytes.fromhex("6000490000" + "603200320501")
_RRN_BYTE, _RRN_BIT = 17, 0x08
_DE39_REFUSED, _DE39_WITH_RRN = 48, 66
_STAN_AT = 39


class FastPurchase:
    """Builds the 0200 purchases of one terminal in about 5 µs. `mak` is the 8-byte working key from its sign-on."""

    def __init__(self, tid: str, mid: str, mak: bytes, *, batch_no: int = 1) -> None:
        assert len(tid) == 8
        assert len(mid) == 15
        self._mac = UnionPayMac(mak)
        self._head = b"\x02\x00" + PURCHASE_BITMAP + b"\x16"
        de60 = b"\x00\x13" + bytes.fromhex(build_de60("22", batch_no) + "0")
        self._tail = bytes.fromhex("072000") + (tid + mid + CURRENCY_YUAN).encode("ascii") + de60
        self._prefix = SIZE.to_bytes(2, "big") + _HEADER
        self._second = -1
        self._moment = ""

    def build(self, stan: int, card_no: int, amount_fen: int, at: datetime) -> bytes:
        """One message with its length prefix, to be written to the line as it is."""
        second = int(at.timestamp())
        if second != self._second:
            self._second = second
            text = format_moment(at)
            self._moment = text[4:] + text[:4]
        digits = f"{card_no:016d}000000{amount_fen:012d}{stan:06d}{self._moment}"
        body = self._head + bytes.fromhex(digits) + self._tail
        return self._prefix + body + self._mac.compute(body)


def parse_answer(frame: bytes) -> tuple[str, int]:
    """DE39 and STAN of the answer to such a purchase; `frame` is without its length prefix. The MAC is not looked at."""
    at = _DE39_WITH_RRN if frame[_RRN_BYTE] & _RRN_BIT else _DE39_REFUSED
    return frame[at : at + 2].decode("ascii"), int(frame[_STAN_AT : _STAN_AT + 3].hex())
