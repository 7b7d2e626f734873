"""The tables of settlement: the calendar, runs with their windows, cleared lines, fees, netting, postings and sheets.

Rows of a run are written by the set-based statements in `sql/`; nothing here is changed row by row. Operators, units and
merchants are kept as plain numbers with a copy of their names (`Party`), because a sheet must read the same years later.
"""

from datetime import time

from django.db import models
from django.utils.translation import gettext_lazy as _


class Calendar(models.Model):
    """The platform's calendar, one row: when the day is cut, and which business date is open."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    cut_time = models.TimeField(_("日切时间"), default=time(0, 0))
    open_date = models.DateField(_("当前营业日"))

    class Meta:
        verbose_name = verbose_name_plural = _("营业日历")
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="settlement_calendar_one_row"),)

    def __str__(self) -> str:
        return f"{self.open_date} (日切 cut {self.cut_time:%H:%M})"


class FeeShare(models.Model):
    """An operator's part of the fees of its merchants; the rest is the root's. Without a row: 500 per mille."""

    operator = models.OneToOneField("operators.Operator", models.CASCADE, primary_key=True, related_name="+")
    per_mille = models.PositiveSmallIntegerField(_("分成千分比"))

    class Meta:
        verbose_name = verbose_name_plural = _("手续费分成")
        constraints = (models.CheckConstraint(condition=models.Q(per_mille__lte=1000), name="settlement_fee_share_per_mille"),)

    def __str__(self) -> str:
        return f"{self.operator_id}: {self.per_mille}‰"


class RunState(models.TextChoices):
    """How far a run has come; each is reached in the transaction of the step that ends there."""

    CUT = "cut", _("已日切")
    CLEARED = "cleared", _("已清分")
    SETTLED = "settled", _("已结算")
    BALANCED = "balanced", _("已平账")
    UNBALANCED = "unbalanced", _("不平")


class SettlementRun(models.Model):
    """One cut of the journal: part `part_no` of a business date."""

    id = models.BigAutoField(_("批次号"), primary_key=True)
    business_date = models.DateField(_("营业日"))
    part_no = models.PositiveIntegerField(_("场次"))
    automatic = models.BooleanField(_("自动日切"), default=False)
    state = models.CharField(_("状态"), max_length=10, choices=RunState, default=RunState.CUT)
    cut_at = models.DateTimeField(_("日切时刻"))
    cleared_at = models.DateTimeField(_("清分时刻"), null=True)
    settled_at = models.DateTimeField(_("结算时刻"), null=True)
    checked_at = models.DateTimeField(_("核对时刻"), null=True)
    transfer_count = models.BigIntegerField(_("流水笔数"), default=0)
    gross_fen = models.BigIntegerField(_("清分金额（分）"), default=0)
    fee_fen = models.BigIntegerField(_("手续费（分）"), default=0)
    failure = models.TextField(_("首个不平处"), blank=True, default="")

    class Meta:
        verbose_name = verbose_name_plural = _("结算批次")
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=["business_date", "part_no"], name="settlement_run_part"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.business_date} / {self.part_no}"


class SettlementWindow(models.Model):
    """The transfers of one lane that belong to a run: ids above `from_id`, up to and with `through_id`."""

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="windows")
    lane = models.SmallIntegerField()
    from_id = models.BigIntegerField()
    through_id = models.BigIntegerField()
    cleared = models.BooleanField(default=False)
    transfer_count = models.BigIntegerField(default=0)
    amount_fen = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["run", "lane"], name="settlement_window_lane"),
            models.CheckConstraint(condition=models.Q(through_id__gte=models.F("from_id")), name="settlement_window_forward"),
        )
        indexes = (models.Index(fields=["lane", "through_id"], name="settlement_window_through"),)

    def __str__(self) -> str:
        return f"run {self.run_id} lane {self.lane}: {self.from_id} < id <= {self.through_id}"


class ClearingLine(models.Model):
    """Transfers of a lane window, counted and summed. `merchant_id` 0: no merchant on either side (top-ups, holds, openings).

    `debit_kind`/`credit_kind` are the kinds of the two book accounts, 0 for a purse; a merchant (kind 1) on the credit side
    counts positive, on the debit side negative. `transaction_count` counts a set of linked legs once, `zero_count` those of no
    money (metro gates in), `item_count` what the fee per item is due on (voids and reversals give it back, refunds do not).
    """

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="lines")
    lane = models.SmallIntegerField()
    terminal_id = models.BigIntegerField()
    merchant_id = models.BigIntegerField()
    issuer_operator = models.IntegerField()
    kind = models.SmallIntegerField()
    business_date = models.DateField()
    debit_kind = models.SmallIntegerField()
    credit_kind = models.SmallIntegerField()
    private = models.BooleanField()
    transfer_count = models.BigIntegerField()
    transaction_count = models.BigIntegerField()
    zero_count = models.BigIntegerField()
    item_count = models.BigIntegerField()
    amount_fen = models.BigIntegerField()

    class Meta:
        indexes = (models.Index(fields=["run", "merchant_id"], name="settlement_line_merchant"),)


class Level(models.IntegerChoices):
    """The levels of clearing (S1), from the device up."""

    TERMINAL = 1, _("终端")
    MERCHANT = 2, _("商户")
    UNIT = 3, _("单位")
    OPERATOR = 4, _("运营单位")
    ROOT = 5, _("平台")


class Party(models.Model):
    """A merchant, unit or operator as it stood when the run was first cleared: the run's own copy of the directory."""

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="parties")
    level = models.SmallIntegerField(choices=Level)
    party_id = models.BigIntegerField()
    unit_id = models.BigIntegerField(default=0)
    operator_id = models.IntegerField()
    code = models.TextField(default="")
    name = models.TextField()
    independent = models.BooleanField(default=False)
    root = models.BooleanField(default=False)
    fee_per_mille = models.IntegerField(default=0)
    fee_per_item_fen = models.IntegerField(default=0)
    share_per_mille = models.SmallIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["run", "level", "party_id"], name="settlement_party_once"),)


class MerchantSettlement(models.Model):
    """What one run owes a merchant. `carry_*` are thousandths of a fen of fee that go from run to run: nothing is lost."""

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="merchants")
    merchant_id = models.BigIntegerField()
    unit_id = models.BigIntegerField()
    operator_id = models.IntegerField()
    gross_fen = models.BigIntegerField()
    platform_fen = models.BigIntegerField()
    retained_fen = models.BigIntegerField()
    item_count = models.BigIntegerField()
    carry_in_millifen = models.SmallIntegerField()
    fee_fen = models.BigIntegerField()
    carry_out_millifen = models.SmallIntegerField()
    operator_fee_fen = models.BigIntegerField()
    root_fee_fen = models.BigIntegerField()
    net_fen = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["merchant_id", "run"], name="settlement_merchant_run"),
            models.CheckConstraint(
                condition=models.Q(gross_fen=models.F("platform_fen") + models.F("retained_fen"))
                & models.Q(platform_fen=models.F("fee_fen") + models.F("net_fen"))
                & models.Q(fee_fen=models.F("operator_fee_fen") + models.F("root_fee_fen")),
                name="settlement_merchant_whole",
            ),
        )


class NettingLine(models.Model):
    """What one operator owes another from a run: its holders' purchases there, or the platform's part of the fees."""

    class Basis(models.TextChoices):
        PURCHASES = "purchases", _("持卡人消费")
        FEES = "fees", _("平台手续费")

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="netting")
    debtor_id = models.IntegerField()
    creditor_id = models.IntegerField()
    basis = models.CharField(max_length=10, choices=Basis)
    transaction_count = models.BigIntegerField()
    amount_fen = models.BigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["run", "debtor_id", "creditor_id", "basis"], name="settlement_netting_pair"),
        )


class Posting(models.Model):
    """A book transfer that a run makes, planned before the first is posted; its key is (-2, run × 10^8 + line)."""

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="postings")
    line_no = models.IntegerField()
    kind = models.SmallIntegerField()
    debit = models.BigIntegerField()
    credit = models.BigIntegerField()
    amount_fen = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["run", "line_no"], name="settlement_posting_line"),)


class SheetRow(models.Model):
    """A row of a settlement sheet: a party at a level, on one of the records' own business dates, or its total (date null).

    Fees, netting and the purse side stand in total rows only; the purse side and netting only for operators and the platform.
    """

    run = models.ForeignKey(SettlementRun, models.CASCADE, related_name="sheet_rows")
    level = models.SmallIntegerField(choices=Level)
    party_id = models.BigIntegerField()
    parent_id = models.BigIntegerField()
    name = models.TextField(default="")
    business_date = models.DateField(null=True)
    transaction_count = models.BigIntegerField(default=0)
    zero_count = models.BigIntegerField(default=0)
    purchase_count = models.BigIntegerField(default=0)
    purchase_fen = models.BigIntegerField(default=0)
    advice_count = models.BigIntegerField(default=0)
    advice_fen = models.BigIntegerField(default=0)
    debt_fen = models.BigIntegerField(default=0)
    void_count = models.BigIntegerField(default=0)
    void_fen = models.BigIntegerField(default=0)
    refund_count = models.BigIntegerField(default=0)
    refund_fen = models.BigIntegerField(default=0)
    reversal_count = models.BigIntegerField(default=0)
    reversal_fen = models.BigIntegerField(default=0)
    gross_fen = models.BigIntegerField(default=0)
    retained_fen = models.BigIntegerField(default=0)
    fee_fen = models.BigIntegerField(default=0)
    net_fen = models.BigIntegerField(default=0)
    operator_fee_fen = models.BigIntegerField(default=0)
    root_fee_fen = models.BigIntegerField(default=0)
    topup_count = models.BigIntegerField(default=0)
    topup_fen = models.BigIntegerField(default=0)
    debt_made_fen = models.BigIntegerField(default=0)
    debt_repaid_fen = models.BigIntegerField(default=0)
    receivable_fen = models.BigIntegerField(default=0)
    payable_fen = models.BigIntegerField(default=0)
    position_fen = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["run", "level", "parent_id", "party_id", "business_date"],
                nulls_distinct=False,
                name="settlement_sheet_row",
            ),
        )
