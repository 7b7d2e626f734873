"""What other areas call of payment codes: issuing and showing one, letting records with codes in, limits, and what was kept."""

from onecard.services.paycodes.admit import CLOCK_TOLERANCE_S, admit_records
from onecard.services.paycodes.desk import Held, held_payments, settle_held
from onecard.services.paycodes.issue import IssuedPayCode, issue, prune_issued, public_keys
from onecard.services.paycodes.limits import Limits, limits_of, set_limits
from onecard.services.paycodes.permissions import PERMISSIONS
from onecard.services.paycodes.pictures import qr_png, qr_svg
from onecard.services.paycodes.records import CodeRecord

__all__ = [
    "CLOCK_TOLERANCE_S",
    "PERMISSIONS",
    "CodeRecord",
    "Held",
    "IssuedPayCode",
    "Limits",
    "admit_records",
    "held_payments",
    "issue",
    "limits_of",
    "prune_issued",
    "public_keys",
    "qr_png",
    "qr_svg",
    "set_limits",
    "settle_held",
]
