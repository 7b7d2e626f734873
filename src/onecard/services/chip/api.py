"""What others may do with chips coming home (P5): look, decide by two people, take records and loads in."""

from onecard.services.chip.belowzero import BelowZero, below_zero
from onecard.services.chip.counts import Standing, counters_complete, standing
from onecard.services.chip.decisions import approve, open_decisions, outcomes_for, propose, reject
from onecard.services.chip.intake import Taken, take_in
from onecard.services.chip.lists import (
    DoubtRow,
    HoleRow,
    Overview,
    RecordRow,
    gray_records,
    holes,
    load_doubts,
    overview,
    quarantine,
    statement,
)
from onecard.services.chip.loads import load_step
from onecard.services.chip.parameters import Limits, limits, set_limits, set_type_limits
from onecard.services.chip.permissions import PERMISSIONS
from onecard.services.chip.records import ChipRecord
from onecard.services.chip.steps import LoadReply, LoadRequest
from onecard.services.chip.tasks import raise_alarms, resolve_gray

__all__ = [
    "PERMISSIONS",
    "BelowZero",
    "ChipRecord",
    "DoubtRow",
    "HoleRow",
    "Limits",
    "LoadReply",
    "LoadRequest",
    "Overview",
    "RecordRow",
    "Standing",
    "Taken",
    "approve",
    "below_zero",
    "counters_complete",
    "gray_records",
    "holes",
    "limits",
    "load_doubts",
    "load_step",
    "open_decisions",
    "outcomes_for",
    "overview",
    "propose",
    "quarantine",
    "raise_alarms",
    "reject",
    "resolve_gray",
    "set_limits",
    "set_type_limits",
    "standing",
    "statement",
    "take_in",
]
