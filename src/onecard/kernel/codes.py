"""What a terminal can ask (`Operation`) and what it can be answered (`Result`), in one place for every tier.

The numbers are stored and travel on the wire: never renumber one.
"""

from enum import IntEnum, unique
from typing import NamedTuple


@unique
class Operation(IntEnum):
    """What a record asks for."""

    PURCHASE = 1
    """On-line purchase (消费)."""
    ADVICE = 2
    """A purchase made off line that comes up later (脱机消费): never refused for want of balance."""
    TOPUP = 3
    """Money into the public purse (充值)."""
    HOLD = 4
    """Reserve an amount (预授权): meter purchases."""
    COMMIT = 5
    """Take the final amount of a hold, never more than it; the rest goes back."""
    RELEASE = 6
    """Give a hold back (预授权撤销)."""
    VOID = 7
    """Undo a purchase of the same day whole (撤销)."""
    REFUND = 8
    """Give back a part or all of a purchase (退货)."""
    REVERSAL = 9
    """The terminal does not know the answer to its own record: make it as if it had never been (冲正)."""
    BALANCE = 10
    """Ask for the balance; posts nothing."""
    CHIP_PURCHASE = 13
    """A purchase from the purse inside the chip, proved by its TAC (P5); always made before it comes up."""


@unique
class Result(IntEnum):
    """The answer to a record. Where several reasons apply, the smallest number is given: that is the order of precedence."""

    APPROVED = 0
    KEY_CONFLICT = 10
    """The terminal used this sequence number before with other content; the answer names the field."""
    REVERSED = 11
    """A reversal of this record came before it, or has undone it."""
    TERMINAL_NOT_ALLOWED = 20
    MERCHANT_CLOSED = 21
    UNIT_SUSPENDED = 22
    UNIT_EXPIRED = 23
    UNKNOWN_CARD = 30
    CARD_NOT_ACTIVE = 31
    CARD_LOST = 32
    CARD_FROZEN = 33
    CARD_EXPIRED = 34
    CARD_DENIED = 35
    """On the deny list because of a debt."""
    ACCOUNT_CLOSED = 36
    PURSE_NOT_ALLOWED = 40
    """P2: no purse of this account may be used at this merchant."""
    AMOUNT_INVALID = 41
    LIMIT_TRANSACTION = 42
    LIMIT_MEAL = 43
    LIMIT_DAY = 44
    LIMIT_BALANCE = 45
    INSUFFICIENT_FUNDS = 50
    NO_ORIGINAL = 60
    ORIGINAL_MISMATCH = 61
    REFUND_EXCEEDS = 62
    HOLD_CLOSED = 63
    TAC_WRONG = 70
    """The chip's proof does not fit the record: kept in quarantine."""
    COUNTER_IMPOSSIBLE = 71
    """The chip's counter was used by another record, or lies beyond what the chip can have reached: quarantine."""
    TIME_IMPLAUSIBLE = 72
    """A chip record from the future, or older than the platform takes in: quarantine."""
    SAM_BLOCKED = 73
    """The terminal's security module is blocked, unknown, or bound to another terminal: quarantine."""
    KEY_VERSION = 74
    """The record names a key version or algorithm that is not in use: quarantine."""
    GRAY = 75
    """The terminal did not read the chip's proof: kept until the card's next record or a person decides."""
    CODE_INVALID = 76
    """A payment code that the platform did not sign, or of another card."""
    CODE_EXPIRED = 77
    CODE_USED = 78
    """A payment code serves once."""
    MAC1_WRONG = 79
    """The chip that asks for a load did not prove itself."""
    LOAD_IN_DOUBT = 80
    """An earlier load of this chip is not settled."""
    BUSY = 90
    """Nothing was posted: the queue is full. Try again later."""
    FORMAT = 91
    UNAVAILABLE = 92
    """Whether it was posted is not known: repeat it with the same sequence number, or reverse it."""
    MAC_WRONG = 93


@unique
class ConflictField(IntEnum):
    """Which field differs, with KEY_CONFLICT."""

    NONE = 0
    OPERATION = 1
    CARD_NO = 2
    AMOUNT = 3
    ORIGINAL = 4
    OCCURRED_AT = 5
    MERCHANT = 6


class Text(NamedTuple):
    """A sentence in both languages."""

    zh: str
    en: str


RESULT_TEXT: dict[Result, Text] = {
    Result.APPROVED: Text("成功", "Approved"),
    Result.KEY_CONFLICT: Text("终端流水号重复且内容不同", "Sequence number used before with other content"),
    Result.REVERSED: Text("交易已冲正", "Reversed"),
    Result.TERMINAL_NOT_ALLOWED: Text("终端未授权", "Terminal not allowed"),
    Result.MERCHANT_CLOSED: Text("商户已停用", "Merchant closed"),
    Result.UNIT_SUSPENDED: Text("接入单位已停用", "Unit suspended"),
    Result.UNIT_EXPIRED: Text("接入单位已到期", "Unit expired"),
    Result.UNKNOWN_CARD: Text("无此卡", "Unknown card"),
    Result.CARD_NOT_ACTIVE: Text("卡未启用", "Card not active"),
    Result.CARD_LOST: Text("挂失卡", "Card reported lost"),
    Result.CARD_FROZEN: Text("冻结卡", "Card frozen"),
    Result.CARD_EXPIRED: Text("卡已过期", "Card expired"),
    Result.CARD_DENIED: Text("黑名单卡", "Card on the deny list"),
    Result.ACCOUNT_CLOSED: Text("账户已销户", "Account closed"),
    Result.PURSE_NOT_ALLOWED: Text("无可用钱包", "No purse may be used here"),
    Result.AMOUNT_INVALID: Text("金额无效", "Invalid amount"),
    Result.LIMIT_TRANSACTION: Text("超过单笔限额", "Over the limit per transaction"),
    Result.LIMIT_MEAL: Text("超过餐次限额", "Over the limit of the meal period"),
    Result.LIMIT_DAY: Text("超过当日限额", "Over the limit of the day"),
    Result.LIMIT_BALANCE: Text("超过余额上限", "Over the balance limit"),
    Result.INSUFFICIENT_FUNDS: Text("余额不足", "Insufficient funds"),
    Result.NO_ORIGINAL: Text("无原交易", "No original transaction"),
    Result.ORIGINAL_MISMATCH: Text("与原交易不符", "Does not match the original"),
    Result.REFUND_EXCEEDS: Text("超过可退金额", "More than the rest of the original"),
    Result.HOLD_CLOSED: Text("预授权已结束", "Hold is closed"),
    Result.TAC_WRONG: Text("TAC校验错", "Wrong TAC"),
    Result.COUNTER_IMPOSSIBLE: Text("卡计数器异常", "Impossible card counter"),
    Result.TIME_IMPLAUSIBLE: Text("交易时间异常", "Implausible time"),
    Result.SAM_BLOCKED: Text("SAM卡未授权", "SAM not allowed"),
    Result.KEY_VERSION: Text("密钥版本无效", "Key version not in use"),
    Result.GRAY: Text("灰记录，待确认", "In-doubt record, kept"),
    Result.CODE_INVALID: Text("付款码无效", "Payment code not valid"),
    Result.CODE_EXPIRED: Text("付款码已过期", "Payment code expired"),
    Result.CODE_USED: Text("付款码已使用", "Payment code used before"),
    Result.MAC1_WRONG: Text("MAC1校验错", "Wrong MAC1"),
    Result.LOAD_IN_DOUBT: Text("上次圈存未确认", "An earlier load is not settled"),
    Result.BUSY: Text("系统忙，请稍后再试", "Busy, try again later"),
    Result.FORMAT: Text("报文格式错误", "Format error"),
    Result.UNAVAILABLE: Text("系统不可用", "Unavailable"),
    Result.MAC_WRONG: Text("MAC校验错", "Wrong MAC"),
}
