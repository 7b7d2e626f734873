"""A small tree, and files of cardholders to load into it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from onecard.services.actors import Actor
from tests.services.conftest import Tree, at_once, clock, database_allowed, root, tree

__all__ = ["Tree", "at_once", "clock", "database_allowed", "root", "tree"]

ACTOR = Actor.system("test")


@pytest.fixture
def actor() -> Actor:
    return ACTOR


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows of cells as CSV."""

    def write(*rows: Sequence[str], encoding: str = "utf-8", delimiter: str = ",", name: str = "people.csv") -> Path:
        path = tmp_path / name
        path.write_bytes("".join(delimiter.join(row) + "\r\n" for row in rows).encode(encoding))
        return path

    return write
