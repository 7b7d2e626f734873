"""A vault in memory with random root keys, for tests that interrupt a thousand times; the real one is used in test_vault.py."""

import hmac
import json
import secrets
from pathlib import Path
from typing import Any

from onecard.protocol.purse import proofs, secure
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.protocol.purse.perso import CardKey

_USES = [use for use in CardKey if use not in (CardKey.SAM_CONTROL, CardKey.OVERDRAFT)]


class MemoryVault:
    """What the engine asks of the vault. `path` shares it with other processes."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None and path.exists():
            roots = {use: bytes.fromhex(text) for use, text in json.loads(path.read_text()).items()}
        else:
            roots = {str(use): secrets.token_bytes(16) for use in (*_USES, "transport")}
            if path is not None:
                path.write_text(json.dumps({use: key.hex() for use, key in roots.items()}))
        self._roots = roots
        self.transport = roots["transport"]
        self.version = 1

    def open_personalisation(self, card: Any) -> "MemoryKeys":
        factors = (area_factor(card.operator_id), card_factor(card.card_no))
        keys = {use: diversify_path(Algorithm.DES3, self._roots[use], factors) for use in _USES}
        return MemoryKeys(keys, self.transport, self.version)

    def load_mac1_ok(self, card: Any, load: proofs.Load, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool:
        key = self.open_personalisation(card).keys[CardKey.LOAD]
        session = proofs.load_session(Algorithm(algorithm), key, random=random, online_counter=load.online_counter)
        return version == self.version and hmac.compare_digest(proofs.mac4(Algorithm(algorithm), session, load.mac1_data()), mac1)


class MemoryKeys:
    def __init__(self, keys: dict[CardKey, bytes], transport: bytes, version: int) -> None:
        self.keys, self._transport, self._version = keys, transport, version

    def versions(self) -> dict[CardKey, tuple[int, int, int]]:
        return {use: (self._version, 1, int(Algorithm.DES3)) for use in _USES}

    def external_authentication(self, use: str, challenge: bytes, *, initial: bool) -> bytes:
        return secure.external_authentication(Algorithm.DES3, self._key(use, initial), challenge)

    def key_command(self, header: bytes, plain_prefix: bytes, use: str, *, challenge: bytes, under: str, initial: bool) -> bytes:
        body = secure.cipher_body(Algorithm.DES3, self._key(under, initial), plain_prefix + self.keys[CardKey(use)])
        return header + bytes((len(body) + 4,)) + body + self.mac(header, body, challenge=challenge, under=under, initial=initial)

    def mac(self, header: bytes, body: bytes, *, challenge: bytes, under: str, initial: bool) -> bytes:
        return secure.command_mac(Algorithm.DES3, self._key(under, initial), header, body, challenge=challenge)

    def _key(self, use: str, initial: bool) -> bytes:
        return self._transport if initial else self.keys[CardKey(use)]
