"""What other areas call of the keys: the vault and its operations, the values they take, the log of uses and its alarms."""

from onecard.services.keys.demo import demo_maker_key, init_demo
from onecard.services.keys.errors import KeeperFault, KeyMissing, KeyNotExportable, VaultLocked
from onecard.services.keys.keepers.base import SealedComponent
from onecard.services.keys.keepers.envelope import KdfParameters
from onecard.services.keys.keepers.secret import KeyBytes
from onecard.services.keys.models.sams import SamState
from onecard.services.keys.opening import change_passphrase, close_vault, has_vault, init_vault, open_vault
from onecard.services.keys.perso import PersoKeys
from onecard.services.keys.sams.standing import CHANNEL as SAM_CHANNEL
from onecard.services.keys.sams.standing import SamStanding, sam_standing
from onecard.services.keys.types import CardRef, Exported, KeyStatus, TacBatch, TacVerdict
from onecard.services.keys.usage import (
    ChainReport,
    acknowledge_alarm,
    alarm_rule,
    alarms,
    prune_sam_hours,
    sam_hours,
    set_alarm_rule,
    usage_head,
    usages,
    verify_usage_chain,
)
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level, name_of
from onecard.services.keys.vault import DEFAULT_OVERLAP, Vault

__all__ = [
    "DEFAULT_OVERLAP",
    "SAM_CHANNEL",
    "CardRef",
    "ChainReport",
    "Exported",
    "KdfParameters",
    "KeeperFault",
    "KeyAlgorithm",
    "KeyBytes",
    "KeyMissing",
    "KeyNotExportable",
    "KeyStatus",
    "KeyUse",
    "Level",
    "PersoKeys",
    "SamStanding",
    "SamState",
    "SealedComponent",
    "TacBatch",
    "TacVerdict",
    "Vault",
    "VaultLocked",
    "acknowledge_alarm",
    "alarm_rule",
    "alarms",
    "change_passphrase",
    "close_vault",
    "demo_maker_key",
    "has_vault",
    "init_demo",
    "init_vault",
    "name_of",
    "open_vault",
    "prune_sam_hours",
    "sam_hours",
    "sam_standing",
    "set_alarm_rule",
    "usage_head",
    "usages",
    "verify_usage_chain",
]
