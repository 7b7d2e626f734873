"""Tells the roll-outs what devices said of updates and data (D2), in the transaction that stores it."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, cast

from onecard.kernel.events import EventKind

_THEIRS = frozenset(
    {
        EventKind.DATA_TAKEN,
        EventKind.DATA_REFUSED,
        EventKind.UPDATE_DOWNLOADING,
        EventKind.UPDATE_WAITING,
        EventKind.UPDATE_INSTALLING,
        EventKind.UPDATE_DONE,
        EventKind.UPDATE_FAILED,
        EventKind.UPDATE_REFUSED,
    }
)


def tell_rollouts(events: Sequence[Any]) -> None:
    """Hand on the events that move their actions: `rollouts.api.note_events`, found by name, since they call this domain too."""
    theirs = [event for event in events if event.kind in _THEIRS]
    if not theirs:
        return
    note = getattr(import_module("onecard.services.rollouts.api"), "note_events", None)
    if note is not None:
        cast(Callable[[Sequence[Any]], None], note)(theirs)
