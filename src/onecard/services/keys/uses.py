"""What keys are for (`KeyUse`), what they are made of (`KeyAlgorithm`), where they stand in the tree (`Level`)."""

from enum import IntEnum, StrEnum, unique

from onecard.kernel.codes import Text
from onecard.protocol.purse.ciphers import Algorithm


@unique
class KeyUse(StrEnum):
    """The use of a key; stored, never renamed. The names of standards 1.3 stand in the comments."""

    PURCHASE = "purchase"  # MPK / DPK
    LOAD = "load"  # MLK / DLK
    TAC = "tac"  # MTK / DTK
    UNLOAD = "unload"  # MULK / DULK
    OVERDRAFT = "overdraft"  # MUK / DUK
    CARD_CONTROL = "card_control"  # CCK / DCCK
    CARD_MAINTENANCE = "card_maintenance"  # CMK / DCMK
    APP_CONTROL = "app_control"  # ACK / DACK
    APP_MAINTENANCE = "app_maintenance"  # AMK / DAMK
    PIN_UNBLOCK = "pin_unblock"  # MPUK / DPUK
    PIN_RELOAD = "pin_reload"  # MPRK / DPRK
    BLOCK = "block"  # DABK / DAUK
    TRANSPORT = "transport"  # the maker's initial control key of blank cards and modules
    SAM_CONTROL = "sam_control"
    EXPORT = "export"  # the zone key that another key is exported under
    PAY_CODE = "pay_code"  # signs payment codes


@unique
class KeyAlgorithm(IntEnum):
    """The algorithm of a key in the vault: the cards' under the numbers that cards use, and what only the platform signs with."""

    DES3 = Algorithm.DES3
    SM4 = Algorithm.SM4
    ED25519 = 32


@unique
class Level(IntEnum):
    """Where a key stands in the tree (K1). The fourth level, the card's own, is computed and never stored."""

    ROOT = 1
    OPERATOR = 2
    APPLICATION = 3


CARD_USES = tuple(use for use in KeyUse if use not in (KeyUse.TRANSPORT, KeyUse.SAM_CONTROL, KeyUse.EXPORT, KeyUse.PAY_CODE))
"""Uses a card has a key of its own for."""
WHOLE_USES = frozenset({KeyUse.TRANSPORT, KeyUse.EXPORT})
"""Used as they are, not diversified: somebody else holds the same key."""
SIGNING_USES = frozenset({KeyUse.PAY_CODE})
SAM_USES = frozenset({KeyUse.PURCHASE, KeyUse.BLOCK})
"""Keys that a security module of a terminal holds at the root's level: they may leave, ciphered into a command of the module."""

_NAMES = {
    KeyUse.PURCHASE: Text("消费", "purchase"),
    KeyUse.LOAD: Text("圈存", "load"),
    KeyUse.TAC: Text("交易认证 TAC", "TAC"),
    KeyUse.UNLOAD: Text("圈提", "unload"),
    KeyUse.OVERDRAFT: Text("透支限额", "overdraft limit"),
    KeyUse.CARD_CONTROL: Text("卡片主控", "card control"),
    KeyUse.CARD_MAINTENANCE: Text("卡片维护", "card maintenance"),
    KeyUse.APP_CONTROL: Text("应用主控", "application control"),
    KeyUse.APP_MAINTENANCE: Text("应用维护", "application maintenance"),
    KeyUse.PIN_UNBLOCK: Text("密码解锁", "PIN unblock"),
    KeyUse.PIN_RELOAD: Text("密码重装", "PIN reload"),
    KeyUse.BLOCK: Text("应用锁定", "application block"),
    KeyUse.TRANSPORT: Text("出厂传输", "transport"),
    KeyUse.SAM_CONTROL: Text("安全模块主控", "SAM control"),
    KeyUse.EXPORT: Text("导出区域", "export zone"),
    KeyUse.PAY_CODE: Text("付款码签名", "payment code"),
}


def name_of(use: KeyUse) -> Text:
    """The use in Chinese and English."""
    return _NAMES[use]


def algorithms_of(use: KeyUse) -> tuple[KeyAlgorithm, ...]:
    """Which algorithms a key of a use may have."""
    return (KeyAlgorithm.ED25519,) if use in SIGNING_USES else (KeyAlgorithm.DES3, KeyAlgorithm.SM4)
