"""Staging of a file: numbering per terminal, rejects, known files."""

import csv
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from onecard.city.replay.source import TapFile
from onecard.city.replay.staging import Staged, stage
from onecard.city.schema import Connection, ensure_tables
from tests.city.test_source import GOOD, HEADER
from tests.support.postgres import TestDatabase


@pytest.fixture
def owner(database: TestDatabase) -> Iterator[Connection]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        ensure_tables(connection)
        ensure_tables(connection)
        yield connection


def _stage(connection: Connection, tmp_path: Path, *rows: str) -> Staged:
    path = tmp_path / "taps.csv"
    path.write_text("\n".join((HEADER, *rows)), encoding="utf-8")
    return stage(connection, TapFile(path), rejects_path=tmp_path / "rejects.csv")


def _sequences(connection: Connection) -> list[tuple[int, int, int]]:
    query = "SELECT line, terminal_ref, seq FROM city.replay_record ORDER BY file_id, line"
    return connection.execute(query).fetchall()


def _row(terminal: int, minute: int, *, company: str = "地铁五号线") -> str:
    return GOOD.replace("263032105", str(terminal)).replace("22:14", f"22:{minute:02d}").replace("地铁五号线", company)


def test_sequences_follow_the_time_within_a_terminal_and_go_on_in_the_next_file(owner: Connection, tmp_path: Path) -> None:
    first = _stage(owner, tmp_path, _row(7, 30), _row(8, 1), _row(7, 10), _row(7, 10))
    assert (first.rows, first.is_known, first.rejects_path) == (4, False, None)
    assert _sequences(owner) == [(2, 7, 3), (3, 8, 1), (4, 7, 1), (5, 7, 2)]
    _stage(owner, tmp_path, _row(7, 5))
    assert _sequences(owner)[-1] == (2, 7, 4)


def test_the_same_content_again_keeps_its_numbers(owner: Connection, tmp_path: Path) -> None:
    rows = (_row(7, 30), "broken", _row(7, 10))
    first = _stage(owner, tmp_path, *rows)
    before = _sequences(owner)
    again = _stage(owner, tmp_path, *rows)
    assert (again.file_id, again.is_known, again.rows, again.rejects) == (first.file_id, True, 2, first.rejects)
    assert _sequences(owner) == before


def test_a_terminal_of_two_companies_keeps_the_first_and_lists_the_other_rows(owner: Connection, tmp_path: Path) -> None:
    staged = _stage(owner, tmp_path, _row(7, 30), _row(7, 10, company="华程交通"), "broken")
    assert (staged.rows, staged.rejects.total()) == (1, 2)
    with (tmp_path / "rejects.csv").open(encoding="utf-8-sig") as stream:
        listed = list(csv.DictReader(stream))
    assert [(row["line"], row["reason"]) for row in listed] == [
        ("4", "1 columns instead of 11"),
        ("3", "the terminal belongs to 地铁五号线"),
    ]
