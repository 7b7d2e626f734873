"""What other areas call of off-line rules: the tick, a deny list held or stopped, and setting what may be done off line."""

from onecard.services.offline.deny import HeldDeny, held_deny, release_deny, stopped_deny
from onecard.services.offline.limits import (
    Policy,
    allow_door,
    close_door,
    policy,
    set_card_limit,
    set_policy,
    set_terminal_limit,
)
from onecard.services.offline.lists import (
    CardLimitRow,
    DenyVersion,
    card_limits,
    deny_versions,
    unit_files,
)
from onecard.services.offline.permissions import PERMISSIONS
from onecard.services.offline.publishing import Published, tick

__all__ = [
    "PERMISSIONS",
    "CardLimitRow",
    "DenyVersion",
    "HeldDeny",
    "Policy",
    "Published",
    "allow_door",
    "card_limits",
    "close_door",
    "deny_versions",
    "held_deny",
    "policy",
    "release_deny",
    "set_card_limit",
    "set_policy",
    "set_terminal_limit",
    "stopped_deny",
    "tick",
    "unit_files",
]
