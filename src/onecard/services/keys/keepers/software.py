"""The software keeper: keys are AES-256-GCM blobs in the database; their data key is in memory while the vault is open (K4)."""

import secrets
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from onecard.protocol.purse.ciphers import KEY_BYTES, Algorithm, check_value
from onecard.protocol.purse.diversify import diversify_cards, diversify_path
from onecard.services.keys.custody.components import Scheme
from onecard.services.keys.keepers import envelope
from onecard.services.keys.keepers.base import Handle, KeyPath, SealedComponent, Slot, Stored
from onecard.services.keys.keepers.secret import KeyBytes, guarded
from onecard.services.keys.keepers.work import CardWork, public_check
from onecard.services.keys.uses import KeyAlgorithm

_ED25519_SEED = 32


class SoftwareKeeper(CardWork):
    """Opens blobs with the data key and keeps those it opened until the tree changes."""

    name = "software"

    def __init__(self, data_key: KeyBytes, uid: bytes) -> None:
        self._data_key: KeyBytes | None = data_key
        self._uid = uid
        self._opened: dict[tuple[bytes, bytes], KeyBytes] = {}

    def __repr__(self) -> str:
        return "<software keeper>"

    @guarded
    def generate(self, slot: Slot) -> Stored:
        size = _ED25519_SEED if slot.algorithm is KeyAlgorithm.ED25519 else KEY_BYTES
        return self._stored(slot, KeyBytes(secrets.token_bytes(size)))

    @guarded
    def combine(self, slot: Slot, scheme: Scheme, components: Sequence[SealedComponent]) -> Stored:
        return self._stored(slot, self._combined(scheme, components))

    @guarded
    def destroy(self, handle: Handle) -> None:
        self.forget()

    def forget(self) -> None:
        self._opened = {}

    def close(self) -> None:
        self._data_key = None
        self.forget()

    @guarded
    def sign(self, handle: Handle, payload: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self._open_handle(handle)).sign(payload)

    @guarded
    def secret(self, name: str) -> bytes:
        info = b"onecard platform secret v1|" + name.encode()
        return KeyBytes(HKDF(hashes.SHA256(), 32, salt=self._uid, info=info).derive(self._root()))

    @guarded
    def wrap_data_key(self, passphrase: KeyBytes, kdf: envelope.KdfParameters) -> envelope.Wrapped:
        """The data key under another passphrase; nothing sealed under it changes."""
        return envelope.wrap_data_key(self._root(), passphrase, self._uid, kdf)

    # --- for CardWork

    def _key(self, path: KeyPath) -> KeyBytes:
        return KeyBytes(diversify_path(path.cipher, self._open_handle(path.handle), path.factors))

    def _block(self, path: KeyPath, card_numbers: Sequence[int]) -> KeyBytes:
        return KeyBytes(diversify_cards(path.cipher, self._key(path), card_numbers))

    def _seal(self, value: bytes, binding: bytes) -> bytes:
        return envelope.seal(self._root(), value, self._uid + binding)

    def _unseal(self, blob: bytes, binding: bytes) -> KeyBytes:
        return envelope.unseal(self._root(), blob, self._uid + binding)

    def _open_handle(self, handle: Handle) -> KeyBytes:
        assert handle.blob is not None
        known = (handle.blob, handle.slot.binding())
        key = self._opened.get(known)
        if key is None:
            key = self._opened[known] = self._unseal(*known)
        return key

    def _stored(self, slot: Slot, key: KeyBytes) -> Stored:
        blob = self._seal(key, slot.binding())
        if slot.algorithm is KeyAlgorithm.ED25519:
            public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return Stored(public_check(public), blob, public=public)
        return Stored(check_value(Algorithm(slot.algorithm), key), blob)

    def _root(self) -> KeyBytes:
        assert self._data_key is not None, "the vault is closed"
        return self._data_key
