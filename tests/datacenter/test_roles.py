"""The application's role: no DDL, and no way to change what is append-only."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.postgres import TestDatabase

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def application(database: TestDatabase) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        yield connection


def test_the_application_has_no_ddl(application: "psycopg.Connection[Any]") -> None:
    statements = (
        "CREATE TABLE public.mine (id int)",
        "CREATE TABLE ledger.mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "ALTER TABLE ledger.transfer ADD COLUMN mine int",
        "ALTER TABLE ledger.transfer DISABLE TRIGGER ALL",
        "DROP TABLE ledger.transfer",
        "DROP SCHEMA ledger CASCADE",
        "TRUNCATE ledger.transfer",
        "SET ROLE onecard_owner",
        "SET session_replication_role = replica",
    )
    for statement in statements:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["transfer", "posting_key", "posting_batch", "purse", "lane", "account"])
def test_the_application_changes_no_row_of_the_ledger_by_itself(application: "psycopg.Connection[Any]", table: str) -> None:
    application.execute(f"SELECT * FROM ledger.{table} LIMIT 1")  # type: ignore[arg-type]
    column = application.execute(
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'ledger' AND table_name = %s LIMIT 1",
        (table,),
    ).fetchone()
    assert column is not None
    for statement in (
        f"UPDATE ledger.{table} SET {column[0]} = {column[0]}",
        f"DELETE FROM ledger.{table}",
        f"TRUNCATE ledger.{table}",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(statement)  # type: ignore[arg-type]


def test_partitions_of_the_journal_are_as_closed_as_the_journal(application: "psycopg.Connection[Any]") -> None:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ledger.transfer'::regclass"
    partitions = [name for (name,) in application.execute(query)]
    assert partitions
    for name in partitions:
        for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            assert application.execute("SELECT has_table_privilege(%s, %s)", (name, right)).fetchone() == (False,), (name, right)


def test_the_application_may_not_say_what_was_migrated(application: "psycopg.Connection[Any]") -> None:
    application.execute("SELECT count(*) FROM django_migrations")
    for statement in ("DELETE FROM django_migrations", "UPDATE django_migrations SET name = name"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(statement)  # type: ignore[arg-type]


def test_the_application_writes_the_directory(application: "psycopg.Connection[Any]") -> None:
    for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        assert application.execute("SELECT has_table_privilege('operators_operator', %s)", (right,)).fetchone() == (True,)


def test_nobody_else_may_connect(database: TestDatabase) -> None:
    query = "SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')"
    with psycopg.connect(database.admin_dsn) as connection:
        assert connection.execute(query).fetchone() == (False,)


def test_every_definer_function_pins_its_search_path(database: TestDatabase) -> None:
    query = """
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND n.nspname IN ('ledger', 'public')
          AND NOT EXISTS (SELECT 1 FROM unnest(p.proconfig) setting WHERE setting LIKE 'search_path=%')
    """
    with psycopg.connect(database.admin_dsn) as connection:
        assert connection.execute(query).fetchall() == []


def test_every_definer_function_is_closed_to_the_public(database: TestDatabase) -> None:
    query = """
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.prosecdef AND n.nspname = 'ledger' AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
    """
    with psycopg.connect(database.admin_dsn) as connection:
        assert connection.execute(query).fetchall() == []
