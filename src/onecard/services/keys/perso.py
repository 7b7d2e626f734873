"""The keys of one card or module while it is personalised: ready-made commands, each use written down (K1, K3).

They have the shape of `protocol.purse.perso.KeySource`; uses may be given by their name.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from onecard.services.keys.book import Entry
from onecard.services.keys.errors import KeyMissing
from onecard.services.keys.keepers.base import KeyPath
from onecard.services.keys.uses import KeyAlgorithm, KeyUse

if TYPE_CHECKING:
    from onecard.services.keys.vault import Vault

Chosen = tuple[Entry, KeyPath]


class PersoKeys:
    """One card's or module's keys, of the versions that were active when it was opened."""

    def __init__(
        self, vault: "Vault", subject: str, *, own: Mapping[KeyUse, Chosen], transport: Chosen | None, kind: str
    ) -> None:
        self._vault = vault
        self._subject = subject
        self._own = dict(own)
        self._transport = transport
        self._kind = kind

    def __repr__(self) -> str:
        return f"<keys of {self._subject}>"

    def versions(self) -> dict[KeyUse, tuple[int, int, KeyAlgorithm]]:
        """Version, index on the card and algorithm of each key there is."""
        return {use: (entry.slot.version, entry.index, entry.slot.algorithm) for use, (entry, _) in self._own.items()}

    def external_authentication(self, use: KeyUse | str, challenge: bytes, *, initial: bool) -> bytes:
        """The 8 bytes that answer a challenge. Raises KeyMissing."""
        entry, path = self._choose(use, initial=initial)
        answer = self._vault.keeper.external_authentication(path, challenge)
        self._note("authenticate", entry)
        return answer

    def mac(self, header: bytes, body: bytes, *, challenge: bytes, under: KeyUse | str, initial: bool) -> bytes:
        """The 4 MAC bytes of a command. Raises KeyMissing."""
        entry, path = self._choose(under, initial=initial)
        mac = self._vault.keeper.command_mac(path, header, body, challenge=challenge)
        self._note("mac", entry)
        return mac

    def key_command(
        self, header: bytes, plain_prefix: bytes, use: KeyUse | str, *, challenge: bytes, under: KeyUse | str, initial: bool
    ) -> bytes:
        """The command that loads the key of `use`: header | Lc | ciphered body | MAC. Raises KeyMissing, KeyNotExportable."""
        key, loaded = self._choose(use, initial=False)
        over, path = self._choose(under, initial=initial)
        command = self._vault.keeper.key_command(header, plain_prefix, loaded=loaded, under=path, challenge=challenge)
        self._note("load_key", key, over)
        return command

    def _choose(self, use: KeyUse | str, *, initial: bool) -> Chosen:
        wanted = KeyUse.TRANSPORT if initial else KeyUse(use)
        chosen = self._transport if initial else self._own.get(wanted)
        if chosen is None:
            raise missing(wanted)
        return chosen

    def _note(self, operation: str, *entries: Entry) -> None:
        keys: dict[int, int] = {}
        for entry in entries:
            keys[entry.key_id] = keys.get(entry.key_id, 0) + 1
        self._vault.note(f"{self._kind}.{operation}", subject=self._subject, keys=keys, count=1)


def missing(use: KeyUse, detail: str = "") -> KeyMissing:
    """There is no key in force for a use."""
    return KeyMissing(f"没有可用的 {use} 密钥{detail}", f"no key for {use} is in force{detail}")
