"""The migrations of the three domains make what their models say, and the application's role has no more than it needs."""

import psycopg
import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tests.support.postgres import TestDatabase

DOMAINS = {"operators", "people", "devices"}


def test_no_model_has_changed_without_a_migration(django_database: TestDatabase) -> None:
    loader = MigrationLoader(connection)
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    changes = detector.changes(graph=loader.graph)
    assert not DOMAINS & changes.keys(), {label: changes[label] for label in DOMAINS & changes.keys()}


def test_the_application_cannot_loosen_a_limit(django_database: TestDatabase) -> None:
    attempts = (
        "ALTER TABLE operators_operator DROP CONSTRAINT operator_unit_limit",
        "ALTER TABLE operators_unit DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "TRUNCATE people_holder",
        "CREATE TABLE x ()",
    )
    with psycopg.connect(django_database.app_dsn, autocommit=True) as application:
        for attempt in attempts:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(attempt)  # type: ignore[call-overload]
