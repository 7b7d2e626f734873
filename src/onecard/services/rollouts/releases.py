"""Releases: handed in here, signed off line by the holders of the keys of targets, and in force once that comes back."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.keys import api as keys
from onecard.services.rollouts import permissions, repository, tufkeys, tufmetadata
from onecard.services.rollouts.models import FIRMWARE, Release, ReleaseState

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,23}")
_HARDWARE = re.compile(r"[!-~]{1,60}")


def add_release(
    kind: str, title: str, *, version: int, content: bytes, hardware_ids: Sequence[str] = (), actor: Actor, note: str = "",
    clock: Clock | None = None,
) -> Release:  # fmt: skip
    """Hand a file in: a draft until it is signed. `version` is its release counter. Raises InvalidInput, Forbidden."""
    actor.require(permissions.RELEASE)
    if not _KIND.fullmatch(kind) or kind == "timestamp":
        raise InvalidInput(f"类别无效：{kind}", f"not a kind: {kind}")
    if not title.strip() or not 0 < version < 1 << 63:
        raise InvalidInput("须有名称和大于 0 的版本", "a release has a name and a version above 0")
    hardware = sorted(set(hardware_ids))
    if any(not _HARDWARE.fullmatch(one) for one in hardware) or (kind == FIRMWARE and not hardware):
        raise InvalidInput("固件须指明硬件标识，且只含可见 ASCII 字符", "firmware names hardware ids, of visible ASCII")
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        sha256 = repository.put_blob(content, now=now)
        try:
            with transaction.atomic():
                return Release.objects.create(
                    path=f"release/{kind}/{version}-{sha256.hex()[:16]}.bin",
                    kind=kind,
                    title=title.strip()[:60],
                    version=version,
                    hardware_ids=hardware,
                    blob_id=sha256,
                    note=note[:500],
                    created_by=actor.name[:150],
                    created_at=now,
                )
        except IntegrityError as error:
            raise InvalidInput(f"该文件已登记为 {kind} {version}", f"this file is {kind} {version} already") from error


def get_release(release_id: int) -> Release:
    """Raises NotFound."""
    found = Release.objects.filter(pk=release_id).first()
    if found is None:
        raise NotFound(f"无此发布：{release_id}", f"no such release: {release_id}")
    return found


def releases(*, actor: Actor) -> list[Release]:
    """All of them, newest first."""
    actor.require(permissions.VIEW)
    return list(Release.objects.select_related("blob").defer("blob__content"))


def propose_targets(*, actor: Actor, withdraw: Collection[int] = (), clock: Clock | None = None) -> bytes:
    """The next targets file, unsigned: what is released and not withdrawn, and all drafts; to be signed off line and accepted.

    Raises NoRepository, Forbidden, VaultLocked.
    """
    actor.require(permissions.RELEASE)
    now = (clock or SystemClock()).now()
    version = repository.newest("targets").version + 1
    named = Release.objects.exclude(state=ReleaseState.WITHDRAWN).exclude(pk__in=withdraw).values_list(
        "path", "kind", "title", "version", "hardware_ids", "blob_id", "blob__length"
    )  # fmt: skip
    files = {
        path: tufmetadata.target_file(path, length, bytes(sha), _custom(kind, title, number, hardware))
        for path, kind, title, number, hardware, sha, length in named
    }
    automatic = tufkeys.online_signers(keys.open_vault().sign_as)["automatic"].public_key
    return tufmetadata.as_file("targets", tufmetadata.next_targets(version, files, automatic, now=now)).content


def propose_root(
    *, actor: Actor, root_keys: Sequence[bytes] = (), targets_keys: Sequence[bytes] = (), clock: Clock | None = None
) -> bytes:
    """The next root file, unsigned: valid anew, with the vault's on-line keys, and with other off-line keys where they are given.

    It needs the signatures of a threshold of the old root keys and of the new ones. Keys are raw Ed25519 public keys.
    """
    actor.require(permissions.KEYS)
    now = (clock or SystemClock()).now()
    held = tufmetadata.parse(bytes(repository.newest("root").content)).signed
    online = {role: one.public_key for role, one in tufkeys.online_signers(keys.open_vault().sign_as).items()}
    others = {
        "root": [tufkeys.public_key(raw) for raw in root_keys],
        "targets": [tufkeys.public_key(raw) for raw in targets_keys],
    }
    return tufmetadata.as_file("root", tufmetadata.next_root(held, online, others, now=now)).content


def _custom(kind: str, title: str, version: int, hardware: list[str]) -> dict[str, Any]:
    return {"kind": kind, "title": title, "release_counter": version, "hardware_ids": hardware}
