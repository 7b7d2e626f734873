"""A city with a signed repository, and a front-end of one of its units."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from onecard.kernel.clock import ManualClock
from tests.edge.city import City, open_city
from tests.rollouts.house import House, open_house
from tests.services.conftest import Tree, clock, database_allowed, root, tree

__all__ = ["clock", "database_allowed", "root", "tree"]


@pytest.fixture
def house(tree: Tree, tmp_path, monkeypatch) -> Iterator[House]:
    """The tree with a vault and a signed repository."""
    with open_house(tree, tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def town(tree: Tree, tmp_path) -> City:
    """The same without a vault and a repository: for what is only made, not published."""
    return open_city(House(tree, tmp_path, b"", ManualClock(datetime.now(UTC)), tmp_path, ThreadPoolExecutor(1)))


@pytest.fixture
def city(house: House) -> City:
    """The house with cards, a front-end's line and a terminal behind it."""
    return open_city(house)
