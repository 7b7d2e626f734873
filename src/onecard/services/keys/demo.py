"""The vault of a demonstration city: a random passphrase beside the data, one active key of each use. Never for real cards."""

import hashlib
from collections.abc import Iterable

from django.db import transaction

from onecard.datacenter.home import Home
from onecard.kernel.errors import RuleViolated
from onecard.protocol.purse.ciphers import KEY_BYTES
from onecard.services.actors import Actor
from onecard.services.keys.custody.components import Component, Scheme, split
from onecard.services.keys.keepers.envelope import KdfParameters
from onecard.services.keys.keepers.secret import KeyBytes
from onecard.services.keys.models import VaultHeader
from onecard.services.keys.opening import init_vault, open_vault
from onecard.services.keys.passphrase import demo_passphrase
from onecard.services.keys.tree import lock_set
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level, algorithms_of
from onecard.services.keys.vault import Vault
from onecard.services.keys.vault_base import PURSE

_MAKER_SECRET = "demo-maker-key"  # noqa: S105 - the name of the secret, not the secret
_ACTOR = Actor.system("demo")


def init_demo(home: Home, *, kdf: KdfParameters | None = None, uses: Iterable[KeyUse] = tuple(KeyUse)) -> None:
    """Vault, passphrase and an active root of every use and algorithm where there are none; does nothing where there are.

    Raises RuleViolated (K4) where the vault is a real one: its keys come from ceremonies; VaultLocked where the demonstration's
    passphrase is not in this home.
    """
    header = VaultHeader.objects.first()
    if header is None:
        init_vault(bytes(demo_passphrase(home).value), actor=_ACTOR, demonstration=True, kdf=kdf)
    elif not header.demonstration:
        raise RuleViolated(
            "K4：这里已有真实的保管库，不能作演示之用", "K4: there is a real vault here, which is no demonstration's", rule="K4"
        )
    vault = open_vault()
    with transaction.atomic():  # two that start at once: the second one waits, and finds everything made
        lock_set(PURSE)
        _make_missing(vault, home, uses)


def _make_missing(vault: Vault, home: Home, uses: Iterable[KeyUse]) -> None:
    have = {(key.use, key.algorithm) for key in vault.status() if key.level is Level.ROOT and key.state != "destroyed"}
    for use in uses:
        for algorithm in algorithms_of(use):
            if (use, algorithm) not in have:
                vault.activate(_make(vault, home, use, algorithm), actor=_ACTOR)


def demo_maker_key(home: Home, algorithm: KeyAlgorithm | int) -> bytes:
    """The transport key that the maker of the demonstration's blank cards and modules put into them; it is the maker's own."""
    text = home.secret(f"{_MAKER_SECRET}-{KeyAlgorithm(algorithm).name.lower()}")
    return KeyBytes(hashlib.sha256(text.encode()).digest()[:KEY_BYTES])  # the home makes random text of its own length


def _make(vault: Vault, home: Home, use: KeyUse, algorithm: KeyAlgorithm) -> int:
    if use is not KeyUse.TRANSPORT:
        return vault.rotate(use, algorithm=algorithm, actor=_ACTOR).key_id
    scheme = Scheme(2, 2)
    parts: list[Component] = split(scheme, demo_maker_key(home, algorithm))
    sealed = [vault.seal_component(part, context="demo maker", algorithm=algorithm) for part in parts]
    return vault.combine_components(use, scheme, sealed, algorithm=algorithm, actor=_ACTOR).key_id
