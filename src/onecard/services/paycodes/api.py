"""What other areas call of payment codes: issuing and showing one, letting records with codes in, limits, and what was kept."""

from onecard.services.paycodes.admit import CLOCK_TOLERANCE_S, admit_records
from onecard.services.paycodes.choices import HeldState, Outcome
from onecard.services.paycodes.desk import approve_held, propose_held, reject_held
from onecard.services.paycodes.issue import IssuedPayCode, issue, prune_issued, public_keys
from onecard.services.paycodes.limits import Limits, limits_of, set_limits
from onecard.services.paycodes.lists import (
    CodeSeen,
    Figure,
    HeldRow,
    codes_of,
    held_figure,
    held_payments,
    limit_rules,
    open_held_decisions,
)
from onecard.services.paycodes.permissions import PERMISSIONS
from onecard.services.paycodes.pictures import qr_png, qr_svg
from onecard.services.paycodes.records import CodeRecord

__all__ = [
    "CLOCK_TOLERANCE_S",
    "PERMISSIONS",
    "CodeRecord",
    "CodeSeen",
    "Figure",
    "HeldRow",
    "HeldState",
    "IssuedPayCode",
    "Limits",
    "Outcome",
    "admit_records",
    "approve_held",
    "codes_of",
    "held_figure",
    "held_payments",
    "issue",
    "limit_rules",
    "limits_of",
    "open_held_decisions",
    "propose_held",
    "prune_issued",
    "public_keys",
    "qr_png",
    "qr_svg",
    "reject_held",
    "set_limits",
]
