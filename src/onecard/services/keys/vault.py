"""The one vault (K4): finds the key in the tree, has its keeper work, writes every use down. Application code never holds a key.

`open_vault()` of `api.py` gives the process's own. Reading the tree and the log go over a connection of the vault's own
(`store.py`): what counts is what is committed. Proofs of chips are in `vault_proofs.py`, changes of the tree in `vault_tree.py`.
"""

from collections.abc import Mapping, Sequence

from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import card_factor
from onecard.services.actors import Actor
from onecard.services.keys.book import Book, Family
from onecard.services.keys.custody.components import Component, Scheme
from onecard.services.keys.keepers.base import SealedComponent
from onecard.services.keys.perso import Chosen, PersoKeys, missing
from onecard.services.keys.types import CardRef
from onecard.services.keys.uses import CARD_USES, SAM_USES, KeyAlgorithm, KeyUse
from onecard.services.keys.vault_proofs import Proofs, check_card
from onecard.services.keys.vault_tree import DEFAULT_OVERLAP, TreeWork

__all__ = ["DEFAULT_OVERLAP", "Vault"]


class Vault(Proofs, TreeWork):
    """All operations: those of chips and of the tree, and here personalisation, signatures and components."""

    # --- personalisation

    def open_personalisation(self, card: CardRef, *, algorithm: KeyAlgorithm | None = None) -> PersoKeys:
        """The keys of a card, of the active versions; the algorithm is the key set's unless given. Raises InvalidInput."""
        book, family = self._current()
        cipher = algorithm or family.algorithm
        check_card(card)
        own: dict[KeyUse, Chosen] = {}
        for use in CARD_USES:
            found = book.active(family, use, cipher, operator_id=card.operator_id, unit_id=card.unit_id, now=self.clock.now())
            if found is not None:
                own[use] = (found[0], found[1].leaf(card_factor(card.card_no)))
        return PersoKeys(self, str(card), own=own, transport=self._transport(book, family, cipher), kind="card")

    def open_sam_personalisation(
        self,
        sam_no: int,
        *,
        operator_id: int = 0,
        unit_id: int = 0,
        algorithm: KeyAlgorithm | None = None,
        sealed_with: int | None = None,
        older: Mapping[KeyUse, int] | None = None,
    ) -> PersoKeys:
        """The keys of a security module: its own control key, and the roots of `SAM_USES` (or an operator's, a unit's keys).

        A module that left the maker's hands opens (`initial`) with its own control key, of the version `sealed_with`: one that
        is not accepted any more opens it too, so that it can be replaced. `older` names versions in their overlap to be taken
        instead of the active ones. Raises KeyMissing where a version is destroyed, or not accepted any more.
        """
        book, family = self._current()
        cipher = algorithm or family.algorithm
        own: dict[KeyUse, Chosen] = {}
        for use in SAM_USES:
            found = book.active(family, use, cipher, operator_id=operator_id, unit_id=unit_id, now=self.clock.now())
            if found is not None:
                own[use] = found
        for use, version in (older or {}).items():
            before = book.accepted(family, use, cipher, version, operator_id=operator_id, unit_id=unit_id, now=self.clock.now())
            if before is None:
                raise missing(use, f" v{version}")
            own[use] = before
        control = book.active(family, KeyUse.SAM_CONTROL, cipher, now=self.clock.now())
        if control is not None:
            own[KeyUse.SAM_CONTROL] = (control[0], control[1].leaf(card_factor(sam_no)))
        opening = self._transport(book, family, cipher)
        if sealed_with is not None:
            sealed = book.versions(family, KeyUse.SAM_CONTROL, cipher).get(sealed_with)
            if sealed is None:
                raise missing(KeyUse.SAM_CONTROL, f" v{sealed_with}")
            opening = (sealed, sealed.path.leaf(card_factor(sam_no)))
        return PersoKeys(self, f"SAM {sam_no}", own=own, transport=opening, kind="sam")

    def _transport(self, book: Book, family: Family, cipher: KeyAlgorithm) -> Chosen | None:
        return book.active(family, KeyUse.TRANSPORT, cipher, now=self.clock.now())

    # --- signatures

    def sign_pay_code(self, payload: bytes) -> tuple[int, bytes]:
        """The number of the signing key (its version) and the Ed25519 signature. Raises KeyMissing."""
        return self._sign(payload, "pay_code")

    def pay_code_keys(self) -> dict[int, bytes]:
        """The public keys by number: of the active version, of those in their overlap, and of the one to come."""
        book, family = self._current()
        now = self.clock.now()
        versions = book.versions(family, KeyUse.PAY_CODE, KeyAlgorithm.ED25519)
        return {
            version: entry.public
            for version, entry in versions.items()
            if entry.public is not None and (entry.state == "pending" or entry.is_accepted(now))
        }

    def _sign(self, payload: bytes, subject: str) -> tuple[int, bytes]:
        book, family = self._current()
        found = book.active(family, KeyUse.PAY_CODE, KeyAlgorithm.ED25519, now=self.clock.now())
        if found is None:
            raise missing(KeyUse.PAY_CODE)
        entry, path = found
        signature = self.keeper.sign(path.handle, payload)
        self.note("sign", subject=subject, keys={entry.key_id: 1}, count=1)
        return entry.slot.version, signature

    # --- components of a ceremony (K2)

    def seal_component(self, component: Component, *, context: str, algorithm: KeyAlgorithm | int) -> SealedComponent:
        """Take a custodian's component in; `kcv` of what comes back is its check value. `context` names ceremony and use."""
        sealed = self.keeper.seal_component(component, context=context, cipher=Algorithm(algorithm))
        self.note("component.seal", subject=f"{context} {component.number}", keys={}, count=1)
        return sealed

    def make_component(self, number: int, *, context: str, algorithm: KeyAlgorithm | int) -> SealedComponent:
        """A random component for a custodian to be shown once (`open_component`)."""
        sealed = self.keeper.make_component(number, context=context, cipher=Algorithm(algorithm))
        self.note("component.make", subject=f"{context} {number}", keys={}, count=1)
        return sealed

    def derive_share(
        self, scheme: Scheme, components: Sequence[SealedComponent], number: int, *, context: str, algorithm: KeyAlgorithm | int
    ) -> SealedComponent:
        """The share of a further custodian, from as many as the threshold."""
        sealed = self.keeper.derive_share(scheme, components, number, context=context, cipher=Algorithm(algorithm))
        self.note("component.derive", subject=f"{context} {number}", keys={}, count=1)
        return sealed

    def open_component(self, sealed: SealedComponent, *, actor: Actor) -> Component:
        """The clear component for its custodian, who is `actor`."""
        self.note("component.show", subject=f"{sealed.context} {sealed.number}", keys={}, count=1, actor=actor)
        return self.keeper.open_component(sealed)

    # --- the platform's own

    def secret(self, name: str) -> bytes:
        """32 bytes of this vault's own for a purpose of the platform; they do not show (`KeyBytes`)."""
        made = self.keeper.secret(name)
        self.note("secret", subject=name, keys={}, count=1)
        return made

    def sign_as(self, name: str, payload: bytes) -> tuple[bytes, bytes]:
        """Public key and Ed25519 signature by a signing key of this vault's own for a named purpose (a transcript, a report)."""
        made = self.keeper.sign_as(name, payload)
        self.note("sign_as", subject=name, keys={}, count=1)
        return made
