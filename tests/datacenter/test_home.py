"""The home: its folders and their permissions, its secrets, its socket paths."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput, Unavailable


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


def test_named_home_wins_over_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_HOME", "/somewhere/city")
    assert Home.from_environment().path == Path("/somewhere/city")


def test_default_home_is_the_systems_for_root_and_the_users_own_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONECARD_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/somebody/data")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Home.from_environment().path == Path("/var/lib/onecard")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Home.from_environment().path == Path("/home/somebody/data/onecard")


def test_folders_are_private_but_for_passing_through_as_root(new_home: Callable[[], Home]) -> None:
    home = new_home()
    home.prepare()
    passable = 0o711 if os.geteuid() == 0 else 0o700
    assert [mode(folder) for folder in (home.path, home.run_dir, home.log_dir)] == [passable] * 3
    assert [mode(folder) for folder in (home.tls_dir, home.secrets_dir, home.spool)] == [0o700] * 3


def test_permissions_that_were_opened_are_closed_again(new_home: Callable[[], Home]) -> None:
    home = new_home()
    home.prepare()
    home.secrets_dir.chmod(0o777)
    home.prepare()
    assert mode(home.secrets_dir) == 0o700


def test_a_folder_with_other_things_in_it_is_not_taken(new_home: Callable[[], Home]) -> None:
    home = new_home()
    (home.path / "log").mkdir(mode=0o755)
    before = mode(home.path)
    with pytest.raises(InvalidInput, match="neither empty nor a data folder"):
        home.prepare()
    assert mode(home.path) == before
    assert mode(home.path / "log") == 0o755


def test_a_link_in_the_place_of_a_folder_is_refused(new_home: Callable[[], Home], tmp_path: Path) -> None:
    home = new_home()
    home.prepare()
    home.secrets_dir.rmdir()
    home.secrets_dir.symlink_to(tmp_path)
    with pytest.raises(InvalidInput, match="not a folder of this user"):
        home.prepare()


def test_a_home_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot make the"):
        Home(tmp_path / "file" / "home").prepare()


def test_sockets_of_a_long_path_lie_elsewhere_and_apart(tmp_path: Path) -> None:
    deep = tmp_path / ("long-" * 20)
    one, other = Home(deep / "a").run_dir, Home(deep / "b").run_dir
    assert one != other
    assert all(len(str(folder / "pg/.s.PGSQL.5432")) <= 107 for folder in (one, other))
    assert Home(tmp_path / "city").run_dir == tmp_path / "city" / "run"


def test_a_secret_is_made_once_and_readable_by_its_user_only(new_home: Callable[[], Home]) -> None:
    home = new_home()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: home.secret("key"), range(32)))
    assert len(found) == 1
    assert len(found.pop()) >= 43
    assert mode(home.secrets_dir / "key") == 0o600
    assert [file.name for file in home.secrets_dir.iterdir()] == ["key"]
    assert home.secret("key") != home.secret("other")
