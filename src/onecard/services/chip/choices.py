"""The words of the chip's rows: states, reasons, outcomes. Stored; never rename one."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RecordState(models.TextChoices):
    """Where a kept record stands; once it is not open, it never changes again."""

    OPEN = "open", _("待处理")
    POSTED = "posted", _("已入账")
    REFUSED = "refused", _("已拒绝")
    PROVED = "proved", _("已由凭证记录取代")


class SettledBy(models.TextChoices):
    """Who or what settled a row."""

    RULE = "rule", _("按规则")
    PROOF = "proof", _("按凭证")
    PEOPLE = "people", _("双人审批")


class Reason(models.TextChoices):
    """Why a record was kept; several can apply, the Result is that of the smallest code."""

    KEY_CONFLICT = "key_conflict", _("流水号已用于其他内容")
    REVERSED = "reversed", _("终端已冲正该流水号")
    MERCHANT = "merchant", _("商户已停用")
    UNKNOWN_CARD = "unknown_card", _("无此卡")
    PURSE = "purse", _("该处不收公共钱包，或卡属独立结算单位")
    AMOUNT_ABOVE_BALANCE = "amount_above_balance", _("金额大于芯片余额")
    AMOUNT_LIMIT = "amount_limit", _("超过单笔限额")
    BALANCE_LIMIT = "balance_limit", _("超过芯片余额上限")
    TAC_WRONG = "tac_wrong", _("TAC 错误")
    COUNTER_USED = "counter_used", _("卡片计数器已被另一笔使用")
    COUNTER_JUMP = "counter_jump", _("卡片计数器跳跃过大")
    BALANCE_CHAIN = "balance_chain", _("交易前余额与相邻交易不衔接")
    SAM_SEQ_USED = "sam_seq_used", _("SAM 流水号已被另一笔使用")
    TIME_FUTURE = "time_future", _("交易时间在将来")
    TIME_OLD = "time_old", _("交易时间过早")
    SAM = "sam", _("SAM 停用、未登记或不属于该终端")
    KEY_VERSION = "key_version", _("密钥版本或算法不在用")
    GRAY = "gray", _("灰记录：终端未读到凭证")


class HoleKind(models.TextChoices):
    """Whose counter has a gap."""

    CARD = "card", _("卡片脱机计数器")
    SAM = "sam", _("SAM 流水号")


class LoadState(models.TextChoices):
    """Where a load stands."""

    TAKEN = "taken", _("已扣款，写卡未确认")
    CONFIRMED = "confirmed", _("已写卡（TAC 确认）")
    WRITTEN = "written", _("已写卡（计数器证实）")
    UNDONE = "undone", _("未写卡，已退款")


class DoubtKind(models.TextChoices):
    """What is not certain about a load."""

    TAKEN = "taken", _("已扣款，不知是否写卡")
    TAC_WRONG = "tac_wrong", _("终端称已写卡，但 TAC 错误")
    GIVEN_BACK = "given_back", _("已退款，但卡片显示已写卡")
    UNEXPLAINED = "unexplained", _("卡片联机计数器或余额无法解释")


class Subject(models.TextChoices):
    """What two people decide on."""

    RECORD = "record", _("待处理记录")
    DOUBT = "doubt", _("存疑圈存")
    HOLE = "hole", _("断号")
    CHIP = "chip", _("芯片账面为负")


class Outcome(models.TextChoices):
    """What they decide.

    RELEASE or REFUSE a record, WRITTEN … WAIVE on a doubt, CLOSE a hole or a doubt as it is, WRITE_OFF a chip below zero.
    """

    RELEASE = "release", _("放行入账")
    REFUSE = "refuse", _("拒绝")
    WRITTEN = "written", _("认定已写卡")
    NOT_WRITTEN = "not_written", _("认定未写卡，退款")
    CHARGE = "charge", _("再次向持卡人扣款")
    WAIVE = "waive", _("由运营单位承担")
    CLOSE = "close", _("关闭")
    WRITE_OFF = "write_off", _("核销，由运营单位承担")
