"""Backup and restore: a database's whole content as one folder, with a manifest that proves it whole.

    manifest.json       program and server version, database size, when, the SHA-256 of every other file
    database.dump       pg_dump's custom format, compressed

A restore checks every sum first, then fills a new database aside and gives it the old one's name when it is whole: all or
nothing.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from onecard import __version__
from onecard.datacenter import binaries, roles
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import InvalidInput, RuleViolated, Unavailable

_MANIFEST = "manifest.json"
_DUMP = "database.dump"
_FORMAT = 1
_SWAP_ATTEMPTS = 5
_FOREIGN_SETTING = b"SET transaction_timeout "  # of PostgreSQL 17
# Some builds of a distribution keep a mark of their own on every column, which no other server takes.
_FOREIGN_OPTION = re.compile(rb"ALTER (TABLE|VIEW|MATERIALIZED VIEW)\b.* SET \(pg_attver=\d+\);$")
_HEAD_LINES = 40


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    format: int
    onecard: str
    server: str
    taken_at: str
    database_bytes: int
    sha256: dict[str, str]


def back_up(owner_dsn: str, target: Path, *, clock: Clock | None = None) -> Manifest:
    """Write a backup to a folder that does not exist yet. Consistent as of its start, while everything goes on working.

    Raises InvalidInput where the folder exists, Unavailable where pg_dump fails; then nothing is left behind.
    """
    if target.exists():
        raise InvalidInput(f"{target} 已存在", f"{target} exists already")
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        with psycopg.connect(owner_dsn) as connection:
            server = str(connection.info.parameter_status("server_version"))
            size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        _run_tool("pg_dump", owner_dsn, "--format=custom", "--no-owner", "--file", str(aside / _DUMP))
        manifest = Manifest(
            format=_FORMAT,
            onecard=__version__,
            server=server,
            taken_at=(clock or SystemClock()).now().isoformat(timespec="seconds"),
            database_bytes=int(size[0]) if size else 0,
            sha256={_DUMP: _sha256(aside / _DUMP)},
        )
        _write_durably(aside / _MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return manifest


def check(source: Path) -> Manifest:
    """The manifest of a backup whose every sum is right. Raises InvalidInput saying what is wrong."""
    try:
        fields: dict[str, Any] = json.loads((source / _MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**fields)
        sums = dict(manifest.sha256)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{source} 不是备份：{error}", f"{source} is not a backup: {error}") from None
    if manifest.format != _FORMAT or set(sums) != {_DUMP}:
        raise InvalidInput(f"{source} 的备份格式不支持", f"{source} is a backup in a format this program does not read")
    for name, expected in sums.items():
        if not (source / name).is_file():
            raise InvalidInput(f"备份缺少文件 {name}", f"the backup lacks the file {name}")
        if _sha256(source / name) != expected:
            raise InvalidInput(f"备份文件 {name} 已损坏（校验和不符）", f"the backup's file {name} is damaged (its sum differs)")
    return manifest


def restore(source: Path, owner_dsn: str, *, admin_dsn: str, replace: bool = False) -> Manifest:
    """Make the owner's database the one in the backup.

    `admin_dsn` may create, rename and drop databases. Raises RuleViolated where the database holds something and `replace` is not
    said, InvalidInput for a bad backup, Unavailable where PostgreSQL refuses it; in each case the database is as it was.
    """
    manifest = check(source)
    database = str(conninfo_to_dict(owner_dsn)["dbname"])
    if not replace and not _is_empty(owner_dsn):
        raise RuleViolated(
            f"数据库 {database} 不是空的；确要覆盖请加 --replace",
            f"the database {database} is not empty: say --replace",
            rule="N2",
        )
    aside, old = f"{database}_restore", f"{database}_replaced"
    owner = str(conninfo_to_dict(owner_dsn).get("user") or roles.OWNER)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        for leftover in (aside, old):
            roles.drop_database(admin, leftover)
        roles.ensure_application_role(admin, password=None)  # the dump grants to it
        roles.create_database(admin, aside, owner=owner)
        try:
            for section in ("pre-data", "data", "post-data"):
                _load(source / _DUMP, make_conninfo(owner_dsn, dbname=aside), section=section)
            _swap(admin, database, aside, old)
        finally:
            roles.drop_database(admin, aside)
        roles.drop_database(admin, old)
    return manifest


def _swap(admin: "psycopg.Connection[Any]", database: str, aside: str, old: str) -> None:
    """Both renames in one transaction: at no moment is there no database of that name, nor two."""
    end_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    for _ in range(_SWAP_ATTEMPTS):  # a role that still runs reconnects at once: it may be faster than we are
        try:
            admin.execute(end_others, (database,))
            with admin.transaction():
                admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(database), sql.Identifier(old)))
                admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(aside), sql.Identifier(database)))
            return
        except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege):
            continue
    raise Unavailable("数据库仍有连接：请先停止所有服务", "the database is in use: stop every role first")


def _load(dump: Path, dsn: str, *, section: str) -> None:
    """A dump's section into a database, as SQL text through psql: what the target's version does not know is left out on the way.

    pg_restore's own connection would fail on PostgreSQL 15 and 16 by a setting that came with 17.
    """
    environment, named = _connection(dsn)
    restoring = [binaries.tool("pg_restore"), "--no-owner", f"--section={section}", "--file=-", str(dump)]
    loading = [binaries.tool("psql"), "--dbname", named, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with (
        tempfile.TemporaryFile() as said,  # not a pipe: nobody would read it while we copy
        subprocess.Popen(restoring, stdout=subprocess.PIPE, stderr=said) as reader,
        subprocess.Popen(loading, env=environment, stdin=subprocess.PIPE, stderr=said) as writer,
    ):
        assert reader.stdout and writer.stdin
        # A psql that ends early has said why, and its exit code is looked at below.
        with contextlib.suppress(BrokenPipeError):
            _copy_without_foreign_lines(reader.stdout, writer.stdin, all_lines=section != "data")
        with contextlib.suppress(BrokenPipeError):
            writer.stdin.close()
        reader.stdout.close()
        codes = (writer.wait(), reader.wait())
        said.seek(0)
        text = said.read().decode(errors="replace").strip()[-1500:]
    if codes != (0, 0):
        raise Unavailable(f"pg_restore 失败：{text}", f"pg_restore failed: {text}")


def _copy_without_foreign_lines(source: IO[bytes], target: IO[bytes], *, all_lines: bool) -> None:
    """Drop what only the dumping side knows; with data only the head is looked at, rows pass as they are."""
    for number, line in enumerate(source):
        if not line.startswith(_FOREIGN_SETTING) and not (all_lines and _FOREIGN_OPTION.match(line)):
            target.write(line)
        if not all_lines and number == _HEAD_LINES:
            break
    shutil.copyfileobj(source, target, 1 << 20)


def _connection(dsn: str) -> tuple[dict[str, str], str]:
    """The environment and the DSN for a tool: a password among its words would be everybody's to read."""
    parts = conninfo_to_dict(dsn)
    password = str(parts.pop("password", None) or os.environ.get("PGPASSWORD", ""))
    return {**os.environ, "PGPASSWORD": password}, make_conninfo(**parts)  # type: ignore[arg-type]


def _is_empty(dsn: str) -> bool:
    query = (
        "SELECT NOT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
    )
    query += " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))"
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchone() == (True,)


def _run_tool(name: str, dsn: str, *words: str) -> None:
    environment, named = _connection(dsn)
    done = subprocess.run(
        [binaries.tool(name), "--dbname", named, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"{name} 失败：{done.stderr.strip()[-1500:]}", f"{name} failed: {done.stderr.strip()[-1500:]}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_durably(file: Path, content: str) -> None:
    with file.open("w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
