"""What a keeper is: it makes keys, holds their bytes and works with them. Callers hold handles; no clear key comes back.

The one exception is `open_component`, which shows one custodian the own component (K2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.custody.components import Component, Scheme
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level


@dataclass(frozen=True, slots=True)
class Slot:
    """What a key is. Its sealed bytes are bound to this: in another row they do not open."""

    key_set: int
    use: KeyUse
    algorithm: KeyAlgorithm
    level: Level
    owner: int
    version: int
    exportable: bool = False

    def binding(self) -> bytes:
        """The associated data of the blob."""
        parts = (self.key_set, self.use, int(self.algorithm), int(self.level), self.owner, self.version, int(self.exportable))
        return b"onecard key v1|" + "|".join(map(str, parts)).encode()

    def __str__(self) -> str:
        return f"{self.use} {self.algorithm.name} v{self.version}"


@dataclass(frozen=True, slots=True)
class Handle:
    """A key that has bytes of its own: sealed in `blob`, or an object of a token."""

    slot: Slot
    blob: bytes | None = field(default=None, repr=False)
    object_id: str = ""


@dataclass(frozen=True, slots=True)
class KeyPath:
    """A handle and the factors below it, the highest level's first. `is_leaf`: one card's or module's, with no key below."""

    handle: Handle
    factors: tuple[bytes, ...] = ()
    is_leaf: bool = False

    @property
    def cipher(self) -> Algorithm:
        """The cipher of the key."""
        return Algorithm(self.handle.slot.algorithm)

    def below(self, *factors: bytes) -> "KeyPath":
        """The path further down, where there still are keys below."""
        return KeyPath(self.handle, self.factors + factors)

    def leaf(self, factor: bytes) -> "KeyPath":
        """The path of one card's or module's own key."""
        return KeyPath(self.handle, (*self.factors, factor), is_leaf=True)


@dataclass(frozen=True, slots=True)
class Stored:
    """A key just made: what its row keeps."""

    kcv: bytes
    blob: bytes | None = field(default=None, repr=False)
    object_id: str = ""
    public: bytes | None = None


@dataclass(frozen=True, slots=True)
class SealedComponent:
    """A custodian's component under the keeper's own key; `context` names what it is for and is part of the seal."""

    number: int
    context: str
    blob: bytes = field(repr=False)
    kcv: bytes = b""


class Keeper(Protocol):
    """Holds keys. Everything raises KeeperFault where something breaks inside, and KeyNotExportable where a key may not leave."""

    name: str

    # --- making and ending
    def generate(self, slot: Slot) -> Stored:
        """A random key."""

    def combine(self, slot: Slot, scheme: Scheme, components: Sequence[SealedComponent]) -> Stored:
        """The key that components make (K2). Raises InvalidInput where they do not belong together."""

    def destroy(self, handle: Handle) -> None:
        """Ends an object of a token; a sealed blob ends with its row."""

    def forget(self) -> None:
        """Drops keys kept in memory: the tree has changed."""

    def close(self) -> None:
        """Nothing can be done with it afterwards."""

    # --- components
    def seal_component(self, component: Component, *, context: str, cipher: Algorithm) -> SealedComponent:
        """Take a custodian's component in."""

    def make_component(self, number: int, *, context: str, cipher: Algorithm) -> SealedComponent:
        """A random component that nobody has seen yet."""

    def derive_share(
        self, scheme: Scheme, components: Sequence[SealedComponent], number: int, *, context: str, cipher: Algorithm
    ) -> SealedComponent:
        """The share of a further custodian, once there are enough to fix all."""

    def open_component(self, sealed: SealedComponent) -> Component:
        """The clear component, for its custodian's eyes."""

    # --- working
    def check_value(self, path: KeyPath) -> bytes:
        """The KCV of a key anywhere in the tree, 3 bytes."""

    def verify_tacs(self, path: KeyPath, card_numbers: Sequence[int], data: Sequence[bytes], tacs: Sequence[int]) -> list[bool]:
        """Whether each TAC is that of its card's key, one level below `path`, over its data."""

    def session_mac(self, path: KeyPath, seed: bytes, data: bytes) -> bytes:
        """MAC1 or MAC2: 4 bytes under the session key that 8 seed bytes give."""

    def tac(self, path: KeyPath, data: bytes) -> bytes:
        """4 bytes."""

    def external_authentication(self, path: KeyPath, challenge: bytes) -> bytes:
        """The 8 bytes that answer a challenge."""

    def command_mac(self, path: KeyPath, header: bytes, body: bytes, *, challenge: bytes) -> bytes:
        """The 4 MAC bytes of a command."""

    def key_command(self, header: bytes, prefix: bytes, *, loaded: KeyPath, under: KeyPath, challenge: bytes) -> bytes:
        """The whole command that loads a key: header | Lc | ciphered prefix and key | MAC."""

    def wrap(self, target: KeyPath, zone: KeyPath) -> bytes:
        """A key under a zone key: ECB of its 16 bytes."""

    def sign(self, handle: Handle, payload: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""

    def sign_as(self, name: str, payload: bytes) -> tuple[bytes, bytes]:
        """Public key and Ed25519 signature by a key of this vault's own for a named purpose."""

    def secret(self, name: str) -> bytes:
        """32 bytes of this vault's own for a named purpose of the platform, the same every time."""
