"""A server with the real, durable settings, shared by a module's tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home


@pytest.fixture(scope="module")
def durable_server() -> Iterator[EmbeddedServer]:
    """An embedded server as an installation has it."""
    session_folder = Home.from_environment().path.parent
    home = Home(Path(tempfile.mkdtemp(prefix="durable-", dir=session_folder)))
    server = EmbeddedServer(home)
    server.start()
    yield server
    server.stop(immediate=True)
    shutil.rmtree(home.path)
