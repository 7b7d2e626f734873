"""A city with a signed repository."""

from collections.abc import Iterator

import pytest

from tests.rollouts.house import House, open_house
from tests.services.conftest import Tree, clock, database_allowed, root, tree

__all__ = ["clock", "database_allowed", "root", "tree"]


@pytest.fixture
def house(tree: Tree, tmp_path, monkeypatch) -> Iterator[House]:
    """The tree with a vault, an off-line key folder and a repository signed by it."""
    with open_house(tree, tmp_path, monkeypatch) as opened:
        yield opened
