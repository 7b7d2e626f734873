"""Envelope encryption: AES-256-GCM under a data key, wrapped under a master key that Argon2id makes of a passphrase."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from onecard.services.keys.errors import VaultLocked
from onecard.services.keys.keepers.secret import KeyBytes

_NONCE: Final = 12
_DATA_KEY: Final = 32
_SALT: Final = 16
# What somebody writes into the database must neither make guessing cheap nor the opening eat the machine.
_LEAST_KIB, _MOST_KIB = 8 * 1024, 1024 * 1024
_MOST_TIME: Final = 64


@dataclass(frozen=True, slots=True)
class KdfParameters:
    """Argon2id: passes, memory in KiB, lanes. The default is RFC 9106's second recommendation."""

    time_cost: int = 3
    memory_kib: int = 64 * 1024
    lanes: int = 4

    @property
    def is_sane(self) -> bool:
        """Whether within what this program accepts."""
        return 1 <= self.time_cost <= _MOST_TIME and _LEAST_KIB <= self.memory_kib <= _MOST_KIB and 1 <= self.lanes <= 16


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The data key under a master key, with what the master key is made with besides the passphrase."""

    salt: bytes
    kdf: KdfParameters
    blob: bytes = field(repr=False)


def seal(key: bytes, value: bytes, binding: bytes) -> bytes:
    """nonce | ciphertext | tag. Nonces are random: fewer than 2^32 seals under one data key (NIST SP 800-38D 8.3)."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, value, binding)


def unseal(key: bytes, blob: bytes, binding: bytes) -> KeyBytes:
    """The reverse. Raises InvalidTag for another key, another binding, a changed blob."""
    return KeyBytes(AESGCM(key).decrypt(blob[:_NONCE], blob[_NONCE:], binding))


def new_data_key() -> KeyBytes:
    """Random."""
    return KeyBytes(secrets.token_bytes(_DATA_KEY))


def wrap_data_key(data_key: KeyBytes, passphrase: KeyBytes, uid: bytes, kdf: KdfParameters) -> Wrapped:
    """The data key under a fresh salt."""
    salt = secrets.token_bytes(_SALT)
    return Wrapped(salt, kdf, seal(_master_key(passphrase, salt, kdf), data_key, _binding(uid, kdf)))


def unwrap_data_key(wrapped: Wrapped, passphrase: KeyBytes, uid: bytes) -> KeyBytes:
    """The data key. Raises VaultLocked for a wrong passphrase; whoever changed the row gets the same answer."""
    opened: KeyBytes | None = None
    if wrapped.kdf.is_sane:
        try:
            opened = unseal(_master_key(passphrase, wrapped.salt, wrapped.kdf), wrapped.blob, _binding(uid, wrapped.kdf))
        except InvalidTag:
            opened = None
    if opened is None:  # outside of the handler, so that no frame with the master key is the error's context
        raise VaultLocked("密钥保管库的口令不对", "wrong passphrase of the key vault")
    return opened


def _master_key(passphrase: KeyBytes, salt: bytes, kdf: KdfParameters) -> KeyBytes:
    made = hash_secret_raw(passphrase, salt, kdf.time_cost, kdf.memory_kib, kdf.lanes, _DATA_KEY, Type.ID)
    return KeyBytes(made)


def _binding(uid: bytes, kdf: KdfParameters) -> bytes:
    return b"onecard data key v1|" + uid + f"|{kdf.time_cost}|{kdf.memory_kib}|{kdf.lanes}".encode()
