"""The one path of migrations: Django's migrations as the owner, then the ledger's functions, then the application's grants.

Forward only. Functions are `CREATE OR REPLACE` and applied at every migration, so a database has the functions of the program
that migrated it last. Concurrent callers wait for one another.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from onecard.datacenter import dj, roles
from onecard.kernel.errors import Unavailable

_ADVISORY_LOCK = 0x6F6E6563617264  # "onecard"
_OLDEST_SERVER, _NEWEST_SERVER = 15, 18

_LEDGER_FUNCTIONS = "SELECT oid::regprocedure::text, xmin::text FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace"
_GRANTS = "90_"

Progress = Callable[[str], None]


def migrate(owner_dsn: str, *, password: str | None = None, progress: Progress = lambda line: None) -> None:
    """Bring a database to this program's schema.

    `password` is the application role's, where it is ours to keep (on a server given by a DSN). Raises Unavailable where the
    server is too old or too new, or where the database was migrated by a newer program.
    """
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        require_supported_server(connection)
        connection.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
        roles.ensure_application_role(connection, password=password)
        _run_django(owner_dsn, progress)
        with connection.transaction():
            _apply_functions(connection)
            roles.grant_to_application(connection)


def is_current(owner_dsn: str) -> bool:
    """Whether a database has every migration of this program. Raises Unavailable where it has one this program does not know."""
    with _executor(owner_dsn) as executor:
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def require_supported_server(connection: "psycopg.Connection[Any]") -> None:
    """Raises Unavailable outside PostgreSQL 15 to 18."""
    major = connection.info.server_version // 10000
    if not _OLDEST_SERVER <= major <= _NEWEST_SERVER:
        raise Unavailable(
            f"不支持 PostgreSQL {major}，支持 {_OLDEST_SERVER} 至 {_NEWEST_SERVER}",
            f"PostgreSQL {major} is not supported: {_OLDEST_SERVER} to {_NEWEST_SERVER} are",
        )


def _run_django(owner_dsn: str, progress: Progress) -> None:
    with _executor(owner_dsn) as executor:
        targets = executor.loader.graph.leaf_nodes()
        plan = executor.migration_plan(targets)

        def tell(action: str, migration: Any = None, fake: bool = False) -> None:
            if action == "apply_start":
                progress(f"{migration.app_label}.{migration.name}")

        executor.progress_callback = tell
        state = executor.migrate(targets, plan=plan)
        state.clear_delayed_apps_cache()
        _create_permissions(executor.connection.alias)


def _create_permissions(alias: str) -> None:
    """What `manage.py migrate` does after migrating: content types and permissions for the models there are now."""
    from django.core.management.sql import emit_post_migrate_signal

    emit_post_migrate_signal(verbosity=0, interactive=False, db=alias)


@contextlib.contextmanager
def _executor(owner_dsn: str) -> Iterator[Any]:
    dj.setup()
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    with dj.connected_as(owner_dsn):
        executor = MigrationExecutor(connection)
        _refuse_newer_database(executor)
        executor.loader.check_consistent_history(connection)
        yield executor


def _refuse_newer_database(executor: Any) -> None:
    ours = {app for app, _ in executor.loader.disk_migrations}
    unknown = sorted(
        key for key in executor.loader.applied_migrations if key[0] in ours and key not in executor.loader.disk_migrations
    )
    replaced = {key for migration in executor.loader.disk_migrations.values() for key in migration.replaces}
    unknown = [key for key in unknown if key not in replaced]
    if unknown:
        names = ", ".join(".".join(key) for key in unknown[:3])
        raise Unavailable(
            f"数据库由更新的程序版本迁移过（{names}）：请使用该版本",
            f"this database was migrated by a newer program ({names}): use that one",
        )


def _apply_functions(connection: "psycopg.Connection[Any]") -> None:
    """Every function as its file has it, and none that no file has any more: an old overload would still be called.

    Which functions the files made is written down, so that those a migration made in the same schema are left alone.
    """
    from onecard.ledger.sql import function_files

    made: set[str] = set()
    for file in function_files():
        before = dict(connection.execute(_LEDGER_FUNCTIONS).fetchall())
        connection.execute(file.read_text(encoding="utf-8").encode())
        if not file.name.startswith(_GRANTS):  # what a grant touches it has not made
            # CREATE OR REPLACE writes the catalogue's row anew, also where nothing differs.
            after = dict(connection.execute(_LEDGER_FUNCTIONS).fetchall())
            made |= {signature for signature, version in after.items() if before.get(signature) != version}
    written_down = {str(signature) for (signature,) in connection.execute("SELECT signature FROM datacenter_function").fetchall()}
    for signature in sorted(written_down - made):
        connection.execute(f"DROP ROUTINE IF EXISTS {signature}".encode())
    connection.execute("DELETE FROM datacenter_function WHERE signature <> ALL (%s)", (sorted(made),))
    connection.execute("INSERT INTO datacenter_function SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (sorted(made),))
