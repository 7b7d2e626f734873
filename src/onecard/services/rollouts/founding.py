"""How the repository begins, and how a file signed off line comes in: root and targets, each by its threshold of keys."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets  # type: ignore[attr-defined]

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.services.actors import Actor
from onecard.services.keys import api as keys
from onecard.services.rollouts import permissions, repository, tufkeys, tufmetadata
from onecard.services.rollouts.errors import NotSigned
from onecard.services.rollouts.models import Blob, Release, ReleaseState, Repository

_SHORTEST = 12


def init_repository(
    folder: Path, passphrase: bytes, *, actor: Actor, count: int = 3, threshold: int = 2, clock: Clock | None = None
) -> bytes:
    """Make the off-line keys in a folder, and with them the repository; gives root.json, to be put on devices.

    `root-1.pem` … and `targets-1.pem` … belong on media of different people and off this machine afterwards. Raises RuleViolated
    (D2) where there is a repository, InvalidInput (passphrase, numbers, folder), VaultLocked.
    """
    actor.require(permissions.KEYS)
    if len(passphrase) < _SHORTEST:
        raise InvalidInput(f"口令至少 {_SHORTEST} 个字符", f"a passphrase has at least {_SHORTEST} characters")
    if not 2 <= threshold <= count <= 9:
        raise InvalidInput("至少 2 个密钥签名，密钥数不少于此且至多 9 个", "a threshold is 2 or more, of up to 9 keys")
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        Repository.objects.bulk_create([Repository(created_at=now)], ignore_conflicts=True)
        held = repository.lock_repository()  # two that begin at once: the second one finds what the first has made
        if repository.newest_versions():
            raise RuleViolated("D2：升级库已经建立", "D2: there is a repository already", rule="D2")
        online = tufkeys.online_signers(keys.open_vault().sign_as)
        roots = tufkeys.make_key_files(folder, "root", count, passphrase)
        targets = tufkeys.make_key_files(folder, "targets", count, passphrase)
        public = {role: signer.public_key for role, signer in online.items()}
        first = tufmetadata.first_root(
            root=[one.public_key for one in roots],
            targets=[one.public_key for one in targets],
            online=public,
            threshold=threshold,
            now=now,
        )
        made = tufmetadata.next_targets(1, {}, public["automatic"], now=now)
        root = tufmetadata.signed("root", first, roots[:threshold])
        signed = tufmetadata.signed("targets", made, targets[:threshold])
        repository.store([root, signed, *tufmetadata.automatic_roles(online["automatic"], now=now)], now=now)
        repository.seal((), held, for_all=True, now=now)
    return root.content


def accept(content: bytes, *, actor: Actor, clock: Clock | None = None) -> tuple[str, int]:
    """Take a root or targets file that was signed off line into force; gives role and version.

    Raises InvalidInput (not such a file, another version than the next), NotSigned (D2), and for targets RuleViolated where a
    file it names is not here as it is named.
    """
    actor.require(permissions.KEYS)
    now = (clock or SystemClock()).now()
    given = tufmetadata.parse(content)
    role = given.signed.type
    if role not in {"root", "targets"}:
        raise InvalidInput(f"不能导入 {role}", f"{role} is not signed off line")
    with transaction.atomic():
        held = repository.lock_repository()
        root: Metadata[Root] = tufmetadata.parse(bytes(repository.newest("root").content))
        _check(given, role, root, after=repository.newest(role).version)
        if given.signed.expires <= now:
            raise InvalidInput("已过有效期", "it has expired")
        again: tuple[str, ...] = ()
        if role == "targets":
            before = tufmetadata.parse(bytes(repository.newest("targets").content)).signed
            if set(before.delegations.keys) != set(given.signed.delegations.keys):
                again = tufmetadata.AUTOMATIC_ROLES  # another on-line key: what it has not signed is worth nothing now
            _release(given.signed, now)
        repository.store([tufmetadata.as_file(role, given)], now=now)
        repository.seal(again, held, for_all=True, now=now)
    return role, given.signed.version


def _check(given: Metadata[Any], role: str, root: Metadata[Root], *, after: int) -> None:
    if given.signed.version != after + 1:
        raise InvalidInput(
            f"{role} 的版本应为 {after + 1}，文件为 {given.signed.version}",
            f"the next version of {role} is {after + 1}, the file has {given.signed.version}",
        )
    try:
        root.signed.verify_delegate(role, given.signed_bytes, given.signatures)
        if role == "root":
            given.signed.verify_delegate(role, given.signed_bytes, given.signatures)
        elif given.signed.delegations is None:
            raise InvalidInput("targets 缺少自动数据的委托", "targets lacks the delegation of automatic data")
    except (UnsignedMetadataError, ValueError) as error:
        raise NotSigned(f"{role} 的签名不足：{error}", f"{role} lacks signatures: {error}") from error


def _release(targets: Targets, now: datetime) -> None:
    """Drafts that are named are released, releases that are not any more are withdrawn."""
    known = {one.path: one for one in Release.objects.select_for_update().exclude(state=ReleaseState.WITHDRAWN)}
    for path, file in targets.targets.items():
        release = known.get(path)
        if release is None or file.hashes.get("sha256") != bytes(release.blob_id).hex():
            raise RuleViolated(f"D2：没有登记的文件：{path}", f"D2: no such file here: {path}", rule="D2")
        assert Blob.objects.filter(pk=release.blob_id, length=file.length).exists(), path
    named = [one.pk for path, one in known.items() if path in targets.targets]
    Release.objects.filter(pk__in=named, state=ReleaseState.DRAFT).update(state=ReleaseState.RELEASED, released_at=now)
    gone = [one.pk for path, one in known.items() if path not in targets.targets]
    Release.objects.filter(pk__in=gone, state=ReleaseState.RELEASED).update(state=ReleaseState.WITHDRAWN)
