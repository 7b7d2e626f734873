"""What stands in the ledger's small columns: kinds of transfers, states of accounts, cards and holds. Never renumber one."""

from enum import IntEnum, unique

from onecard.kernel.codes import Text


@unique
class TransferKind(IntEnum):
    """What a leg of the journal is. 1 to 9 are the terminals' operations (kernel.codes.Operation)."""

    PURCHASE = 1
    ADVICE = 2
    TOPUP = 3
    HOLD = 4
    COMMIT = 5
    RELEASE = 6
    VOID = 7
    REFUND = 8
    REVERSAL = 9
    DEBT = 10
    DEBT_REPAID = 11
    OPENING = 12
    CHIP_PURCHASE = 13
    CHIP_LOAD = 14
    CHIP_LOAD_UNDONE = 15
    CHIP_UNLOAD = 16
    FEE = 20
    SETTLEMENT = 21
    PAYOUT = 22
    NETTING = 23
    DEPOSIT = 30
    DEPOSIT_BACK = 31
    CARD_FEE = 32
    CASH_OUT = 33


KIND_TEXT: dict[TransferKind, Text] = {
    TransferKind.PURCHASE: Text("消费", "Purchase"),
    TransferKind.ADVICE: Text("脱机消费", "Offline purchase"),
    TransferKind.TOPUP: Text("充值", "Top-up"),
    TransferKind.HOLD: Text("预授权", "Hold"),
    TransferKind.COMMIT: Text("预授权完成", "Hold committed"),
    TransferKind.RELEASE: Text("预授权撤销", "Hold released"),
    TransferKind.VOID: Text("撤销", "Void"),
    TransferKind.REFUND: Text("退货", "Refund"),
    TransferKind.REVERSAL: Text("冲正", "Reversal"),
    TransferKind.DEBT: Text("欠款", "Debt"),
    TransferKind.DEBT_REPAID: Text("归还欠款", "Debt repaid"),
    TransferKind.OPENING: Text("开户余额", "Opening balance"),
    TransferKind.CHIP_PURCHASE: Text("芯片钱包消费", "Chip purchase"),
    TransferKind.CHIP_LOAD: Text("圈存", "Load"),
    TransferKind.CHIP_LOAD_UNDONE: Text("圈存冲正", "Load undone"),
    TransferKind.CHIP_UNLOAD: Text("圈提", "Unload"),
    TransferKind.DEPOSIT: Text("收押金", "Deposit"),
    TransferKind.DEPOSIT_BACK: Text("退押金", "Deposit given back"),
    TransferKind.CARD_FEE: Text("卡片手续费", "Card fee"),
    TransferKind.CASH_OUT: Text("退款给持卡人", "Paid out to the holder"),
    TransferKind.FEE: Text("手续费", "Fee"),
    TransferKind.SETTLEMENT: Text("结算", "Settlement"),
    TransferKind.PAYOUT: Text("付款", "Payout"),
    TransferKind.NETTING: Text("轧差", "Netting"),
}


@unique
class AccountStatus(IntEnum):
    """账户状态."""

    ACTIVE = 1
    FROZEN = 2
    CLOSED = 3


@unique
class CardStatus(IntEnum):
    """卡状态."""

    STOCK = 0
    ACTIVE = 1
    LOST = 2
    FROZEN = 3
    EXPIRED = 4
    RETURNED = 5


@unique
class Medium(IntEnum):
    """What a card number is written on (C4)."""

    CPU = 1
    SIM = 2
    QR = 3
    UID = 4


@unique
class PurseOrder(IntEnum):
    """Which purses a merchant takes, and in which order (P1, P2)."""

    PUBLIC = 1
    PRIVATE = 2
    PRIVATE_THEN_PUBLIC = 3
    PUBLIC_THEN_PRIVATE = 4


@unique
class HoldState(IntEnum):
    """Where a hold stands."""

    OPEN = 1
    COMMITTED = 2
    RELEASED = 3
    EXPIRED = 4


@unique
class KeyState(IntEnum):
    """Where a record's key stands: TOMBSTONE is the key of a record whose reversal came first."""

    STANDS = 0
    REVERSED = 1
    TOMBSTONE = 2


@unique
class DenyReason(IntEnum):
    """Why a card stands on the deny list."""

    DEBT = 1
    LOST = 2
    FROZEN = 3


class SystemTerminal:
    """Terminal numbers in the keys of records that no device made."""

    OPENING = -1
    SETTLEMENT = -2
    DESK = -3
    HOLD_EXPIRY = -4
    CHIP = -5
