"""Backup and restore: everything there and back, or nothing changed."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from onecard.datacenter.backup import back_up, check, restore
from onecard.kernel.errors import InvalidInput, OneCardError, RuleViolated, Unavailable
from tests.support.postgres import TestDatabase, TestServer, empty_database
from tests.support.releases import schema_of

FILL = "INSERT INTO ledger.issuer (operator_id, unified) VALUES (1, true), (2, false)"


def issuers(dsn: str) -> list[tuple[int, bool]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT operator_id, unified FROM ledger.issuer ORDER BY operator_id").fetchall()


@pytest.fixture
def filled(database: TestDatabase) -> TestDatabase:
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute(FILL)
    return database


@pytest.fixture
def backup(filled: TestDatabase, tmp_path: Path) -> Path:
    back_up(filled.owner_dsn, tmp_path / "backup")
    return tmp_path / "backup"


def test_a_backup_says_what_it_is(backup: Path) -> None:
    manifest = json.loads((backup / "manifest.json").read_text())
    assert (manifest["format"], manifest["onecard"]) == (1, "0.1.0")
    assert list(manifest["sha256"]) == ["database.dump"]
    assert manifest["database_bytes"] > 1_000_000
    assert sorted(file.name for file in backup.iterdir()) == ["database.dump", "manifest.json"]
    assert check(backup).taken_at == manifest["taken_at"]


def test_rows_grants_and_functions_come_back(filled: TestDatabase, backup: Path, postgres: TestServer) -> None:
    with empty_database(postgres) as other:
        restore(backup, other.owner_dsn, admin_dsn=postgres.admin_dsn)
        assert issuers(other.owner_dsn) == [(1, True), (2, False)]
        with psycopg.connect(other.app_dsn, autocommit=True) as application:
            application.execute("SELECT count(*) FROM ledger.transfer")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute("DELETE FROM ledger.transfer")
        with empty_database(postgres) as third:  # a second round trip: see test_migrate on what PostgreSQL rewrites
            back_up(other.owner_dsn, backup.parent / "again")
            restore(backup.parent / "again", third.owner_dsn, admin_dsn=postgres.admin_dsn)
            assert schema_of(third.owner_dsn) == schema_of(other.owner_dsn)


def test_a_database_that_holds_something_is_replaced_only_when_said(
    filled: TestDatabase, backup: Path, postgres: TestServer
) -> None:
    with psycopg.connect(filled.owner_dsn) as connection:
        connection.execute("DELETE FROM ledger.issuer")
    with pytest.raises(RuleViolated, match="--replace"):
        restore(backup, filled.owner_dsn, admin_dsn=postgres.admin_dsn)
    assert issuers(filled.owner_dsn) == []
    restore(backup, filled.owner_dsn, admin_dsn=postgres.admin_dsn, replace=True)
    assert issuers(filled.owner_dsn) == [(1, True), (2, False)]


def flip_a_byte(backup: Path) -> None:
    content = bytearray((backup / "database.dump").read_bytes())
    content[len(content) // 2] ^= 1
    (backup / "database.dump").write_bytes(content)


def cut_short(backup: Path) -> None:
    (backup / "database.dump").write_bytes((backup / "database.dump").read_bytes()[:-100])


def lose_the_dump(backup: Path) -> None:
    (backup / "database.dump").unlink()


def lose_the_manifest(backup: Path) -> None:
    (backup / "manifest.json").unlink()


def garble_the_manifest(backup: Path) -> None:
    (backup / "manifest.json").write_text("[1, 2")


def another_format(backup: Path) -> None:
    manifest = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))


@pytest.mark.parametrize("harm", [flip_a_byte, cut_short, lose_the_dump, lose_the_manifest, garble_the_manifest, another_format])
def test_a_bad_backup_is_refused_and_nothing_changes(
    filled: TestDatabase, backup: Path, postgres: TestServer, harm: Callable[[Path], None]
) -> None:
    harm(backup)
    with pytest.raises(InvalidInput):
        restore(backup, filled.owner_dsn, admin_dsn=postgres.admin_dsn, replace=True)
    assert issuers(filled.owner_dsn) == [(1, True), (2, False)]


def test_a_dump_that_postgresql_refuses_changes_nothing(filled: TestDatabase, backup: Path, postgres: TestServer) -> None:
    import hashlib

    (backup / "database.dump").write_bytes(b"PGDMP is what it says, and no more")
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["sha256"]["database.dump"] = hashlib.sha256((backup / "database.dump").read_bytes()).hexdigest()
    (backup / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Unavailable, match="pg_restore"):
        restore(backup, filled.owner_dsn, admin_dsn=postgres.admin_dsn, replace=True)
    assert issuers(filled.owner_dsn) == [(1, True), (2, False)]
    with psycopg.connect(postgres.admin_dsn) as admin:
        query = "SELECT datname FROM pg_database WHERE datname LIKE %s AND datname <> %s"
        assert admin.execute(query, (f"{filled.name}%", filled.name)).fetchall() == []


def test_an_existing_folder_is_not_written_over(filled: TestDatabase, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InvalidInput, match="exists already"):
        back_up(filled.owner_dsn, tmp_path / "mine")


def test_a_backup_that_fails_leaves_nothing_behind(filled: TestDatabase, tmp_path: Path) -> None:
    with psycopg.connect(filled.owner_dsn) as connection:
        connection.execute("CREATE TABLE public.closed (id int); REVOKE ALL ON public.closed FROM onecard_owner")
    application = filled.app_dsn  # may not read every table: pg_dump fails
    with pytest.raises(OneCardError, match="pg_dump"):
        back_up(application, tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []
