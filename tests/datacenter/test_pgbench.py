"""The yardstick: measured on a durable server only, and gone afterwards."""

import os

import psycopg
import pytest

from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.pgbench import best, best_tps
from onecard.datacenter.roles import OWNER
from onecard.kernel.errors import Unavailable
from tests.support.postgres import TestServer


@pytest.mark.skipif("ONECARD_TEST_DATABASE" in os.environ, reason="the tests run on a server of the distribution")
def test_the_best_client_count_is_found_and_the_scratch_database_dropped(durable_server: EmbeddedServer) -> None:
    told: list[str] = []
    owner = durable_server.dsn(user=OWNER)
    found = best(owner, seconds=1, scale=1, clients=(1, 2), progress=told.append)
    assert found.tps > 1
    assert found.clients in {1, 2}
    assert len(told) == 2
    with psycopg.connect(owner) as connection:
        assert connection.execute("SELECT 1 FROM pg_database WHERE datname = 'onecard_pgbench'").fetchone() is None


def test_a_server_that_is_not_durable_is_no_yardstick(postgres: TestServer) -> None:
    with pytest.raises(Unavailable, match="not durable"):
        best_tps(postgres.admin_dsn)
