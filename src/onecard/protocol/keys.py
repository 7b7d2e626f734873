"""Working keys of an ISO 8583 terminal: check values, 3DES wrapping, and the 60 bytes of DE62 at sign-on.

    DE62 = PIK 16, check value 4 | MAK 8, zeros 8, check value 4 | TDK 16, check value 4

Keys are wrapped by 3DES-ECB under the terminal's master key (TMK, 16 bytes); a check value is the first 4 bytes of eight zero
bytes encrypted under the clear key. DES is what these terminals speak; nothing but their session keys is ever kept under it.
"""

import hmac
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

DE62_BYTES = 60
MASTER_KEY_BYTES = 16
_CHECK_VALUE_BYTES = 4
_BLOCK = bytes(8)


@dataclass(frozen=True, slots=True)
class WorkingKeys:
    """The clear session keys of a terminal: PIN (16 bytes), MAC (8) and track data (16)."""

    pin_key: bytes
    mac_key: bytes
    track_key: bytes

    def __post_init__(self) -> None:
        assert (len(self.pin_key), len(self.mac_key), len(self.track_key)) == (16, 8, 16)

    def __repr__(self) -> str:
        return "WorkingKeys(…)"


def with_odd_parity(key: bytes) -> bytes:
    """A DES key with the last bit of each byte set so that the byte has an odd number of ones."""
    return bytes(byte & 0xFE | (byte >> 1).bit_count() % 2 ^ 1 for byte in key)


def check_value(key: bytes) -> bytes:
    """The check value of a DES key of 8, 16 or 24 bytes."""
    return _encrypt(key, _BLOCK)[:_CHECK_VALUE_BYTES]


def wrap_key(master: bytes, key: bytes) -> bytes:
    """A clear key of 8 or 16 bytes under a master key."""
    return _encrypt(master, key)


def unwrap_key(master: bytes, wrapped: bytes) -> bytes:
    """The clear key of a wrapped one."""
    decryptor = _cipher(master).decryptor()
    return decryptor.update(wrapped) + decryptor.finalize()


def build_de62(master: bytes, keys: WorkingKeys) -> bytes:
    """The 60 bytes of DE62 that hand working keys to a terminal."""
    assert len(master) == MASTER_KEY_BYTES
    return (
        wrap_key(master, keys.pin_key)
        + check_value(keys.pin_key)
        + wrap_key(master, keys.mac_key)
        + _BLOCK
        + check_value(keys.mac_key)
        + wrap_key(master, keys.track_key)
        + check_value(keys.track_key)
    )


def parse_de62(master: bytes, de62: bytes) -> WorkingKeys:
    """The working keys in a DE62. Raises ValueError on another length or when a check value is wrong (another master key)."""
    if len(de62) != DE62_BYTES:
        raise ValueError(f"DE62 of {len(de62)} bytes instead of {DE62_BYTES}")
    keys = WorkingKeys(unwrap_key(master, de62[:16]), unwrap_key(master, de62[20:28]), unwrap_key(master, de62[40:56]))
    given = de62[16:20] + de62[36:40] + de62[56:60]
    computed = check_value(keys.pin_key) + check_value(keys.mac_key) + check_value(keys.track_key)
    if de62[28:36] != _BLOCK or not hmac.compare_digest(given, computed):
        raise ValueError("DE62 check value does not match")
    return keys


def _cipher(key: bytes) -> "Cipher[ECB]":
    # Spelt out to 24 bytes, because not every OpenSSL takes the short forms.
    whole = {8: key * 3, 16: key + key[:8], 24: key}[len(key)]
    return Cipher(TripleDES(whole), ECB())  # noqa: S305 - what the 0810 of POS terminals says


def _encrypt(key: bytes, data: bytes) -> bytes:
    encryptor = _cipher(key).encryptor()
    return encryptor.update(data) + encryptor.finalize()
