"""A station: cards laid on a reader one after another, each touched by the engine, with what it took; the reader is an argument.

Whatever goes wrong with a card is reported and the next one awaited: the batch goes on, the card is taken up at its next touch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol, TypeVar

from django.db import InterfaceError, OperationalError, connection

from onecard.kernel.errors import NotFound, OneCardError, RuleViolated
from onecard.protocol.purse.apdu import Command, Response
from onecard.services.issuing import batches, engine
from onecard.services.issuing.chip import Talk
from onecard.services.issuing.claims import Request
from onecard.services.issuing.engine import Outcome, Result, Vault
from onecard.services.issuing.models import BatchState, Pace

T = TypeVar("T")
Exchange = Callable[[Command], Response]


class Slot(Protocol):
    """A reader as a station sees it."""

    def await_card(self) -> bool:
        """Wait for a card and power it up; False where no more will come (the operator ends the work)."""
        ...

    def exchange(self, command: Command) -> Response:
        """One command and its answer. Raises an OneCardError where the card or the reader is gone."""
        ...

    def release(self, *, wait: bool) -> None:
        """Power the card down; with `wait` until it was taken away."""
        ...


@dataclass(frozen=True, slots=True)
class Figures:
    """What a touch took: commands to the card, our own time (database, vault, thinking), and the card's and reader's."""

    round_trips: int
    own_s: float
    card_s: float


@unique
class Trouble(StrEnum):
    """Why a touch ended without a result."""

    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    DATABASE_AWAY = "database_away"


@dataclass(frozen=True, slots=True)
class Report:
    """What a station tells after each touch: a result with its figures, or the trouble."""

    result: Result | None
    figures: Figures | None
    trouble: Trouble | None = None
    zh: str = ""
    en: str = ""


def play(talk: Talk[T], exchange: Exchange) -> tuple[T, Figures]:
    """Carry a conversation to a card. Raises what either side raises; the conversation is then closed."""
    begun = time.perf_counter()
    trips, card_s = 0, 0.0
    try:
        command = next(talk)
        while True:
            sent = time.perf_counter()
            response = exchange(command)
            card_s += time.perf_counter() - sent
            trips += 1
            command = talk.send(response)
    except StopIteration as end:
        return end.value, Figures(trips, time.perf_counter() - begun - card_s, card_s)
    finally:
        talk.close()


def touch_once(request: Request, slot: Slot, vault: Vault) -> Report:
    """One card that lies on the reader. Never raises for what concerns this card only."""
    try:
        result, figures = play(engine.touch(request, vault), slot.exchange)
    except (OperationalError, InterfaceError) as error:
        connection.close()
        return _trouble(Trouble.DATABASE_AWAY, "数据库不可用，此卡下次放上时继续", str(error).partition("\n")[0])
    except (RuleViolated, NotFound) as error:
        return _trouble(Trouble.REFUSED, error.zh, error.en)
    except OneCardError as error:
        if not error.retryable:
            raise
        return _trouble(Trouble.INTERRUPTED, error.zh, error.en)
    return Report(result, figures, zh=result.zh, en=result.en)


def run_batch(request: Request, slot: Slot, vault: Vault, report: Callable[[Report], None]) -> BatchState:
    """Work on a batch until it is over, stopped, or no more cards come; gives the state it was left in. Raises NotFound."""
    assert request.batch_id is not None
    pace = batches.get(request.batch_id).pace
    while (state := BatchState(batches.get(request.batch_id).state)) is BatchState.RUNNING:
        if not slot.await_card():
            return state
        try:
            report(touch_once(request, slot, vault))
        finally:
            slot.release(wait=pace == Pace.OPERATOR)
    return state


def is_over(report: Report) -> bool:
    """Whether nothing was queued for the card that was touched."""
    return report.result is not None and report.result.outcome is Outcome.NOTHING_QUEUED


def _trouble(trouble: Trouble, zh: str, en: str) -> Report:
    return Report(None, None, trouble, zh, en)
