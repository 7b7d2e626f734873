"""Where each role connects to, by environment."""

from collections.abc import Callable

import pytest
from psycopg.conninfo import conninfo_to_dict

from onecard.datacenter import dj, dsn
from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput


@pytest.fixture
def home(new_home: Callable[[], Home]) -> Home:
    return new_home()


def test_without_a_dsn_both_roles_reach_the_homes_own_server(home: Home) -> None:
    assert dsn.is_embedded()
    expected = {"host": str(home.run_dir / "pg"), "dbname": "onecard"}
    assert conninfo_to_dict(dsn.owner_dsn(home)) == {**expected, "user": "onecard_owner"}
    assert conninfo_to_dict(dsn.app_dsn(home)) == {**expected, "user": "onecard_app"}


def test_with_the_owners_dsn_the_application_gets_a_role_and_password_of_its_own(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECARD_DATABASE", "postgresql://boss:secret@db.example:6432/city?sslmode=verify-full")
    assert not dsn.is_embedded()
    parts = conninfo_to_dict(dsn.app_dsn(home))
    password = home.secret(dsn.APPLICATION_PASSWORD)
    kept = {"host": "db.example", "port": "6432", "dbname": "city", "sslmode": "verify-full"}
    assert parts == {**kept, "user": "onecard_app", "password": password}


def test_a_machine_may_hold_the_applications_dsn_only(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_APP_DATABASE", "host=db dbname=city user=reader")
    assert not dsn.is_embedded()
    assert dsn.app_dsn(home) == "host=db dbname=city user=reader"


@pytest.mark.parametrize(
    ("given", "said"), [("host=", "names no database"), ("nonsense", "is not a DSN"), ("host=db", "names no database")]
)
def test_a_dsn_that_is_none_is_refused_by_its_variables_name(given: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_DATABASE", given)
    with pytest.raises(InvalidInput, match=f"ONECARD_DATABASE {said}"):
        dsn.owner_dsn()


def test_django_gets_the_same_connection() -> None:
    settings = dj.connection_settings("postgresql://boss:secret@db.example:6432/city?sslmode=require")
    assert {name: settings[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")} == {
        "NAME": "city", "USER": "boss", "PASSWORD": "secret", "HOST": "db.example", "PORT": "6432",
    }  # fmt: skip
    assert settings["OPTIONS"]["sslmode"] == "require"
