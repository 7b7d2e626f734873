"""What both keepers do with the key of a card once they hold it: MACs, TACs, commands. Getting it is theirs (`_key`, `_block`).

Keys of cards live in this process's memory for the moment of their use, whichever keeper it is (docs/adr/0060).
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from onecard.protocol.purse import proofs, secure
from onecard.protocol.purse.ciphers import KEY_BYTES, MAC_BYTES, Algorithm, check_value, encrypt_ecb, pad_80
from onecard.services.keys.custody.components import Component, Scheme, combine, derive_share, new_component
from onecard.services.keys.errors import KeyNotExportable
from onecard.services.keys.keepers.base import KeyPath, SealedComponent
from onecard.services.keys.keepers.secret import KeyBytes, guarded
from onecard.services.keys.uses import SIGNING_USES, WHOLE_USES


class CardWork(ABC):
    """The working half of a keeper."""

    @abstractmethod
    def _key(self, path: KeyPath) -> KeyBytes:
        """The key at a path, in this process's memory. Raises KeyNotExportable where it never leaves a token."""

    @abstractmethod
    def _block(self, path: KeyPath, card_numbers: Sequence[int]) -> KeyBytes:
        """The keys of many cards, 16 bytes each, one level below a path."""

    @abstractmethod
    def _seal(self, value: bytes, binding: bytes) -> bytes:
        """Under the keeper's own key, bound to `binding`."""

    @abstractmethod
    def _unseal(self, blob: bytes, binding: bytes) -> KeyBytes:
        """The reverse of `_seal`."""

    # --- proofs

    @guarded
    def check_value(self, path: KeyPath) -> bytes:
        return check_value(path.cipher, self._key(path))

    @guarded
    def verify_tacs(self, path: KeyPath, card_numbers: Sequence[int], data: Sequence[bytes], tacs: Sequence[int]) -> list[bool]:
        keys = self._block(path, card_numbers)
        made = _sm4_tacs(keys, data) if path.cipher is Algorithm.SM4 else _des_tacs(keys, data)
        # Both sides are known to who sent the record; nothing is learnt from how long this takes.
        return [int.from_bytes(one, "big") == tac for one, tac in zip(made, tacs, strict=True)]

    @guarded
    def session_mac(self, path: KeyPath, seed: bytes, data: bytes) -> bytes:
        session = KeyBytes(proofs.session_key(path.cipher, self._key(path), seed))
        return proofs.mac4(path.cipher, session, data)

    @guarded
    def tac(self, path: KeyPath, data: bytes) -> bytes:
        return proofs.tac(path.cipher, self._key(path), data)

    # --- commands

    @guarded
    def external_authentication(self, path: KeyPath, challenge: bytes) -> bytes:
        return secure.external_authentication(path.cipher, self._key(path), challenge)

    @guarded
    def command_mac(self, path: KeyPath, header: bytes, body: bytes, *, challenge: bytes) -> bytes:
        return secure.command_mac(path.cipher, self._key(path), header, body, challenge=challenge)

    @guarded
    def key_command(self, header: bytes, prefix: bytes, *, loaded: KeyPath, under: KeyPath, challenge: bytes) -> bytes:
        key = self._key(under)
        body = secure.cipher_body(under.cipher, key, KeyBytes(prefix + self._leaving(loaded)))
        mac = secure.command_mac(under.cipher, key, header, body, challenge=challenge)
        return header + bytes((len(body) + MAC_BYTES,)) + body + mac

    @guarded
    def wrap(self, target: KeyPath, zone: KeyPath) -> bytes:
        return encrypt_ecb(zone.cipher, self._key(zone), self._leaving(target))

    def _leaving(self, path: KeyPath) -> KeyBytes:
        """A key that is to leave, ciphered: a card's own may, one with keys below it only if it was made so."""
        slot = path.handle.slot
        if slot.use in SIGNING_USES or not (path.is_leaf or slot.exportable or slot.use in WHOLE_USES):
            raise KeyNotExportable(f"密钥 {slot} 生成时即设为不可导出", f"the key {slot} was made to stay inside its keeper")
        return self._key(path)

    @abstractmethod
    def secret(self, name: str) -> bytes:
        """32 bytes of this vault's own for a purpose."""

    @guarded
    def sign_as(self, name: str, payload: bytes) -> tuple[bytes, bytes]:
        key = Ed25519PrivateKey.from_private_bytes(self.secret(f"signing {name}"))
        return key.public_key().public_bytes_raw(), key.sign(payload)

    # --- components

    @guarded
    def seal_component(self, component: Component, *, context: str, cipher: Algorithm) -> SealedComponent:
        return self._sealed(component, context, cipher)

    @guarded
    def make_component(self, number: int, *, context: str, cipher: Algorithm) -> SealedComponent:
        return self._sealed(new_component(number), context, cipher)

    @guarded
    def derive_share(
        self, scheme: Scheme, components: Sequence[SealedComponent], number: int, *, context: str, cipher: Algorithm
    ) -> SealedComponent:
        return self._sealed(derive_share(scheme, [self._open(one) for one in components], number), context, cipher)

    @guarded
    def open_component(self, sealed: SealedComponent) -> Component:
        return self._open(sealed)

    def _combined(self, scheme: Scheme, components: Sequence[SealedComponent]) -> KeyBytes:
        return KeyBytes(combine(scheme, [self._open(one) for one in components]))

    def _sealed(self, component: Component, context: str, cipher: Algorithm) -> SealedComponent:
        binding = _component_binding(context, component.number)
        kcv = check_value(cipher, component.value)
        return SealedComponent(component.number, context, self._seal(component.value, binding), kcv)

    def _open(self, sealed: SealedComponent) -> Component:
        return Component(sealed.number, self._unseal(sealed.blob, _component_binding(sealed.context, sealed.number)))


def public_check(public: bytes) -> bytes:
    """What people compare of a signing key: the first 3 bytes of its public key's SHA-256."""
    return hashlib.sha256(public).digest()[:3]


def _component_binding(context: str, number: int) -> bytes:
    return f"onecard component v1|{number}|{context}".encode()


def _des_tacs(keys: KeyBytes, data: Sequence[bytes]) -> list[bytes]:
    """Full chains of single DES under the folded halves: one addition of all keys at once, then a cipher a record."""
    size = len(keys)
    whole = int.from_bytes(keys, "big")
    folded = KeyBytes((whole ^ whole << 64 & (1 << 8 * size) - 1).to_bytes(size, "big") if size else b"")
    zero = modes.CBC(bytes(8))
    clear = bytes.__getitem__
    return [
        Cipher(TripleDES(clear(folded, slice(at, at + 8)) * 3), zero).encryptor().update(pad_80(one, 8))[-8:-4]
        for at, one in zip(range(0, size, KEY_BYTES), data, strict=True)
    ]


def _sm4_tacs(keys: KeyBytes, data: Sequence[bytes]) -> list[bytes]:
    zero = modes.CBC(bytes(16))
    clear = bytes.__getitem__
    return [
        Cipher(SM4(clear(keys, slice(at, at + KEY_BYTES))), zero).encryptor().update(pad_80(one, 16))[-16:-12]
        for at, one in zip(range(0, len(keys), KEY_BYTES), data, strict=True)
    ]
