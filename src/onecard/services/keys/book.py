"""The key tree in memory: which key a card's record names, and by which path. Read again when the database's stamp has moved."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onecard.protocol.purse.diversify import area_factor
from onecard.services.keys.keepers.base import Handle, KeyPath, Slot
from onecard.services.keys.store import Store
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level

STAMP = "SELECT tree_stamp FROM keys_vaultheader"
_SETS = "SELECT id, code, levels, algorithm FROM keys_keyset"
_KEYS = """SELECT id, key_set_id, use, algorithm, level, owner, version, exportable, index, state, retiring_until, parent_id,
                  factor, blob, object_id, public FROM keys_key WHERE state <> 'destroyed' ORDER BY id"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of the tree; `path` is its own."""

    key_id: int
    slot: Slot
    index: int
    state: str
    retiring_until: datetime | None
    path: KeyPath
    parent: "Entry | None" = None
    public: bytes | None = None

    def is_accepted(self, now: datetime) -> bool:
        """Active, or in its overlap, and so is what it is derived from."""
        own = self.state == "active" or (
            self.state == "retiring" and self.retiring_until is not None and now < self.retiring_until
        )
        return own and (self.parent is None or self.parent.is_accepted(now))


@dataclass(frozen=True, slots=True)
class Family:
    """The settings of one key set."""

    set_id: int
    code: str
    levels: int
    algorithm: KeyAlgorithm


def unit_factor(unit_id: int) -> bytes:
    """The factor of a unit's private application: its number in 16 digits."""
    return bytes.fromhex(f"{unit_id:016d}")


class Book:
    """All keys that are not destroyed."""

    def __init__(self, stamp: int, families: Iterable[Family], entries: Iterable[Entry]) -> None:
        self.stamp = stamp
        self.families = {family.code: family for family in families}
        self.entries = {entry.key_id: entry for entry in entries}
        self._versions: dict[tuple[Any, ...], dict[int, Entry]] = {}
        for entry in self.entries.values():
            slot = entry.slot
            place = (slot.key_set, slot.use, slot.algorithm, slot.level, slot.owner)
            self._versions.setdefault(place, {})[slot.version] = entry

    @classmethod
    def read(cls, store: Store) -> "Book":
        """From the database. The stamp is read first: what changes meanwhile is read again at the next use."""
        stamp = store.rows(STAMP)[0][0]
        families = [Family(row[0], row[1], row[2], KeyAlgorithm(row[3])) for row in store.rows(_SETS)]
        entries: dict[int, Entry] = {}
        for row in store.rows(_KEYS):
            entry = _entry(row, entries)
            if entry is not None:
                entries[entry.key_id] = entry
        return cls(stamp, families, entries.values())

    def versions(
        self, family: Family, use: KeyUse, algorithm: KeyAlgorithm, *, level: Level = Level.ROOT, owner: int = 0
    ) -> dict[int, Entry]:
        """The versions of one key."""
        return self._versions.get((family.set_id, use, algorithm, level, owner), {})

    def accepted(
        self, family: Family, use: KeyUse, algorithm: KeyAlgorithm, version: int, *, operator_id: int, unit_id: int, now: datetime
    ) -> tuple[Entry, KeyPath] | None:
        """The key of a version that is in force, with the path just above the cards. The nearest key in the tree decides."""
        for entry, factors in self._ways(family, use, algorithm, version, operator_id=operator_id, unit_id=unit_id):
            return (entry, entry.path.below(*factors)) if entry.is_accepted(now) else None
        return None

    def active(
        self, family: Family, use: KeyUse, algorithm: KeyAlgorithm, *, operator_id: int = 0, unit_id: int = 0, now: datetime
    ) -> tuple[Entry, KeyPath] | None:
        """The active version, with the path just above the cards."""
        for entry, factors in self._ways(family, use, algorithm, None, operator_id=operator_id, unit_id=unit_id):
            if entry.state == "active" and entry.is_accepted(now):
                return entry, entry.path.below(*factors)
        return None

    def _ways(
        self, family: Family, use: KeyUse, algorithm: KeyAlgorithm, version: int | None, *, operator_id: int, unit_id: int
    ) -> Iterable[tuple[Entry, tuple[bytes, ...]]]:
        """From the nearest level up to the root: the keys there (of one version, or all) and the factors down to the cards."""
        unit = (unit_factor(unit_id),) if unit_id else ()
        area = (area_factor(operator_id),) if family.levels == 2 and operator_id else ()
        for level, owner, factors in (
            (Level.APPLICATION, unit_id, ()),
            (Level.OPERATOR, operator_id, unit),
            (Level.ROOT, 0, area + unit),
        ):
            if level is not Level.ROOT and not owner:
                continue
            found = self.versions(family, use, algorithm, level=level, owner=owner)
            chosen = found.values() if version is None else filter(None, [found.get(version)])
            for entry in chosen:
                yield entry, factors


def _entry(row: tuple[Any, ...], known: dict[int, Entry]) -> Entry | None:
    (
        key_id,
        key_set,
        use,
        algorithm,
        level,
        owner,
        version,
        exportable,
        index,
        state,
        until,
        parent_id,
        factor,
        blob,
        object_id,
        public,
    ) = row
    slot = Slot(key_set, KeyUse(use), KeyAlgorithm(algorithm), Level(level), owner, version, exportable)
    parent = None
    if parent_id is not None:
        parent = known.get(parent_id)
        if parent is None:
            return None  # what it is derived from is destroyed
        path = parent.path.below(bytes(factor))
    else:
        path = KeyPath(Handle(slot, bytes(blob) if blob is not None else None, object_id))
    return Entry(key_id, slot, index, state, until, path, parent, bytes(public) if public is not None else None)
