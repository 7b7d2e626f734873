"""The city's issuing station: lays blank virtual cards on its reader for every batch that runs.

It works on whatever batch somebody starts in the management centre, so that issuing can be watched and tried there. A card it was
cut off with lies in the folder and is touched first.
"""

import logging
import signal
import threading
from pathlib import Path

from django.db import OperationalError, close_old_connections, connection

from onecard.city.chips.folder import ChipFolder
from onecard.kernel.errors import OneCardError
from onecard.ledger.codes import Medium
from onecard.protocol.purse.apdu import Command, Response
from onecard.services.actors import Actor
from onecard.services.issuing import api as issuing
from onecard.services.keys.api import open_vault
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.base import exchange
from onecard.terminal.reader.local import LocalReader

log = logging.getLogger(__name__)
STATION = "演示发卡台 demo station"
_ACTOR = Actor.system(STATION)
_LOOK_EVERY_S = 1.0


class _Tray:
    """The reader with one card on it (issuing.Slot)."""

    def __init__(self, card: Path) -> None:
        self._reader = LocalReader(VirtualCard.open(card, durable=False))

    def await_card(self) -> bool:
        """Power it up."""
        self._reader.connect()
        return True

    def exchange(self, command: Command) -> Response:
        """See issuing.Slot."""
        return exchange(self._reader, command)

    def release(self, *, wait: bool) -> None:
        """See issuing.Slot."""
        assert not wait, "nobody takes a virtual card away"
        self._reader.disconnect()


def serve(folder: ChipFolder) -> None:
    """Work until SIGTERM or SIGINT; a card under way is finished first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("station ready, cards lie in %s", folder.cards)
    while not stop.is_set():
        close_old_connections()
        try:
            if make_next(folder):
                continue
        except OperationalError as error:
            log.warning("the data centre is away: %s", str(error).partition("\n")[0])
            connection.close()
        except OneCardError as error:
            log.warning("%s", error)
        stop.wait(_LOOK_EVERY_S)


def make_next(folder: ChipFolder) -> bool:
    """One card of a running batch; whether one was worked on."""
    running = issuing.Batch.objects.filter(state=issuing.BatchState.RUNNING, medium=Medium.CPU).order_by("pk")
    for batch in running:
        card = next(iter(folder.blanks()), None) or folder.new_blank()
        report = _touch(card, batch.pk)
        result = report.result
        if result is None:
            log.info("batch %d: %s", batch.pk, report.en)
        elif result.outcome is issuing.Outcome.DONE and result.card_no is not None:
            folder.hand_over(card, result.card_no)
            log.info("card %016d issued", result.card_no)
            return True
        elif result.outcome is not issuing.Outcome.NOTHING_QUEUED:
            log.info("batch %d: %s: %s", batch.pk, result.outcome, report.en)
            if result.outcome is issuing.Outcome.FAILED:
                folder.reject(card)
            return True
    return False


def _touch(card: Path, batch_id: int) -> issuing.Report:
    tray = _Tray(card)
    tray.await_card()
    try:
        return issuing.touch_once(issuing.Request(STATION, _ACTOR, batch_id=batch_id), tray, open_vault())
    finally:
        tray.release(wait=False)
