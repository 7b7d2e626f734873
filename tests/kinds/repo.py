"""A signed repository in memory, as the platform publishes one; keys are made here and forgotten."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from onecard.protocol.proto.device_pb2 import Task


@dataclass
class Repository:
    """`files` are what a Fetch finds."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    files: dict[str, bytes] = field(default_factory=dict)
    _version: int = 0

    def __post_init__(self) -> None:
        self._signers = {role: CryptoSigner.generate_ed25519() for role in ("root", "targets", "snapshot", "timestamp")}
        self._targets = Targets(expires=self._expires)
        root = Root(expires=self._expires, consistent_snapshot=True)
        for role, signer in self._signers.items():
            root.add_key(signer.public_key, role)
        self.root = self._sign("root", root)
        self.files["metadata/1.root.json"] = self.root
        self.publish()

    @property
    def _expires(self) -> datetime:
        return (self.now + timedelta(days=365)).replace(microsecond=0)

    def add(self, path: str, content: bytes, *, kind: str, version: int, hardware: tuple[str, ...] = ()) -> Task:
        """Publish a target; the task that asks a device for it (its action is its version)."""
        digest = hashlib.sha256(content)
        custom = {"kind": kind, "release_counter": version, "hardware_ids": list(hardware)}
        fields: dict[str, Any] = {"custom": custom}
        self._targets.targets[path] = TargetFile(len(content), {"sha256": digest.hexdigest()}, path, fields)
        folder, _, base = path.rpartition("/")
        self.files[f"targets/{folder}/{digest.hexdigest()}.{base}"] = content
        self.publish()
        return Task(
            action_id=version, kind=kind, target=path, length=len(content), sha256=digest.digest(), version=version
        )  # fmt: skip

    def publish(self) -> None:
        self._version += 1
        number = self._version
        self._targets.version = number
        snapshot = Snapshot(version=number, expires=self._expires, meta={"targets.json": MetaFile(number)})
        timestamp = Timestamp(version=number, expires=self._expires, snapshot_meta=MetaFile(number))
        self.files[f"metadata/{number}.targets.json"] = self._sign("targets", self._targets)
        self.files[f"metadata/{number}.snapshot.json"] = self._sign("snapshot", snapshot)
        self.files["metadata/timestamp.json"] = self._sign("timestamp", timestamp)

    def _sign(self, role: str, signed: Any) -> bytes:
        metadata = Metadata(signed)
        metadata.sign(self._signers[role])
        return metadata.to_bytes()
