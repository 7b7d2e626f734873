"""The role `worker`: runs queued tasks, and the ticks that move the platform without anybody asking.

A tick is harmless when two workers make it at once and can be called by a test. One that fails is logged and made again; a data
centre that is away is waited for. SIGTERM lets the task under way finish; what is cut short goes on when a worker is back.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

log = logging.getLogger("onecard.worker")

_RETRY_S = 2.0
_DRAIN_S = 30.0
_SETTLED_BY_HAND = timedelta(minutes=10)


def cut_day() -> int | None:
    """The automatic day cut, when it is due; gives the run that is to be settled."""
    from onecard.services.settlement import api

    run = api.cut_if_due()
    return run.pk if run else None


def resume_settlement() -> int | None:
    """A run left unfinished: by a worker that died, an error that may have passed, a person who cut the day and went home."""
    from onecard.services.settlement import api

    patience = datetime.now(UTC) - _SETTLED_BY_HAND
    waiting = [run.pk for run in api.unfinished_runs() if run.automatic or run.cut_at < patience]
    return waiting[-1] if waiting else None


def expire_holds() -> None:
    """Give back holds whose time has run out (P4)."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT lane FROM ledger.hold WHERE state = 1 AND expires_at <= now() ORDER BY lane")
        for (lane,) in cursor.fetchall():  # a transaction a lane: nobody but the day cut holds more than one
            cursor.execute("SELECT ledger.expire_holds(%s::smallint)", [lane])


def expire_units() -> None:
    """Units whose validity has run out become expired (O4)."""
    from onecard.services.operators import api

    api.expire_units()


def resume_loads() -> None:
    """Bulk loads that a killed process left (C6)."""
    from onecard.services.people import api

    api.resume_loads()


def prune_pay_codes() -> None:
    """Payment codes issued longer ago than any limit looks back (C4)."""
    from onecard.services.paycodes import api

    api.prune_issued()


def prune_sam_hours() -> None:
    """Hourly counts of SAMs older than any alarm rule looks back (K3)."""
    from onecard.services.keys import api

    api.prune_sam_hours()


def make_partitions() -> None:
    """Have the journal's next months ready."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(3)")


def make_checkpoints() -> None:
    """Sum the book accounts up to now, so that a balance is a short sum."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger.checkpoint()")


def resolve_gray_records() -> None:
    """Settle gray records of chips by what has come in since (P5)."""
    from onecard.services.chip import api

    api.resolve_gray()


def tell_chip_alarms() -> None:
    """Say what of the chips has been open for too long."""
    from onecard.services.chip import api

    api.raise_alarms()


def expire_cards() -> None:
    """Cards whose validity has run out become expired (C3); posting refuses them by their date already."""
    from onecard.services.cards import api

    api.expire_due()


def publish_lists() -> None:
    """The deny list and units' files for deciding off line, when they have changed (G3). While the vault is locked they wait."""
    from onecard.kernel.errors import Unavailable
    from onecard.services.offline import api

    try:
        api.tick()
    except Unavailable as error:
        log.debug("worker: lists are not published now: %s", error)


def tell_due_leases() -> None:
    """Front-ends whose lease is to be renewed hear of it (O4)."""
    from onecard.services.devices import api

    api.tell_due_leases()


def seal_secrets() -> None:
    """What lies in files from before there was a key vault goes behind it (K4)."""
    from onecard.services.devices import api

    api.seal_secrets()


def prune_refused() -> None:
    """Refused attempts older than they are kept (G2)."""
    from onecard.services.devices import api

    api.prune_refused()


def watch_devices() -> None:
    """Raise and clear alarms of devices by their rules, and have people told (D1)."""
    from onecard.services.devices import api, tasks

    api.watch_devices()
    if api.write_messages():
        tasks.queue_messages()  # not here: other people's servers may take their time


def publish_parameters() -> None:
    """Hand changed parameters of devices to the roll-outs (D1)."""
    from onecard.services.devices import api

    api.publish_waiting()


def prune_devices() -> None:
    """History and events of devices older than they are kept (D1)."""
    from onecard.services.devices import api

    api.prune()


def move_rollouts() -> None:
    """Groups of roll-outs one after another, and what on-line keys sign signed again in time (D2)."""
    from onecard.services.rollouts import api

    api.tick()


@dataclass(frozen=True, slots=True)
class Tick:
    """Something that is done every so often."""

    action: Callable[[], object]
    every: timedelta


TICKS = (
    Tick(cut_day, timedelta(seconds=5)),
    Tick(resume_settlement, timedelta(minutes=1)),
    Tick(expire_holds, timedelta(seconds=20)),
    Tick(expire_units, timedelta(seconds=2)),
    Tick(resume_loads, timedelta(minutes=1)),
    Tick(expire_cards, timedelta(minutes=1)),
    Tick(prune_pay_codes, timedelta(hours=1)),
    Tick(prune_sam_hours, timedelta(hours=6)),
    Tick(make_partitions, timedelta(hours=6)),
    Tick(make_checkpoints, timedelta(minutes=5)),
    Tick(resolve_gray_records, timedelta(minutes=1)),
    Tick(tell_chip_alarms, timedelta(minutes=15)),
    Tick(move_rollouts, timedelta(seconds=3)),
    Tick(tell_due_leases, timedelta(seconds=5)),
    Tick(seal_secrets, timedelta(minutes=5)),
    Tick(prune_refused, timedelta(hours=1)),
    Tick(watch_devices, timedelta(seconds=10)),
    Tick(publish_parameters, timedelta(seconds=5)),
    Tick(prune_devices, timedelta(hours=1)),
    Tick(publish_lists, timedelta(seconds=2)),
)


def run() -> None:
    """Work until SIGTERM or SIGINT."""
    from onecard.datacenter import dj

    dj.setup()
    asyncio.run(_serve())


async def _serve() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tick") as threads:
        roles = [asyncio.create_task(_keep(_work, stop), name="tasks")]
        roles += [asyncio.create_task(_beat(tick, threads), name=tick.action.__name__) for tick in TICKS]
        log.info("worker: ready")
        await stop.wait()
        log.info("worker: stopping, the task under way is finished first")
        for role in roles:
            role.cancel()
        await asyncio.gather(*roles, return_exceptions=True)
    log.info("worker: stopped")


async def _keep(work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Have `work` running: when the data centre goes away it ends, and is started again until it holds."""
    while not stop.is_set():
        try:
            await work()
        except Exception as error:
            log.warning("worker: tasks stopped, again in %s s: %s", _RETRY_S, error)
            await asyncio.sleep(_RETRY_S)


async def _work() -> None:
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    assert isinstance(app.connector, DjangoConnector)
    with app.replace_connector(app.connector.get_worker_connector()) as worker:
        async with worker.open_async():
            await worker.run_worker_async(
                install_signal_handlers=False, concurrency=2, shutdown_graceful_timeout=_DRAIN_S, name="onecard"
            )


async def _beat(tick: Tick, threads: ThreadPoolExecutor) -> None:
    """Make a tick over and over; in a thread, because it waits for the database."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            wanted = await loop.run_in_executor(threads, _once, tick)
            if tick.action in (cut_day, resume_settlement) and isinstance(wanted, int):
                await _queue_settlement(wanted)
        except Exception:
            log.exception("worker: tick %s failed", tick.action.__name__)
        await asyncio.sleep(tick.every.total_seconds())


def _once(tick: Tick) -> object:
    from django.db import close_old_connections

    close_old_connections()
    try:
        return tick.action()
    finally:
        close_old_connections()


async def _queue_settlement(run_id: int) -> None:
    from procrastinate.exceptions import AlreadyEnqueued

    from onecard.services.settlement.tasks import settle_run

    try:
        await settle_run.configure(queueing_lock=f"settle-run-{run_id}").defer_async(run_id=run_id)
    except AlreadyEnqueued:
        return
    log.info("worker: run %s queued for settlement", run_id)
