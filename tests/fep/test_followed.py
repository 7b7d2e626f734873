"""What the platform publishes is in force at a front-end soon after, through every real tier between them (G3, D2, O4)."""

import asyncio
import time

from onecard.kernel.clock import SystemClock
from onecard.kernel.codes import Operation, Result
from tests.fep.processes import FrontEnd
from tests.fep.town import Town


async def test_a_card_that_is_lost_is_refused_off_line_within_a_minute(town: Town) -> None:
    await asyncio.to_thread(_open_repository, town)
    front = await town.add(lists=False)
    await asyncio.to_thread(_tick)
    await front.process.says("is up")
    await _until_version(front, "deny", 1)
    await _until_version(front, "rules", 1)
    before = await asyncio.to_thread(front.status)
    assert before["lease"]["serial"] > 0
    lost_at = time.monotonic()
    version = {one["name"]: one["version"] for one in before["data"]}["deny"]
    await asyncio.to_thread(_lose, front.card)
    await _until_version(front, "deny", version + 1)
    assert time.monotonic() - lost_at < 60
    taken_at = time.monotonic()
    while await asyncio.to_thread(_known_of, front.line_id) < version + 1:
        assert time.monotonic() - taken_at < 20, "its heartbeat comes at once, not after half a minute"
        await asyncio.sleep(0.1)
    assert await asyncio.to_thread(_events_of_deny_lists) == 0
    front.relay.cut()
    assert await front.ask(Operation.PURCHASE, 1, 100) in (Result.CARD_DENIED, Result.UNAVAILABLE)
    assert await front.ask(Operation.PURCHASE, 2, 100) == Result.CARD_DENIED
    assert (await asyncio.to_thread(front.status))["backlog"]["records"] == 0


async def _until_version(front: FrontEnd, name: str, version: int) -> None:
    async with asyncio.timeout(90):
        while True:
            data = (await asyncio.to_thread(front.status))["data"]
            if any(one["name"] == name and one["version"] >= version for one in data):
                return
            await asyncio.sleep(0.1)


def _open_repository(town: Town) -> None:
    """The keys of the repository, and its first files."""
    from django.db import connections

    from onecard.datacenter.home import Home
    from onecard.services.keys import api as keys
    from onecard.services.rollouts import api as rollouts
    from tests.rollouts.house import ACTOR, KDF, PASSPHRASE

    keys.init_demo(Home.from_environment(), kdf=KDF, uses=())
    rollouts.init_repository(town.folder / "keys", PASSPHRASE, actor=ACTOR, clock=SystemClock())
    connections.close_all()


def _tick() -> int:
    """What the worker does every two seconds; gives the version of the deny list that it has published."""
    from django.db import connections

    from onecard.services.offline import api as offline

    published = offline.tick(SystemClock())
    connections.close_all()
    return published.deny_version


def _known_of(line_id: int) -> int:
    """The version of the deny list that the platform knows this front-end has."""
    from django.db import connections

    from onecard.services.devices.models import DeviceStatus

    state = DeviceStatus.objects.filter(line_id=line_id).first()
    connections.close_all()
    return state.versions.get("deny", 0) if state else 0


def _events_of_deny_lists() -> int:
    from django.db import connections

    from onecard.services.devices.models import StoredEvent

    found = StoredEvent.objects.filter(detail__startswith="deny ").count()
    connections.close_all()
    return found


def _lose(card: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.set_card_status(%s, 2)", [card])
    while not _tick():  # the list before may still be with its canary, which is this front-end
        time.sleep(0.5)
