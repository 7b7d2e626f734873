"""The tables of the keys: the tree and the vault's head, the log of uses, the custody of components, the security modules."""

from onecard.services.keys.models import custody, sams
from onecard.services.keys.models.tree import Key, KeySet, KeyState, Origin, VaultHeader
from onecard.services.keys.models.usage import AlarmKind, AlarmRule, KeyCount, SamHour, Usage, UsageAlarm, UsageHead

__all__ = [
    "AlarmKind",
    "AlarmRule",
    "Key",
    "KeyCount",
    "KeySet",
    "KeyState",
    "Origin",
    "SamHour",
    "Usage",
    "UsageAlarm",
    "UsageHead",
    "VaultHeader",
    "custody",
    "sams",
]
