"""The tables of the chip's way home: what was kept, counters and holes, loads and doubts, decisions of two people, parameters."""

from onecard.services.chip.models.counters import CardState, CounterHole, Purchase, SamState
from onecard.services.chip.models.decisions import Decision
from onecard.services.chip.models.loads import Load, LoadDoubt
from onecard.services.chip.models.parameters import ChipParameter, ChipTypeLimit
from onecard.services.chip.models.records import HeldRecord

__all__ = [
    "CardState",
    "ChipParameter",
    "ChipTypeLimit",
    "CounterHole",
    "Decision",
    "HeldRecord",
    "Load",
    "LoadDoubt",
    "Purchase",
    "SamState",
]
