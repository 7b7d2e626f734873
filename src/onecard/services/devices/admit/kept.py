"""A secret of the platform that is kept behind the key vault, or in a file where there is no vault yet (G2, K4).

With a vault it is a row of the database, sealed under a key that only the vault gives: whoever copies the database or the home
has nothing without the passphrase. A file from the time before the vault is sealed at its next use and removed. While a vault
is locked, a file that is still there goes on serving, and what is sealed is out of reach.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import OperationalError, transaction

from onecard.kernel.clock import SystemClock
from onecard.kernel.errors import Unavailable
from onecard.services.devices.models import SealedSecret
from onecard.services.keys import api as keys

log = logging.getLogger(__name__)
_NONCE: Final = 12


class Place(StrEnum):
    """Where a secret is."""

    NOWHERE = "nowhere"
    FILE = "file"
    VAULT = "vault"


@dataclass(frozen=True, slots=True)
class Kept:
    """One secret by name; `file` is where it stands without a vault, `write_once` puts it there unless another was first."""

    name: str
    file: Path
    make: Callable[[], bytes] = field(repr=False)
    write_once: Callable[[Path, bytes], None] = field(repr=False)

    def place(self) -> Place:
        """Where it is now; makes nothing."""
        if SealedSecret.objects.filter(pk=self.name).exists():
            return Place.VAULT
        return Place.FILE if self.file.exists() else Place.NOWHERE

    def read(self) -> bytes:
        """The secret, made at its first use. Raises Unavailable (VaultLocked among it) where it is out of reach."""
        plain = self.file.read_bytes() if self.file.exists() else None
        try:
            box = _vault_key(self.name)
        except Unavailable:
            # Service goes on with the file while somebody looks for the passphrase; nothing new is ever made outside the vault.
            if plain is None:
                raise
            log.warning("the vault is locked: %s is used from the file %s", self.name, self.file)
            return plain
        if box is None:
            if plain is None:
                self.write_once(self.file, self.make())
                plain = self.file.read_bytes()
            return plain
        return self._sealed(box, plain)

    def _sealed(self, box: bytes, plain: bytes | None) -> bytes:
        row = SealedSecret.objects.filter(pk=self.name).first()
        if row is None:
            sealed = _seal(box, plain if plain is not None else self.make(), self.name)
            # Of two that come at once the first one's counts: both read what is in the table afterwards.
            SealedSecret.objects.bulk_create(
                [SealedSecret(name=self.name, sealed=sealed, sealed_at=SystemClock().now())], ignore_conflicts=True
            )
            row = SealedSecret.objects.get(pk=self.name)
        content = _open(box, bytes(row.sealed), self.name)
        if plain == content:
            # Only when the row is there for good: a rollback must leave one of the two.
            transaction.on_commit(lambda: self.file.unlink(missing_ok=True))
        elif plain is not None:
            log.warning("%s is not what the vault has as %s: it is not used; remove it", self.file, self.name)
        return content


def _vault_key(name: str) -> bytes | None:
    """The key that seals a secret; None without a vault."""
    try:
        if not keys.has_vault():
            return None
    except OperationalError as error:
        raise Unavailable(f"连不上数据库：{error}", f"cannot reach the database: {error}") from None
    return keys.open_vault().secret(f"seal {name}")


def _seal(box: bytes, content: bytes, name: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(box).encrypt(nonce, content, name.encode())


def _open(box: bytes, sealed: bytes, name: str) -> bytes:
    try:
        return keys.KeyBytes(AESGCM(box).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode()))
    except InvalidTag:
        pass
    # Outside of the handler: its frame has the key among its locals.
    raise Unavailable(f"{name} 不是本密钥保管库封存的", f"{name} was not sealed by this key vault")
