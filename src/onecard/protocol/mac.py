"""The UnionPay POS MAC (银联 POS MAC, ECB) of an ISO 8583 message: 8 ASCII hexadecimal characters in DE64 (standards 2.3).

Zero-pad to 8 bytes, XOR all blocks together, write the result as 16 hexadecimal characters, DES the first 8, XOR with the last 8,
DES again, and send the first 8 hexadecimal characters of that.
"""

import hmac

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

KEY_BYTES = 8
MAC_BYTES = 8


def xor_blocks(data: bytes) -> int:
    """All 8-byte blocks of `data`, zero-padded, XORed together.

    One big integer is folded in halves: a dozen operations instead of a loop over blocks.
    """
    width = max(8, 1 << (len(data) - 1).bit_length())
    folded = int.from_bytes(data.ljust(width, b"\0"), "big")
    bits = width * 8
    while bits > 64:
        bits >>= 1
        folded = (folded >> bits) ^ (folded & ((1 << bits) - 1))
    return folded


class UnionPayMac:
    """Computes and checks MACs under one working key. Holds a prepared cipher, because making one costs ten times the MAC."""

    __slots__ = ("_des",)

    def __init__(self, key: bytes) -> None:
        """Raises ValueError unless the key has 8 bytes."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a MAC key has {KEY_BYTES} bytes, not {len(key)}")
        # ECB without padding keeps no state between blocks, so that one context serves for good; K|K|K is single DES.
        self._des = Cipher(TripleDES(key * 3), modes.ECB()).encryptor().update  # noqa: S305 - the standard says DES

    def compute(self, data: bytes) -> bytes:
        """The MAC of the bytes from the message type up to and including DE63."""
        text = b"%016X" % xor_blocks(data)
        first = int.from_bytes(self._des(text[:8]), "big") ^ int.from_bytes(text[8:], "big")
        return self._des(first.to_bytes(8, "big")).hex()[:MAC_BYTES].upper().encode()

    def matches(self, data: bytes, mac: bytes) -> bool:
        """Whether `mac` is the MAC of `data`; takes the same time either way."""
        return hmac.compare_digest(self.compute(data), mac)
