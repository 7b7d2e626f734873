"""The vault's work on the tree: new versions, activation, retirement, destruction, export; permitted, and written down.

Activation, retirement, destruction and export are called through dual control (`custody/requests.py`), which alone makes
actors that carry their permissions.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import transaction

from onecard.services.actors import Actor
from onecard.services.keys import tree
from onecard.services.keys.custody.components import Scheme
from onecard.services.keys.keepers.base import Handle, SealedComponent, Slot, Stored
from onecard.services.keys.models import Key, KeyCount, Origin
from onecard.services.keys.perso import missing
from onecard.services.keys.types import Exported, KeyStatus
from onecard.services.keys.uses import SAM_USES, KeyAlgorithm, KeyUse, Level
from onecard.services.keys.vault_base import VaultBase

DEFAULT_OVERLAP = timedelta(days=90)


class TreeWork(VaultBase):
    """Changes keys in the caller's transaction."""

    def status(self) -> list[KeyStatus]:
        """Every key of the set, destroyed ones too; nothing secret."""
        tree.end_overlaps(self.clock.now())
        counts = {count.key_id: count for count in KeyCount.objects.all()}
        keys = Key.objects.filter(key_set__code=self._set_code).select_related("key_set")
        return [_status(key, counts.get(key.pk)) for key in keys]

    def get_key(self, key_id: int) -> KeyStatus:
        """One key. Raises NotFound."""
        key = tree.get(key_id)
        return _status(key, _count(key))

    def overlapping(self, uses: Sequence[KeyUse], algorithm: KeyAlgorithm | int) -> list[tuple[KeyUse, int]]:
        """Root keys of some uses that are still accepted beside the active ones: use and version."""
        book, family = self._current()
        now = self.clock.now()
        return [
            (use, version)
            for use in uses
            for version, entry in sorted(book.versions(family, use, KeyAlgorithm(algorithm)).items())
            if entry.state == "retiring" and entry.is_accepted(now)
        ]

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
        """The next version of a key, made inside the keeper, pending. Only exportable ones go into modules or are exported."""
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
        """The next version, put together inside the keeper (K2), pending. Raises InvalidInput where components do not fit."""
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
            exportable=self._may_leave(use) if exportable is None else exportable, origin=origin, make=make, now=self.clock.now(),
        )  # fmt: skip
        self.note(f"key.{origin}", subject=_named(key), keys={key.pk: 0}, count=1, actor=actor)
        return _status(key, None)

    def _may_leave(self, use: KeyUse) -> bool:
        """Whether a key leaves when nobody says: into modules from a software vault, never out of a token."""
        return use in SAM_USES and self.keeper.name == "software"

    def derive_level(self, parent_id: int, level: Level, owner: int, *, actor: Actor) -> KeyStatus:
        """A row of its own for an operator's or unit's key below another (K1), with check value and state of its own. Pending."""
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
        return _status(key, _count(key))

    def retire(self, key_id: int, *, actor: Actor) -> KeyStatus:
        """The key is accepted no longer, from now on, and never again. Called through dual control."""
        actor.require("keys.activate")
        key = tree.retire(key_id, now=self.clock.now())
        self.note("key.retire", subject=_named(key), keys={key.pk: 0}, count=1, actor=actor)
        return _status(key, _count(key))

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
        """A key under an active zone key (use `export`). Called through dual control. Raises KeyMissing, KeyNotExportable."""
        actor.require("keys.export")
        book, _ = self._current()
        target, zone = book.entries.get(key_id), book.entries.get(zone_key_id)
        if target is None or zone is None or zone.slot.use is not KeyUse.EXPORT or not zone.is_accepted(self.clock.now()):
            raise missing(KeyUse.EXPORT)
        cryptogram = self.keeper.wrap(target.path, zone.path)
        self.note("key.export", subject=str(target.slot), keys={key_id: 1, zone_key_id: 1}, count=1, actor=actor)
        kcv, zone_kcv = self.get_key(key_id).kcv, self.get_key(zone_key_id).kcv
        return Exported(cryptogram, kcv, zone_kcv, target.slot.algorithm)


def _slot(key: Key) -> Slot:
    return Slot(
        key.key_set_id, KeyUse(key.use), KeyAlgorithm(key.algorithm), Level(key.level), key.owner, key.version, key.exportable
    )


def _named(key: Key) -> str:
    return f"#{key.pk} {_slot(key)}"


def _count(key: Key) -> KeyCount | None:
    return KeyCount.objects.filter(pk=key.pk).first()


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
