"""The one vault (K4): finds the key in the tree, has its keeper work, and writes every use down. Application code never holds a key.

`open_vault()` of `api.py` gives the process's own. Reading the tree and the log go over a connection of the vault's own (`store.py`):
what counts is what is committed. Changes of the tree are in the caller's transaction (`tree.py`).
"""

import hmac
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import compress
from operator import not_
from pathlib import Path

from django.db import transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import card_factor
from onecard.protocol.purse.proofs import Load
from onecard.services.actors import Actor
from onecard.services.keys import tree
from onecard.services.keys.book import STAMP, Book, Family
from onecard.services.keys.custody.components import Component, Scheme
from onecard.services.keys.errors import VaultLocked
from onecard.services.keys.keepers.base import Handle, Keeper, SealedComponent, Slot, Stored
from onecard.services.keys.models import Key, KeyCount, Origin
from onecard.services.keys.perso import Chosen, PersoKeys, missing
from onecard.services.keys.store import Store
from onecard.services.keys.types import CardRef, Exported, KeyStatus, TacBatch, TacVerdict
from onecard.services.keys.uses import CARD_USES, SAM_USES, KeyAlgorithm, KeyUse, Level

PURSE = "PURSE"
DEFAULT_OVERLAP = timedelta(days=90)
_LOAD_SEED_TAIL = b"\x80\x00"
_CARD_ALGORITHMS = {int(algorithm): KeyAlgorithm(algorithm) for algorithm in Algorithm}


class Vault:
    """The keys of one key set through one keeper. Safe for threads."""

    def __init__(self, keeper: Keeper, store: Store, *, set_code: str = PURSE, clock: Clock | None = None) -> None:
        self.keeper = keeper
        self.store = store
        self.clock = clock or SystemClock()
        self._set_code = set_code
        self._book = Book.read(store)
        self._user = f"{Path(sys.argv[0]).name or 'python'}[{os.getpid()}]@{socket.gethostname()}"[:300]

    def __repr__(self) -> str:
        return f"<vault, {self.keeper.name}>"

    # --- proofs of chips

    def verify_tacs(self, batch: TacBatch) -> list[TacVerdict]:
        """A verdict for each record, in their order. Versions in force are accepted: the active one and those in their overlap."""
        verdicts = [TacVerdict.NO_KEY] * len(batch)
        used: dict[int, int] = {}
        book, family = self._current()
        for place, rows in _groups(batch).items():
            found = self._find_tac_key(book, family, *place)
            if found is None:
                continue
            entry, path = found
            whole = len(rows) == len(batch)
            columns = (batch.card_no, batch.data, batch.tac)
            card_no, data, tac = columns if whole else ([column[row] for row in rows] for column in columns)
            right = self.keeper.verify_tacs(path, card_no, data, tac)  # type: ignore[arg-type]
            used[entry.key_id] = used.get(entry.key_id, 0) + len(rows)
            for row, ok in zip(rows, right, strict=True):
                verdicts[row] = TacVerdict.OK if ok else TacVerdict.WRONG
        self._note_batch(batch, verdicts, used)
        return verdicts

    def load_mac1_ok(self, card: CardRef, load: Load, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool:
        """Whether the chip that asks for a load has proved itself. Raises KeyMissing for a version that is not in force."""
        made = self._load_mac(card, load, random, version, algorithm, data=load.mac1_data(), operation="load.mac1", given=mac1)
        return hmac.compare_digest(made, mac1)

    def load_mac2(self, card: CardRef, load: Load, *, random: bytes, version: int, algorithm: int) -> bytes:
        """The host's proof to the chip: the chip credits itself by it. Raises KeyMissing."""
        return self._load_mac(card, load, random, version, algorithm, data=load.mac2_data(), operation="load.mac2")

    def load_tac_ok(self, card: CardRef, load: Load, *, version: int, algorithm: int, tac: bytes) -> bool:
        """Whether the chip has credited itself. Raises KeyMissing."""
        entry, path = self._accepted_card_key(KeyUse.TAC, card, version, algorithm)
        right = hmac.compare_digest(self.keeper.tac(path, load.tac_data()), tac)
        self.note("load.tac", subject=str(card), keys={entry.key_id: 1}, count=1, failed=not right)
        return right

    def _load_mac(
        self,
        card: CardRef,
        load: Load,
        random: bytes,
        version: int,
        algorithm: int,
        *,
        data: bytes,
        operation: str,
        given: bytes = b"",
    ) -> bytes:
        if len(random) != 4:
            raise InvalidInput("卡片随机数应为 4 字节", "the chip's random number has 4 bytes")
        entry, path = self._accepted_card_key(KeyUse.LOAD, card, version, algorithm)
        seed = random + load.online_counter.to_bytes(2, "big") + _LOAD_SEED_TAIL
        made = self.keeper.session_mac(path, seed, data)
        wrong = bool(given) and not hmac.compare_digest(made, given)
        self.note(operation, subject=str(card), keys={entry.key_id: 1}, count=1, failed=wrong)
        return made

    # --- personalisation

    def open_personalisation(self, card: CardRef, *, algorithm: KeyAlgorithm | None = None) -> PersoKeys:
        """The keys of a card, of the active versions; the algorithm is the key set's unless given. Raises InvalidInput."""
        book, family = self._current()
        cipher = algorithm or family.algorithm
        _check_card(card)
        own: dict[KeyUse, Chosen] = {}
        for use in CARD_USES:
            found = book.active(family, use, cipher, operator_id=card.operator_id, unit_id=card.unit_id, now=self.clock.now())
            if found is not None:
                own[use] = (found[0], found[1].leaf(card_factor(card.card_no)))
        return PersoKeys(self, str(card), own=own, transport=self._transport(book, family, cipher), kind="card")

    def open_sam_personalisation(
        self, sam_no: int, *, operator_id: int = 0, unit_id: int = 0, algorithm: KeyAlgorithm | None = None
    ) -> PersoKeys:
        """The keys of a security module: its own control key, and the roots of `SAM_USES` (or an operator's, a unit's keys)."""
        book, family = self._current()
        cipher = algorithm or family.algorithm
        own: dict[KeyUse, Chosen] = {}
        for use in SAM_USES:
            found = book.active(family, use, cipher, operator_id=operator_id, unit_id=unit_id, now=self.clock.now())
            if found is not None:
                own[use] = found
        control = book.active(family, KeyUse.SAM_CONTROL, cipher, now=self.clock.now())
        if control is not None:
            own[KeyUse.SAM_CONTROL] = (control[0], control[1].leaf(card_factor(sam_no)))
        return PersoKeys(self, f"SAM {sam_no}", own=own, transport=self._transport(book, family, cipher), kind="sam")

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

    # --- the tree

    def status(self) -> list[KeyStatus]:
        """Every key of the set, destroyed ones too; nothing secret."""
        tree.end_overlaps(self.clock.now())
        counts = {count.key_id: count for count in KeyCount.objects.all()}
        keys = Key.objects.filter(key_set__code=self._set_code).select_related("key_set")
        return [_status(key, counts.get(key.pk)) for key in keys]

    def get_key(self, key_id: int) -> KeyStatus:
        """One key. Raises NotFound."""
        return _status(tree.get(key_id), KeyCount.objects.filter(pk=key_id).first())

    def rotate(
        self,
        use: KeyUse | str,
        *,
        actor: Actor,
        algorithm: KeyAlgorithm | int = KeyAlgorithm.DES3,
        level: Level = Level.ROOT,
        owner: int = 0,
        version: int | None = None,
        index: int = 1,
        exportable: bool | None = None,
    ) -> KeyStatus:
        """The next version of a key, made inside the keeper, pending. Only exportable keys can go into a module or be exported."""
        actor.require("keys.rotate", owner if level is Level.OPERATOR else None)
        return self._add(
            KeyUse(use), KeyAlgorithm(algorithm), level=level, owner=owner, version=version, index=index,
            exportable=exportable, origin=Origin.GENERATED, make=self.keeper.generate, actor=actor,
        )  # fmt: skip

    def combine_components(
        self,
        use: KeyUse | str,
        scheme: Scheme,
        components: Sequence[SealedComponent],
        *,
        actor: Actor,
        algorithm: KeyAlgorithm | int = KeyAlgorithm.DES3,
        level: Level = Level.ROOT,
        owner: int = 0,
        version: int | None = None,
        index: int = 1,
        exportable: bool | None = None,
    ) -> KeyStatus:
        """The next version of a key, put together inside the keeper (K2), pending. Raises InvalidInput where components do not fit."""
        actor.require("keys.import", owner if level is Level.OPERATOR else None)
        return self._add(
            KeyUse(use), KeyAlgorithm(algorithm), level=level, owner=owner, version=version, index=index, exportable=exportable,
            origin=Origin.CEREMONY, make=lambda slot: self.keeper.combine(slot, scheme, components), actor=actor,
        )  # fmt: skip

    def _add(
        self, use: KeyUse, algorithm: KeyAlgorithm, *, level: Level, owner: int, version: int | None, index: int,
        exportable: bool | None, origin: Origin, make: Callable[[Slot], Stored], actor: Actor,
    ) -> KeyStatus:  # fmt: skip
        key = tree.add_version(
            self._set_code, use, algorithm, level=level, owner=owner, version=version, index=index,
            exportable=use in SAM_USES if exportable is None else exportable, origin=origin, make=make, now=self.clock.now(),
        )  # fmt: skip
        self.note(f"key.{origin}", subject=_named(key), keys={key.pk: 0}, count=1, actor=actor)
        return self.get_key(key.pk)

    def derive_level(self, parent_id: int, level: Level, owner: int, *, actor: Actor) -> KeyStatus:
        """A row of its own for an operator's or unit's key below another (K1): its check value, and a state of its own. Pending."""
        actor.require("keys.rotate", owner if level is Level.OPERATOR else None)
        key = tree.add_derived(parent_id, level, owner, kcv=self._derived_kcv, now=self.clock.now())
        self.note("key.derived", subject=_named(key), keys={key.pk: 0, parent_id: 1}, count=1, actor=actor)
        return self.get_key(key.pk)

    def _derived_kcv(self, parent: Key, factor: bytes) -> bytes:
        entry = self._current()[0].entries.get(parent.pk)
        if entry is None:
            raise missing(KeyUse(parent.use))
        return self.keeper.check_value(entry.path.below(factor))

    def activate(self, key_id: int, *, actor: Actor, overlap: timedelta = DEFAULT_OVERLAP) -> KeyStatus:
        """New cards get this version; the one before is accepted until the overlap ends. Called through dual control (K2)."""
        actor.require("keys.activate")
        key = tree.activate(key_id, overlap=overlap, now=self.clock.now())
        self.note("key.activate", subject=_named(key), keys={key.pk: 0}, count=1, actor=actor)
        return self.get_key(key_id)

    def retire(self, key_id: int, *, actor: Actor) -> KeyStatus:
        """The key is accepted no longer, from now on. Undone by `activate` of another version only. Called through dual control."""
        actor.require("keys.activate")
        key = tree.retire(key_id, now=self.clock.now())
        self.note("key.retire", subject=_named(key), keys={key.pk: 0}, count=1, actor=actor)
        return self.get_key(key_id)

    def destroy(self, key_id: int, *, actor: Actor) -> KeyStatus:
        """The key and all below it end; there is no way back. Called through dual control (K2)."""
        actor.require("keys.destroy")
        before = tree.get(key_id)
        handle = Handle(_slot(before), bytes(before.blob) if before.blob is not None else None, before.object_id)
        key = tree.destroy(key_id, now=self.clock.now())
        self.note("key.destroy", subject=_named(key), keys={key.pk: 0}, count=1, actor=actor)
        # A token's object ends once the row has: the other way round, a rollback would leave a row without its key.
        transaction.on_commit(lambda: self.keeper.destroy(handle))
        return self.get_key(key_id)

    def export(self, key_id: int, *, zone_key_id: int, actor: Actor) -> Exported:
        """A key under an active zone key (use `export`). Called through dual control (K2). Raises KeyMissing, KeyNotExportable."""
        actor.require("keys.export")
        book, _ = self._current()
        target, zone = book.entries.get(key_id), book.entries.get(zone_key_id)
        if target is None or zone is None or zone.slot.use is not KeyUse.EXPORT or not zone.is_accepted(self.clock.now()):
            raise missing(KeyUse.EXPORT)
        cryptogram = self.keeper.wrap(target.path, zone.path)
        self.note("key.export", subject=str(target.slot), keys={key_id: 1, zone_key_id: 1}, count=1, actor=actor)
        kcv, zone_kcv = self.get_key(key_id).kcv, self.get_key(zone_key_id).kcv
        return Exported(cryptogram, kcv, zone_kcv, target.slot.algorithm)

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

    # --- inside

    def secret(self, name: str) -> bytes:
        """32 bytes of this vault's own for a purpose of the platform; they do not show (`KeyBytes`)."""
        made = self.keeper.secret(name)
        self.note("secret", subject=name, keys={}, count=1)
        return made

    def note(
        self,
        operation: str,
        *,
        subject: str = "",
        keys: Mapping[int, int],
        count: int,
        failed: int = 0,
        actor: Actor | None = None,
    ) -> None:
        """Write a use down: before its result leaves the vault, so that a use without a line gives nothing."""
        who = f"{actor.name} {self._user}" if actor is not None else self._user
        self.store.note(self.clock.now(), who, operation, subject=subject, keys=keys, count=count, failed=int(failed))

    def _note_batch(self, batch: TacBatch, verdicts: list[TacVerdict], used: Mapping[int, int]) -> None:
        if not verdicts:
            return
        sams = Counter(batch.sam_no)
        wrong = Counter(compress(batch.sam_no, verdicts))
        del sams[0], wrong[0]
        failed = len(verdicts) - sum(map(not_, verdicts))
        self.store.note(
            self.clock.now(), self._user, "tac.verify",
            keys=used, count=len(batch), failed=failed, sams=sams, sams_failed=wrong,
        )  # fmt: skip

    def _find_tac_key(self, book: Book, family: Family, operator_id: int, version: int, algorithm: int) -> Chosen | None:
        cipher = _CARD_ALGORITHMS.get(algorithm)
        if cipher is None or not 1 <= operator_id <= 99_999_999:
            return None
        return book.accepted(family, KeyUse.TAC, cipher, version, operator_id=operator_id, unit_id=0, now=self.clock.now())

    def _accepted_card_key(self, use: KeyUse, card: CardRef, version: int, algorithm: int) -> Chosen:
        cipher = _CARD_ALGORITHMS.get(algorithm)
        if cipher is None:
            raise missing(use, f" (algorithm {algorithm:02X})")
        _check_card(card)
        book, family = self._current()
        found = book.accepted(
            family, use, cipher, version, operator_id=card.operator_id, unit_id=card.unit_id, now=self.clock.now()
        )
        if found is None:
            raise missing(use, f" (v{version} {cipher.name})")
        return found[0], found[1].leaf(card_factor(card.card_no))

    def _current(self) -> tuple[Book, Family]:
        """The tree as it is committed now."""
        book = self._book
        if book.stamp != self.store.rows(STAMP)[0][0]:
            book = self._book = Book.read(self.store)
            self.keeper.forget()
        family = book.families.get(self._set_code)
        if family is None:
            raise VaultLocked(f"无此密钥组：{self._set_code}", f"no such key set: {self._set_code}")
        return book, family

    def close(self) -> None:
        """Forget the keys. The vault has to be opened again."""
        self.keeper.close()
        self.store.close()


def _groups(batch: TacBatch) -> dict[tuple[int, int, int], Sequence[int]]:
    """The records of each (operator, version, algorithm)."""
    places = zip(batch.operator_id, batch.key_version, batch.algorithm, strict=True)
    distinct = set(places)
    if len(distinct) <= 1:
        return {place: range(len(batch)) for place in distinct}
    groups: dict[tuple[int, int, int], list[int]] = {place: [] for place in distinct}
    for row, place in enumerate(zip(batch.operator_id, batch.key_version, batch.algorithm, strict=True)):
        groups[place].append(row)
    return dict(groups)


def _check_card(card: CardRef) -> None:
    if not 1 <= card.operator_id <= 99_999_999 or card.unit_id < 0:
        raise InvalidInput(f"卡 {card.card_no} 的运营单位编号无效", f"the operator of card {card.card_no} has no valid number")


def _slot(key: Key) -> Slot:
    return Slot(
        key.key_set_id, KeyUse(key.use), KeyAlgorithm(key.algorithm), Level(key.level), key.owner, key.version, key.exportable
    )


def _named(key: Key) -> str:
    return f"#{key.pk} {_slot(key)}"


def _status(key: Key, used: KeyCount | None) -> KeyStatus:
    return KeyStatus(
        key_id=key.pk,
        key_set=key.key_set.code,
        use=KeyUse(key.use),
        algorithm=KeyAlgorithm(key.algorithm),
        level=Level(key.level),
        owner=key.owner,
        version=key.version,
        index=key.index,
        state=key.state,
        origin=key.origin,
        exportable=key.exportable,
        kcv=bytes(key.kcv).hex().upper(),
        parent_id=key.parent_id,
        created_at=key.created_at,
        activated_at=key.activated_at,
        retiring_until=key.retiring_until,
        retired_at=key.retired_at,
        destroyed_at=key.destroyed_at,
        count=used.count if used is not None else 0,
        last_used_at=used.last_at if used is not None else None,
        public=bytes(key.public) if key.public is not None else None,
    )
