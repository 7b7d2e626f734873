"""The PKCS#11 keeper (K4): roots are sensitive, non-extractable objects of a token, and keys are diversified inside it.

What leaves the token is a card's own key, into this process's memory and no further (docs/adr/0060). Keys that somebody else
holds too (transport, zone) and components of a ceremony are sealed under an AES key of the token's.
"""

import hashlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from onecard.protocol.purse.ciphers import KEY_BYTES, check_value
from onecard.protocol.purse.diversify import card_factor, diversify_path
from onecard.services.keys.custody.components import Scheme
from onecard.services.keys.errors import AlgorithmUnsupported, KeyNotExportable, VaultLocked
from onecard.services.keys.keepers import token as tokens
from onecard.services.keys.keepers.base import Handle, KeyPath, SealedComponent, Slot, Stored
from onecard.services.keys.keepers.secret import KeyBytes, guarded
from onecard.services.keys.keepers.work import CardWork, public_check
from onecard.services.keys.uses import WHOLE_USES, KeyAlgorithm

_NONCE = 12
_ED25519 = bytes.fromhex("130c656477617264733235353139")  # PrintableString "edwards25519", as PKCS#11 3.0 names the curve


class Pkcs11Keeper(CardWork):
    """One session with a token, for one thread at a time."""

    name = "pkcs11"

    def __init__(self, session: Any, uid: bytes, label: str) -> None:
        self._session = session
        self._uid = uid
        self._label = label
        self._lock = threading.RLock()
        self._below: dict[tuple[str, tuple[bytes, ...]], Any] = {}
        self._pkcs11 = tokens.load()
        self._seal_key = self._find_aes("seal")
        self._secret_key = self._find_aes("secret")

    def __repr__(self) -> str:
        return f"<PKCS#11 keeper, token {self._label}>"

    @classmethod
    def prepare(cls, uid: bytes) -> str:
        """Make a vault's own AES keys in the configured token; gives the token's label. Raises VaultLocked."""
        pkcs11 = tokens.load()
        session, label = tokens.open_session()
        attribute = pkcs11.Attribute
        with session:
            for purpose in ("seal", "secret"):
                template = {
                    attribute.SENSITIVE: True,
                    attribute.EXTRACTABLE: False,
                    attribute.WRAP: False,
                    attribute.UNWRAP: False,
                }
                name = f"onecard {purpose} {uid.hex()}"
                session.generate_key(pkcs11.KeyType.AES, 256, label=name, store=True, template=template)
        return label

    @classmethod
    def open(cls, uid: bytes, label: str) -> "Pkcs11Keeper":
        """The keeper of a vault. Raises VaultLocked where the token is missing, locked or another vault's."""
        session, found = tokens.open_session(label)
        try:
            return cls(session, uid, found)
        except BaseException:
            session.close()
            raise

    # --- making and ending

    @guarded
    def generate(self, slot: Slot) -> Stored:
        self._require(slot)
        if slot.algorithm is KeyAlgorithm.ED25519:
            return self._generate_signing(slot)
        if slot.use in WHOLE_USES:
            return self._stored(slot, KeyBytes(secrets.token_bytes(KEY_BYTES)))
        object_id = secrets.token_bytes(16)
        template = tokens.key_template(exportable=slot.exportable, stored=True)
        with self._lock:
            key = self._session.generate_key(
                self._pkcs11.KeyType.DES2, label=_label(slot), id=object_id, store=True, template=template
            )
            return Stored(self._encrypt(key, bytes(8))[:3], object_id=object_id.hex())

    @guarded
    def combine(self, slot: Slot, scheme: Scheme, components: Sequence[SealedComponent]) -> Stored:
        self._require(slot)
        return self._stored(slot, self._combined(scheme, components))

    @guarded
    def destroy(self, handle: Handle) -> None:
        self.forget()
        if not handle.object_id:
            return
        wanted = {self._pkcs11.Attribute.ID: bytes.fromhex(handle.object_id)}
        with self._lock:
            for found in list(self._session.get_objects(wanted)):
                found.destroy()

    def forget(self) -> None:
        with self._lock:
            dropped, self._below = self._below, {}
            for (_, factors), key in dropped.items():
                if factors:  # the roots themselves are the token's
                    key.destroy()

    def close(self) -> None:
        with self._lock:
            self._below = {}
            self._session.close()

    @guarded
    def sign(self, handle: Handle, payload: bytes) -> bytes:
        with self._lock:
            private = self._session.get_key(self._pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(handle.object_id))
            return bytes(private.sign(payload, mechanism=self._pkcs11.Mechanism.EDDSA))

    @guarded
    def secret(self, name: str) -> bytes:
        digest = hashlib.sha256(b"onecard platform secret v1|" + self._uid + name.encode()).digest()
        with self._lock:  # AES of a digest, under a key that does nothing else
            return KeyBytes(self._secret_key.encrypt(digest, mechanism=self._pkcs11.Mechanism.AES_ECB))

    @guarded
    def check_value(self, path: KeyPath) -> bytes:
        if path.is_leaf or path.handle.blob is not None:
            return check_value(path.cipher, self._key(path))
        with self._lock:
            return self._encrypt(self._object(path), bytes(8))[:3]

    # --- for CardWork

    def _key(self, path: KeyPath) -> KeyBytes:
        handle = path.handle
        if handle.blob is not None:
            whole = self._unseal(handle.blob, handle.slot.binding())
            return KeyBytes(diversify_path(path.cipher, whole, path.factors))
        if not path.is_leaf:
            raise KeyNotExportable(
                f"密钥 {handle.slot} 保存在令牌 {self._label} 内，不离开令牌",
                f"the key {handle.slot} lives in the token {self._label} and does not leave it",
            )
        with self._lock:
            parent = self._object(KeyPath(handle, path.factors[:-1]))
            return KeyBytes(self._encrypt(parent, _both(path.factors[-1])))

    def _leaving(self, path: KeyPath) -> KeyBytes:
        if path.handle.object_id and path.handle.slot.exportable and not path.is_leaf:
            return self._extract(path)
        return super()._leaving(path)

    def _block(self, path: KeyPath, card_numbers: Sequence[int]) -> KeyBytes:
        if path.handle.blob is not None:
            raise AssertionError("keys used whole have no cards below them")
        plain = b"".join([_both(card_factor(number)) for number in card_numbers])
        with self._lock:
            return KeyBytes(self._encrypt(self._object(path), plain) if plain else b"")

    def _seal(self, value: bytes, binding: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        with self._gcm(nonce, binding) as how, self._lock:
            return nonce + bytes(self._seal_key.encrypt(value, **how))

    def _unseal(self, blob: bytes, binding: bytes) -> KeyBytes:
        with self._gcm(blob[:_NONCE], binding) as how, self._lock:
            return KeyBytes(self._seal_key.decrypt(blob[_NONCE:], **how))

    # --- inside

    @contextmanager
    def _gcm(self, nonce: bytes, binding: bytes) -> Iterator[dict[str, Any]]:
        parameters = self._pkcs11.GCMParams(nonce, aad=self._uid + binding)
        yield {"mechanism": self._pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}

    def _require(self, slot: Slot) -> None:
        if slot.algorithm is KeyAlgorithm.SM4:
            raise AlgorithmUnsupported(
                f"令牌 {self._label} 不支持 SM4（PKCS#11 标准机制中没有 SM4）：该密钥请用软件保管库",
                f"the token {self._label} has no SM4 (PKCS#11 names no mechanism for it): keep this key in a software vault",
            )

    def _object(self, path: KeyPath) -> Any:
        """The key at a path as an object of the token, or of the session for one derived."""
        place = (path.handle.object_id, path.factors)
        key = self._below.get(place)
        if key is None:
            if path.factors:
                parent = self._object(KeyPath(path.handle, path.factors[:-1]))
                key = tokens.derive_below(parent, _both(path.factors[-1]), exportable=path.handle.slot.exportable)
            else:
                key = self._session.get_key(self._pkcs11.ObjectClass.SECRET_KEY, id=bytes.fromhex(path.handle.object_id))
            self._below[place] = key
        return key

    def _encrypt(self, key: Any, data: bytes) -> bytes:
        return bytes(key.encrypt(data, mechanism=self._pkcs11.Mechanism.DES3_ECB))

    def _extract(self, path: KeyPath) -> KeyBytes:
        """A key that was made extractable, wrapped under an AES key of this moment."""
        attribute = self._pkcs11.Attribute
        moment = KeyBytes(secrets.token_bytes(32))
        with self._lock:
            over = self._session.create_object(
                {
                    attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
                    attribute.KEY_TYPE: self._pkcs11.KeyType.AES,
                    attribute.VALUE: bytes(moment),
                    attribute.TOKEN: False,
                    attribute.WRAP: True,
                }
            )
            try:
                wrapped = over.wrap_key(self._object(path), mechanism=self._pkcs11.Mechanism.AES_KEY_WRAP)
            finally:
                over.destroy()
        return KeyBytes(aes_key_unwrap(moment, bytes(wrapped)))

    def _stored(self, slot: Slot, key: KeyBytes) -> Stored:
        kcv = check_value(KeyPath(Handle(slot)).cipher, key)
        if slot.use in WHOLE_USES:
            return Stored(kcv, self._seal(key, slot.binding()))
        attribute = self._pkcs11.Attribute
        object_id = secrets.token_bytes(16)
        template = tokens.key_template(exportable=slot.exportable, stored=True) | {
            attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
            attribute.KEY_TYPE: self._pkcs11.KeyType.DES2,
            attribute.LABEL: _label(slot),
            attribute.ID: object_id,
            attribute.VALUE: bytes(key),
        }
        with self._lock:
            self._session.create_object(template)
        return Stored(kcv, object_id=object_id.hex())

    def _generate_signing(self, slot: Slot) -> Stored:
        pkcs11, object_id = self._pkcs11, secrets.token_bytes(16)
        with self._lock:
            parameters = self._session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS, {pkcs11.Attribute.EC_PARAMS: _ED25519}, local=True
            )
            private = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
            public_key, _ = parameters.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN, id=object_id, label=_label(slot), store=True,
                private_template=private,
            )  # fmt: skip
            public = bytes(public_key[pkcs11.Attribute.EC_POINT])[-32:]
        return Stored(public_check(public), object_id=object_id.hex(), public=public)

    def _find_aes(self, purpose: str) -> Any:
        label = f"onecard {purpose} {self._uid.hex()}"
        try:
            return self._session.get_key(self._pkcs11.ObjectClass.SECRET_KEY, label=label)
        except self._pkcs11.exceptions.PKCS11Error:
            raise VaultLocked(
                f"令牌 {self._label} 内没有本保管库的密钥", f"the token {self._label} does not hold this vault's keys"
            ) from None


def _both(factor: bytes) -> bytes:
    """factor | not factor: what diversification enciphers."""
    return factor + bytes(byte ^ 0xFF for byte in factor)


def _label(slot: Slot) -> str:
    return f"onecard {slot.use} {slot.level}:{slot.owner} v{slot.version}"
