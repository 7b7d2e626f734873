"""The two roles of the database: the owner, who has the schema and migrates it, and the application, who may change rows.

The application has no DDL, and on what is append-only no UPDATE and no DELETE: the ledger's own grants say so for the journal
(`ledger/sql/functions/90_grants.sql`), `grant_to_application` for the rest.
"""

from typing import Any

import psycopg
from psycopg import sql

from onecard.kernel.errors import Unavailable

OWNER = "onecard_owner"
APPLICATION = "onecard_app"
_SYSTEM_TABLES = ("django_migrations", "datacenter_function")  # the application may read them only

type_connection = psycopg.Connection[Any]


def create_roles(connection: type_connection) -> None:
    """As a superuser: both roles, where they do not exist."""
    for name, options in ((OWNER, "LOGIN CREATEDB"), (APPLICATION, "LOGIN")):
        _create_role(connection, name, options)


def create_roles_and_database(connection: type_connection, database: str) -> None:
    """On the embedded server, as its superuser: both roles and the owner's database. Does nothing where they exist."""
    create_roles(connection)
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
        create_database(connection, database)


def create_database(connection: type_connection, database: str, *, template: str | None = None, owner: str = OWNER) -> None:
    """A database of the owner's that nobody but our two roles may connect to. Needs autocommit."""
    statement = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
    connection.execute(statement)
    named = sql.Identifier(database)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(named))
    connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(named, sql.Identifier(APPLICATION)))


def drop_database(connection: type_connection, database: str) -> None:
    """Drops a database where there is one, whoever is still connected to it. Needs autocommit."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database))
    try:
        connection.execute(drop + sql.SQL(" WITH (FORCE)"))
    except psycopg.errors.InsufficientPrivilege:
        # FORCE may not end an autovacuum worker, which is the superuser's; the plain statement sends it away and waits.
        connection.execute(drop)


def ensure_application_role(connection: type_connection, *, password: str | None) -> None:
    """As the owner of a server given by a DSN: the application's role, with our password.

    Raises Unavailable where the owner may not create roles, with the statement an administrator has to run.
    """
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APPLICATION,)).fetchone() is not None
    if password is None:
        if not exists:
            _create_role(connection, APPLICATION, "LOGIN")
        return
    verb = "ALTER" if exists else "CREATE"
    try:
        with connection.transaction():
            statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(APPLICATION), sql.Literal(password))
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        if exists:
            return  # an administrator keeps the role; ONECARD_APP_DATABASE then says how to reach it
        raise Unavailable(
            f"数据库用户无权建立角色；请管理员执行 CREATE ROLE {APPLICATION} LOGIN PASSWORD '…'，并设置 ONECARD_APP_DATABASE",
            f"this database user may not create roles: have an administrator run CREATE ROLE {APPLICATION} LOGIN PASSWORD '…'"
            " and set ONECARD_APP_DATABASE",
        ) from None


def grant_to_application(connection: type_connection) -> None:
    """As the owner, after a migration: what the application may do in the schema `public`, and that it has no DDL anywhere."""
    application = sql.Identifier(APPLICATION)
    statements = (
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}",
    )
    for statement in statements:
        connection.execute(sql.SQL(statement).format(application))
    for table in _SYSTEM_TABLES:
        if connection.execute("SELECT to_regclass(%s)", (f"public.{table}",)).fetchone() != (None,):
            statement_ = sql.SQL("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON public.{} FROM {}")
            connection.execute(statement_.format(sql.Identifier(table), application))


def _create_role(connection: type_connection, name: str, options: str) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} " + options).format(sql.Identifier(name)))
