"""What a batch is answered when application servers die under it: never that nothing was posted where something may have been."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecard.gateway.apps import AppServers
from onecard.gateway.errors import AppBusyError, AppUnavailableError
from onecard.gateway.metrics import Counters
from onecard.gateway.platform import Platform
from onecard.kernel.codes import Result
from onecard.protocol.proto.app_pb2 import LoadChipCall, PostBatch
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer
from tests.gateway.fake_app import FakeApplication
from tests.gateway.test_native import records

BUSY, APPROVED, UNAVAILABLE = Result.BUSY, Result.APPROVED, Result.UNAVAILABLE
Start = Callable[..., Awaitable[AppServers]]


class Loading(FakeApplication):
    """Takes steps of loads too."""

    loads = 0

    async def LoadChip(self, request: LoadChipCall, context: Any) -> ChipLoadAnswer:
        self.loads += 1
        if self.fail is not None:
            await context.abort(self.fail, "as told")
        return ChipLoadAnswer(code=int(BUSY))


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts application servers, which are asked in their order, and gives the gateway's side of them."""
    opened: list[Any] = []

    async def started(*apps: Loading) -> AppServers:
        addresses = tuple(f"unix:{tmp_path}/app-{len(opened)}-{place}.sock" for place in range(len(apps)))
        for app, address in zip(apps, addresses, strict=True):
            await app.start(address)
        servers = AppServers(addresses, gateway="g", counters=Counters())
        opened.extend([servers.close, *(app.stop for app in apps)])
        return servers

    yield started
    for close in opened:
        await close()


def batch(*seqs: int) -> PostBatch:
    return PostBatch(records=records(10, list(seqs)), line_id=[7] * len(seqs))


def app(*, fail: grpc.StatusCode | None = None, busy: frozenset[int] = frozenset()) -> Loading:
    """Fails every call, or answers BUSY to some sequence numbers."""
    made = Loading()
    made.fail = fail
    made.answer = lambda row: (int(BUSY if row["terminal_seq"] in busy else APPROVED), 0, 0, 0)
    return made


async def test_busy_behind_a_server_that_died_is_unavailable_because_it_may_have_posted(start: Start) -> None:
    died, full = app(fail=grpc.StatusCode.UNAVAILABLE), app(busy=frozenset({2}))
    servers = await start(died, full)
    reply = await servers.post(batch(1, 2), deadline_s=5)
    assert [len(died.batches), len(full.batches)] == [1, 1]
    assert list(reply.answers.code) == [APPROVED, UNAVAILABLE]


async def test_a_call_refused_whole_behind_a_server_that_died_is_unavailable(start: Start) -> None:
    servers = await start(app(fail=grpc.StatusCode.UNAVAILABLE), app(fail=grpc.StatusCode.RESOURCE_EXHAUSTED))
    with pytest.raises(AppUnavailableError):
        await servers.post(batch(1), deadline_s=5)


async def test_a_step_of_a_load_behind_a_server_that_died_is_unavailable(start: Start) -> None:
    died, full = app(fail=grpc.StatusCode.UNAVAILABLE), app()
    platform = Platform(await start(died, full), gateway="g", book=None, files=None)  # type: ignore[arg-type]
    assert (await platform.load_chip(1, ChipLoad(), deadline_s=5)).code == UNAVAILABLE
    assert (died.loads, full.loads) == (1, 1)


async def test_busy_at_the_first_server_asked_stays_busy(start: Start) -> None:
    servers = await start(app(busy=frozenset({1})))
    reply = await servers.post(batch(1), deadline_s=5)
    assert list(reply.answers.code) == [BUSY]
    assert (await Platform(servers, gateway="g", book=None, files=None).load_chip(1, ChipLoad(), deadline_s=5)).code == BUSY  # type: ignore[arg-type]
    servers = await start(app(fail=grpc.StatusCode.RESOURCE_EXHAUSTED))
    with pytest.raises(AppBusyError):
        await servers.post(batch(1), deadline_s=5)
