"""Kinds over a real gateway: its fixtures, and a folder as `onecard enrol` leaves it."""

import shutil
from pathlib import Path

import pytest

from tests.gateway.conftest import authority, house, pytest_asyncio_loop_factories
from tests.gateway.pki import Issued

__all__ = ["authority", "house", "pytest_asyncio_loop_factories"]


@pytest.fixture
def enrolled(tmp_path: Path):
    """The folder of a line with its certificate."""

    def make(issued: Issued, name: str = "line") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        identity = issued.identity
        for file, to in ((identity.ca, "ca.pem"), (identity.certificate, "cert.pem"), (identity.key, "key.pem")):
            shutil.copy(file, folder / to)
        return folder

    return make
