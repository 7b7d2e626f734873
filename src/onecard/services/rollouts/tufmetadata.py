"""The repository's metadata as values (standards 6.1): who signs what, how long it holds, and what stands in it. No I/O.

root and targets are signed off line by a threshold of keys. The on-line keys of the vault sign snapshot and timestamp, and the
roles that targets delegates automatic data to: `deny`, and by `automatic` bins by hash for what each unit has of its own, so
that a change of one unit's data changes one small file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from securesystemslib.signer import Key, Signer  # type: ignore[attr-defined]
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (  # type: ignore[attr-defined]
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from onecard.kernel.errors import InvalidInput

DENY = "deny"
AUTOMATIC = "automatic"
BINS = SuccinctRoles([], 1, 7, "unit")
"""128 bins: 16,320 units with rules and cards make some 255 targets a bin, and the snapshot stays under 5 kB."""

LIFETIME = {
    "root": timedelta(days=730),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=7),
    "timestamp": timedelta(days=1),
}
"""How long a signature holds; what on-line keys sign is signed again when half of it has gone."""
AUTOMATIC_LIFETIME = timedelta(days=60)

PRIVATE = ["rules/*/*", "cards/*/*", "parameters/*/*"]

AUTOMATIC_ROLES = (DENY, AUTOMATIC, *BINS.get_roles())


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed file, ready to be stored."""

    role: str
    version: int
    content: bytes
    expires_at: datetime


def first_root(
    *, root: Sequence[Key], targets: Sequence[Key], online: Mapping[str, Key], threshold: int, now: datetime
) -> Metadata[Root]:
    """Version 1, to be signed by a threshold of the root keys."""
    made = Root(version=1, expires=_end("root", now), consistent_snapshot=True)
    for role, keys in (("root", root), ("targets", targets), *((name, [online[name]]) for name in ("snapshot", "timestamp"))):
        for key in keys:
            made.add_key(key, role)
    made.roles["root"].threshold = made.roles["targets"].threshold = threshold
    return Metadata(made)


def next_root(held: Root, online: Mapping[str, Key], others: Mapping[str, Sequence[Key]], *, now: datetime) -> Metadata[Root]:
    """The version after `held`, with these on-line keys, and with other off-line keys for the roles that are given some."""
    made = first_root(
        root=others.get("root") or [held.keys[keyid] for keyid in held.roles["root"].keyids],
        targets=others.get("targets") or [held.keys[keyid] for keyid in held.roles["targets"].keyids],
        online=online,
        threshold=held.roles["root"].threshold,
        now=now,
    )
    made.signed.version = held.version + 1
    return made


def next_targets(version: int, files: Mapping[str, TargetFile], automatic: Key, *, now: datetime) -> Metadata[Targets]:
    """A version with these files, and the delegation of automatic data to the on-line key."""
    roles = {
        DENY: DelegatedRole(DENY, [automatic.keyid], 1, terminating=True, paths=["deny/*"]),
        AUTOMATIC: DelegatedRole(AUTOMATIC, [automatic.keyid], 1, terminating=True, paths=PRIVATE),
    }
    below = Delegations({automatic.keyid: automatic}, roles)
    return Metadata(Targets(version, expires=_end("targets", now), targets=dict(files), delegations=below))


def automatic_roles(signer: Signer, *, now: datetime) -> list[Signed]:
    """Version 1 of `deny`, of `automatic`, and of every bin below it, all without a file."""
    return [automatic_role(role, 1, {}, signer, now=now) for role in AUTOMATIC_ROLES]


def automatic_role(role: str, version: int, files: Mapping[str, TargetFile], signer: Signer, *, now: datetime) -> Signed:
    """A new version of one of the roles that the on-line key signs."""
    key = signer.public_key
    below = None
    if role == AUTOMATIC:
        bins = SuccinctRoles([key.keyid], BINS.threshold, BINS.bit_length, BINS.name_prefix)
        below = Delegations({key.keyid: key}, succinct_roles=bins)
    targets = Targets(version, expires=_second(now + AUTOMATIC_LIFETIME), targets=dict(files), delegations=below)
    return signed(role, Metadata(targets), [signer])


def snapshot(version: int, versions: Mapping[str, int], signer: Signer, *, now: datetime) -> Signed:
    """All the roles that name files, each with its version in force."""
    meta = {f"{role}.json": MetaFile(number) for role, number in sorted(versions.items())}
    return signed("snapshot", Metadata(Snapshot(version, expires=_end("snapshot", now), meta=meta)), [signer])


def timestamp(version: int, snapshot_version: int, signer: Signer, *, now: datetime) -> Signed:
    """What every client asks for first."""
    made = Timestamp(version, expires=_end("timestamp", now), snapshot_meta=MetaFile(snapshot_version))
    return signed("timestamp", Metadata(made), [signer])


def signed(role: str, metadata: Metadata[Any], signers: Sequence[Signer]) -> Signed:
    """The file of a role with these signatures beside those it has."""
    for signer in signers:
        metadata.sign(signer, append=True)
    return as_file(role, metadata)


def as_file(role: str, metadata: Metadata[Any]) -> Signed:
    """The file of a role as it is."""
    content = metadata.to_bytes(JSONSerializer(compact=True))
    return Signed(role, metadata.signed.version, content, metadata.signed.expires)


def target_file(path: str, length: int, sha256: bytes, custom: Mapping[str, Any]) -> TargetFile:
    """What is signed of one file."""
    return TargetFile(length, {"sha256": sha256.hex()}, path, {"custom": dict(custom)})


def parse(content: bytes, where: str = "") -> Metadata[Any]:
    """A root or targets file that somebody hands in. Raises InvalidInput."""
    try:
        return Metadata.from_bytes(content)
    except (RepositoryError, ValueError, json.JSONDecodeError) as error:
        raise InvalidInput(f"{where}不是签名元数据：{error}", f"{where}not signed metadata: {error}") from error


def role_of(path: str) -> str:
    """Which role names a piece of automatic data."""
    return DENY if path.startswith("deny/") else BINS.get_role_for_target(path)


def _end(role: str, now: datetime) -> datetime:
    return _second(now + LIFETIME[role])


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
