"""Block ciphers of purse keys (3DES and SM4) under one interface: ECB without padding, and the CBC-MAC that every proof is.

Which cipher a key belongs to is its algorithm id, stored beside it on the card (standards 1.3, 1.10).
"""

from enum import IntEnum, unique

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

MAC_BYTES = 4
KEY_BYTES = 16


@unique
class Algorithm(IntEnum):
    """The algorithm id beside a purse key. 4 is the commoner one of two that cards use for SM4 (unverified, standards 1.3)."""

    DES3 = 0
    SM4 = 4

    @property
    def block_bytes(self) -> int:
        """Bytes of a block: 8 or 16."""
        return 16 if self is Algorithm.SM4 else 8


def _spell_out(key: bytes) -> bytes:
    """8 bytes are single DES, 16 two-key 3DES; spelt out to 24, because not every OpenSSL takes the short forms."""
    return {8: key * 3, 16: key + key[:8], 24: key}[len(key)]


def _cipher(algorithm: Algorithm, key: bytes, mode: modes.ECB | modes.CBC) -> "Cipher[modes.ECB | modes.CBC]":
    if algorithm is Algorithm.SM4:
        return Cipher(SM4(key), mode)
    return Cipher(TripleDES(_spell_out(key)), mode)


def encrypt_ecb(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """Whole blocks under a key of 16 bytes (3DES also 8: single DES)."""
    return _cipher(algorithm, key, modes.ECB()).encryptor().update(data)  # noqa: S305 - what the cards speak


def decrypt_ecb(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """The reverse of `encrypt_ecb`."""
    return _cipher(algorithm, key, modes.ECB()).decryptor().update(data)  # noqa: S305 - what the cards speak


def pad_80(data: bytes, block_bytes: int) -> bytes:
    """`80`, then `00` up to whole blocks; a whole block more where the data fill their last one (standards 1.5)."""
    return (data + b"\x80").ljust((len(data) // block_bytes + 1) * block_bytes, b"\0")


def cbc_mac(algorithm: Algorithm, key: bytes, data: bytes, *, iv: bytes = b"") -> bytes:
    """The last block of CBC over the padded data: 8 bytes (3DES, DES) or 16 (SM4). Without an IV it is zero.

    A key of 8 bytes is single DES all the way; one of 16 bytes with 3DES is 3DES in every block.
    """
    size = algorithm.block_bytes
    encryptor = _cipher(algorithm, key, modes.CBC(iv.ljust(size, b"\0"))).encryptor()
    return encryptor.update(pad_80(data, size))[-size:]


def retail_mac(key: bytes, data: bytes, *, iv: bytes = b"") -> bytes:
    """ISO/IEC 9797-1 algorithm 3 with padding 2: single DES with the key's left half, the last block 3DES. 8 bytes."""
    last = cbc_mac(Algorithm.DES3, key[:8], data, iv=iv)
    opened = decrypt_ecb(Algorithm.DES3, key[8:16], last)
    return encrypt_ecb(Algorithm.DES3, key[:8], opened)


def check_value(algorithm: Algorithm, key: bytes, *, size: int = 3) -> bytes:
    """The key check value (KCV): the first bytes of a zero block under the key; 3 bytes by custom."""
    return encrypt_ecb(algorithm, key, bytes(algorithm.block_bytes))[:size]
