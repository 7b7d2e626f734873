"""The repository in the database: automatic data, signed files, reading parts, renewing what on-line keys sign.

Whoever changes it locks its one row first. Everything a change needs is signed and stored in the caller's transaction, so that a
client sees it whole or not at all.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max
from securesystemslib.signer import Signer  # type: ignore[attr-defined]

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput
from onecard.services.keys import api as keys
from onecard.services.rollouts import tufmetadata
from onecard.services.rollouts.canary import end_canary, put_ahead
from onecard.services.rollouts.errors import NoRepository, NotForward, NotSigned
from onecard.services.rollouts.models import Blob, DataTarget, MetadataFile, PublishedData, Repository
from onecard.services.rollouts.tufkeys import online_signers
from onecard.services.rollouts.tufmetadata import Signed

CHANNEL = "rollouts"
"""NOTIFY: payload `data` (of the whole platform), or the id of a line."""
MAX_BLOB_BYTES = 512 << 20
MAX_PART_BYTES = 1 << 19

_NAME = re.compile(r"deny|(?:rules|cards|parameters)/[1-9][0-9]{0,17}")
_ENDING = {"deny": "bin", "rules": "json", "cards": "bin", "parameters": "json"}
_KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NewData:
    """A version of automatic data: "deny", "rules/<unit_id>", "cards/<unit_id>" or "parameters/<line_id>"."""

    name: str
    content: bytes
    version: int
    ahead: frozenset[int] = frozenset()
    """Of "deny": the canary, lines that are named it until `open_data` names it to all. Empty: all are named it at once."""


def has_repository() -> bool:
    """Whether anything can be published."""
    return Repository.objects.exists()


def publish_data(name: str, content: bytes, *, version: int, ahead: Collection[int] = (), clock: Clock | None = None) -> None:
    """Put automatic data in force, signed by the on-line key; `ahead` as in NewData. Raises as `publish_many`."""
    publish_many([NewData(name, content, version, frozenset(ahead))], clock=clock)


def publish_many(data: Sequence[NewData], *, clock: Clock | None = None) -> None:
    """Many at once, all or none, with one new snapshot: what to use where many units change.

    The same version with the same content again changes nothing. Raises NoRepository, InvalidInput (a name), NotForward (D2: a
    version that is not above the one in force), VaultLocked.
    """
    now = (clock or SystemClock()).now()
    with transaction.atomic():
        repository = lock_repository()
        roles = {role for one in data for role in _put(one, now)}
        if roles:
            seal(roles, repository, for_all=any(one.name == "deny" and not one.ahead for one in data), now=now)
            _tell_lines(one.name for one in data)
            for one in data:
                notify(put_ahead(one.name, one.version, one.ahead) if one.ahead else end_canary(one.name))


def open_data(name: str, version: int) -> bool:
    """Name the version in force to everybody; False where it is already, or where another is in force by now."""
    with transaction.atomic():
        repository = lock_repository()
        if not PublishedData.objects.filter(pk=name, version=version, named__lt=version).update(named=version):
            return False
        repository.platform_timestamp = newest_versions().get("timestamp", 0)
        repository.save(update_fields=["platform_timestamp"])
        notify(["data", *end_canary(name)])
    return True


def data_path(name: str, version: int) -> str:
    """The target of a version of automatic data."""
    return f"{name}/{version}.{_ENDING[name.partition('/')[0]]}"


def _put(one: NewData, now: datetime) -> list[str]:
    """Store one; gives the role to be signed again, none for a repetition."""
    if not _NAME.fullmatch(one.name):
        raise InvalidInput(f"数据名称无效：{one.name}", f"not a name of automatic data: {one.name}")
    sha256 = hashlib.sha256(one.content).digest()
    held = PublishedData.objects.filter(pk=one.name).first()
    if held is None:
        if one.version < 1:
            raise NotForward(one.name, one.version, 0)
        named = 0 if one.ahead else one.version
        PublishedData.objects.create(name=one.name, version=one.version, named=named, published_at=now)
    elif one.version > held.version:
        named = held.named if one.ahead else one.version
        PublishedData.objects.filter(pk=one.name).update(
            version=one.version, previous=held.version, named=named, published_at=now
        )
    elif (
        one.version == held.version and DataTarget.objects.filter(data_id=one.name, version=one.version, blob_id=sha256).exists()
    ):
        return []
    else:
        raise NotForward(one.name, one.version, held.version)
    path = data_path(one.name, one.version)
    role = tufmetadata.role_of(path)
    put_blob(one.content, now=now)
    DataTarget.objects.create(path=path, data_id=one.name, version=one.version, role=role, blob_id=sha256)
    return [role]


def put_blob(content: bytes, *, now: datetime) -> bytes:
    """Store a content once; gives its hash. Raises InvalidInput over 512 MiB."""
    if len(content) > MAX_BLOB_BYTES:
        raise InvalidInput(f"文件超过 {MAX_BLOB_BYTES} 字节", f"a file has at most {MAX_BLOB_BYTES} bytes")
    sha256 = hashlib.sha256(content).digest()
    Blob.objects.bulk_create([Blob(sha256=sha256, length=len(content), content=content, created_at=now)], ignore_conflicts=True)
    return sha256


# --- signing by the on-line keys


def lock_repository() -> Repository:
    """The row, locked until the transaction ends. Raises NoRepository."""
    found = Repository.objects.select_for_update().filter(pk=1).first()
    if found is None:
        raise NoRepository
    return found


def seal(roles: Collection[str], repository: Repository, *, for_all: bool, now: datetime) -> None:
    """Sign these roles of automatic data again as they stand, then snapshot and timestamp. The caller holds the lock."""
    signers = online_signers(keys.open_vault().sign_as)
    _check_keys(signers, automatic=bool(roles))
    versions = newest_versions()
    made = [_automatic(role, versions.get(role, 0) + 1, signers["automatic"], now) for role in sorted(set(roles))]
    versions |= {one.role: one.version for one in made}
    named = {role: version for role, version in versions.items() if role not in {"root", "snapshot", "timestamp"}}
    made.append(tufmetadata.snapshot(versions.get("snapshot", 0) + 1, named, signers["snapshot"], now=now))
    stamp = tufmetadata.timestamp(versions.get("timestamp", 0) + 1, made[-1].version, signers["timestamp"], now=now)
    store([*made, stamp], now=now)
    if for_all:
        repository.platform_timestamp = stamp.version
        repository.save(update_fields=["platform_timestamp"])
        notify(["data"])


def store(files: Iterable[Signed], *, now: datetime) -> None:
    """Keep signed files."""
    MetadataFile.objects.bulk_create(
        MetadataFile(role=one.role, version=one.version, content=one.content, expires_at=one.expires_at, created_at=now)
        for one in files
    )


def newest_versions() -> dict[str, int]:
    """The version in force of each role."""
    return dict(MetadataFile.objects.values_list("role").annotate(Max("version")))


def newest(role: str) -> MetadataFile:
    """The file in force of a role. Raises NoRepository."""
    found = MetadataFile.objects.filter(role=role).order_by("-version").first()
    if found is None:
        raise NoRepository
    return found


def _automatic(role: str, version: int, signer: Signer, now: datetime) -> Signed:
    """The two newest versions of each piece of data, so that a client under way still finds its own; and what all are named."""
    rows = DataTarget.objects.filter(role=role).values_list(
        "path", "data_id", "version", "data__previous", "data__named", "blob__length", "blob_id"
    )
    files = {
        path: tufmetadata.target_file(path, length, bytes(sha), {"kind": name.partition("/")[0], "release_counter": number})
        for path, name, number, previous, named, length, sha in rows
        if number >= previous or number == named
    }
    return tufmetadata.automatic_role(role, version, files, signer, now=now)


def _check_keys(signers: Mapping[str, Signer], *, automatic: bool) -> None:
    """The vault's keys are those that root and targets name: another vault needs a new root first."""
    root = tufmetadata.parse(bytes(newest("root").content)).signed
    targets = tufmetadata.parse(bytes(newest("targets").content)).signed
    named = {role: set(root.roles[role].keyids) for role in ("snapshot", "timestamp")}
    if automatic:
        named["automatic"] = set(targets.delegations.keys)
    for role, ids in named.items():
        if signers[role].public_key.keyid not in ids:
            raise NotSigned(
                f"密钥保管库的 {role} 密钥不是升级库所列：请签发新的 root 与 targets",
                f"the vault's key for {role} is not the repository's: have a new root and targets signed",
            )


# --- reading


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file, and the length of the whole."""

    total: int
    data: bytes


_METADATA = """
SELECT octet_length(content), substring(content FROM %s FOR %s) FROM rollouts_metadatafile
 WHERE role = %s AND (version = %s OR %s = 0) ORDER BY version DESC LIMIT 1"""
_TARGET = """
SELECT b.length, substring(b.content FROM %s FOR %s) FROM rollouts_blob b
 WHERE b.sha256 = %s AND (EXISTS (SELECT FROM rollouts_datatarget t WHERE t.path = %s AND t.blob_id = b.sha256)
                          OR EXISTS (SELECT FROM rollouts_release r
                                      WHERE r.path = %s AND r.blob_id = b.sha256 AND r.state <> 'draft'))"""
_MINE = {
    "parameters": "SELECT %s = %s",
    "rules": "SELECT EXISTS (SELECT FROM devices_line WHERE id = %s AND unit_id = %s)",
    "cards": "SELECT EXISTS (SELECT FROM devices_line WHERE id = %s AND unit_id = %s)",
}
_FILE = re.compile(
    r"metadata/(?:(?P<stamp>timestamp)|(?P<version>[1-9][0-9]{0,17})\.(?P<role>[a-z][a-z0-9-]{0,39}))\.json"
    r"|targets/(?P<folder>[^\x00]*/)?(?P<sha>[0-9a-f]{64})\.(?P<base>[^/\x00]+)"
)
_PRIVATE = re.compile(r"(rules|cards|parameters)/([1-9][0-9]{0,17})/")


def read_file(name: str, offset: int, length: int, *, line_id: int | None = None) -> FilePart | None:
    """A part of "metadata/<file>" or "targets/<path>" (with the hash before the file's name); None where there is no such file.

    With a line, what belongs to another unit than the line's, or to another line, is not there for it (N3).
    """
    asked = _FILE.fullmatch(name)
    if asked is None or offset < 0 or not 0 < length <= MAX_PART_BYTES:
        return None
    with connection.cursor() as cursor:
        if asked["sha"] is None:
            version = int(asked["version"] or 0)
            cursor.execute(_METADATA, [offset + 1, length, asked["stamp"] or asked["role"], version, version])
        else:
            folder = asked["folder"] or ""
            private = _PRIVATE.fullmatch(folder)
            if private is not None and line_id is not None:
                cursor.execute(_MINE[private[1]], [line_id, int(private[2])])
                if not cursor.fetchone()[0]:
                    return None
            cursor.execute(_TARGET, [offset + 1, length, bytes.fromhex(asked["sha"]), *[folder + asked["base"]] * 2])
        row = cursor.fetchone()
    return FilePart(row[0], bytes(row[1])) if row else None


# --- telling, and keeping fresh


def notify(payloads: Iterable[str]) -> None:
    """Tell whoever listens, when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, p) FROM unnest(%s::text[]) AS p (p)", [CHANNEL, sorted(set(payloads))])


def _tell_lines(names: Iterable[str]) -> None:
    owners = [name.split("/") for name in names if "/" in name]
    units = [int(number) for kind, number in owners if kind != "parameters"]
    lines = [int(number) for kind, number in owners if kind == "parameters"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, id::text) FROM devices_line WHERE (unit_id = ANY (%s) OR id = ANY (%s)) AND state = 'active'",
            [CHANNEL, units, lines],
        )


def renew(now: datetime) -> bool:
    """Sign again what on-line keys sign and half of whose time has gone; gives whether anything was."""
    if not has_repository():
        return False
    with transaction.atomic():
        repository = lock_repository()
        newest_files = MetadataFile.objects.order_by("role", "-version").distinct("role")
        due = {
            role
            for role, expires, made in newest_files.values_list("role", "expires_at", "created_at")
            if role not in {"root", "targets"} and now >= made + (expires - made) / 2
        }
        if due:
            seal(due - {"snapshot", "timestamp"}, repository, for_all=True, now=now)
    return bool(due)


_PRUNE = (
    """DELETE FROM rollouts_metadatafile m USING (SELECT role, max(version) AS version FROM rollouts_metadatafile GROUP BY role) n
        WHERE m.role = n.role AND m.version < n.version AND m.role NOT IN ('root', 'targets') AND m.created_at < %s""",
    """DELETE FROM rollouts_datatarget t USING rollouts_publisheddata d, rollouts_blob b
        WHERE t.data_id = d.name AND t.version < d.previous AND t.version <> d.named
          AND b.sha256 = t.blob_id AND d.published_at < %s""",
)


def prune(now: datetime) -> None:
    """Drop old snapshots, bins and data that no client under way can ask for any more."""
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in _PRUNE:
            cursor.execute(statement, [now - _KEPT])
