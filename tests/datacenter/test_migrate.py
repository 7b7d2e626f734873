"""Migration: one path, forward only, from empty and from each release."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from onecard.datacenter.migrate import is_current, migrate
from onecard.kernel.errors import Unavailable
from onecard.ledger.sql import function_files
from tests.support.postgres import TestDatabase, TestServer, empty_database
from tests.support.releases import dump, load, schema_of

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.sql"))


def test_a_migrated_database_is_current_and_stays_as_it_is(database: TestDatabase) -> None:
    assert is_current(database.owner_dsn)
    before = schema_of(database.owner_dsn)
    told: list[str] = []
    migrate(database.owner_dsn, progress=told.append)
    assert told == []
    assert schema_of(database.owner_dsn) == before


def test_functions_come_back_as_the_program_has_them(database: TestDatabase) -> None:
    before = schema_of(database.owner_dsn)
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("ALTER FUNCTION ledger.id_time COST 12345")
    assert schema_of(database.owner_dsn) != before
    migrate(database.owner_dsn)
    assert schema_of(database.owner_dsn) == before


def test_functions_that_no_file_has_any_more_are_gone(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema_of(database.owner_dsn)
    files = function_files()
    old = tmp_path / "05_old.sql"
    old.write_text(
        "CREATE OR REPLACE FUNCTION ledger.id_time(p_id bigint, p_old int) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE OR REPLACE FUNCTION ledger.of_an_old_release() RETURNS int LANGUAGE sql AS 'SELECT 1';"
    )
    with monkeypatch.context() as earlier_release:
        earlier_release.setattr("onecard.ledger.sql.function_files", lambda: [old, *files])
        migrate(database.owner_dsn)
    assert schema_of(database.owner_dsn) != before
    migrate(database.owner_dsn)
    assert schema_of(database.owner_dsn) == before


def test_two_at_once_migrate_an_empty_database_once(postgres: TestServer) -> None:
    program = "import sys; from onecard.datacenter.migrate import migrate; migrate(sys.argv[1], progress=print)"
    with empty_database(postgres) as empty:
        assert not is_current(empty.owner_dsn)
        words = [sys.executable, "-c", program, empty.owner_dsn]
        both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = sorted((process.communicate() for process in both), key=lambda pair: len(pair[0]))
        assert [process.returncode for process in both] == [0, 0], said
        assert said[0][0] == ""
        assert "datacenter.0001_ledger" in said[1][0]
        assert is_current(empty.owner_dsn)


def test_a_database_of_a_newer_program_is_refused_untouched(database: TestDatabase) -> None:
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('datacenter', '9999_later', now())")
    with pytest.raises(Unavailable, match=r"newer program \(datacenter\.9999_later\)"):
        migrate(database.owner_dsn)


def test_a_migration_that_fails_leaves_no_half(postgres: TestServer) -> None:
    with empty_database(postgres) as empty:
        with psycopg.connect(empty.owner_dsn) as connection:
            connection.execute("CREATE SCHEMA ledger; CREATE TABLE ledger.transfer (id int)")  # in the way of 0001_ledger
        with pytest.raises(Exception, match="already exists"):
            migrate(empty.owner_dsn)
        with psycopg.connect(empty.owner_dsn) as connection:
            found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'ledger'").fetchone()
            assert found == (1,)
            connection.execute("DROP SCHEMA ledger CASCADE")
        migrate(empty.owner_dsn)
        assert is_current(empty.owner_dsn)


def test_there_is_a_snapshot_of_every_release() -> None:
    assert RELEASES, "scripts/snapshot-release makes one"


@pytest.mark.parametrize("release", RELEASES, ids=lambda file: file.stem)
def test_a_release_becomes_what_an_empty_database_becomes(
    release: Path, postgres: TestServer, database: TestDatabase, tmp_path: Path
) -> None:
    def settled_schema(dsn: str) -> list[str]:
        """After one more dump and load: PostgreSQL writes an expression another way once it has read it back."""
        file = tmp_path / "schema.sql"
        file.write_text(dump(dsn, "--schema-only"))
        with empty_database(postgres) as copy:
            load(file, copy.owner_dsn)
            return schema_of(copy.owner_dsn)

    with empty_database(postgres) as old:
        load(release, old.owner_dsn)
        migrate(old.owner_dsn)
        assert is_current(old.owner_dsn)
        assert settled_schema(old.owner_dsn) == settled_schema(database.owner_dsn)
