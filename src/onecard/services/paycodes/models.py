"""Payment codes (付款码): limits by date, what was issued lately, what was used, and offline payments kept outside the books.

That a code serves once is held here: its id is the primary key of its use.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.ledger.codes import PurseOrder
from onecard.services.paycodes.choices import HeldState, Outcome


class CodeLimit(models.Model):
    """What codes may do from a day on: of one account, else of a card type, else of all. The nearest rule in force counts."""

    card_type_id = models.IntegerField(_("卡种"), null=True, blank=True)
    account_no = models.BigIntegerField(_("账号"), null=True, blank=True)
    valid_from = models.DateField(_("生效日期"))
    lifetime_s = models.IntegerField(_("有效时间（秒）"))
    offline_code_fen = models.BigIntegerField(_("单码脱机限额（分）"))
    offline_day_fen = models.BigIntegerField(_("每日脱机限额（分）"))
    per_minute = models.IntegerField(_("每分钟次数"))
    per_day = models.IntegerField(_("每日次数"))
    created_by = models.CharField(_("经办人"), max_length=100)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("付款码限额")
        verbose_name_plural = _("付款码限额")
        ordering = ("-valid_from",)
        constraints = (
            models.UniqueConstraint(
                fields=("card_type_id", "account_no", "valid_from"), name="pay_code_limit_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(card_type_id__isnull=True) | Q(account_no__isnull=True), name="pay_code_limit_of"),
            models.CheckConstraint(condition=Q(lifetime_s__range=(10, 3600)), name="pay_code_limit_lifetime"),
            models.CheckConstraint(
                condition=Q(offline_code_fen__gte=0, offline_code_fen__lt=2**32, offline_day_fen__gte=F("offline_code_fen")),
                name="pay_code_limit_fen",
            ),
            models.CheckConstraint(condition=Q(per_minute__gte=0, per_day__gte=0), name="pay_code_limit_rate"),
        )

    def __str__(self) -> str:
        return f"{self.account_no or self.card_type_id or '*'} {self.valid_from}"


class IssuedCode(models.Model):
    """A code that was given out: for rates and the day's offline limit, two days long. Whether it is ours its signature says."""

    code_id = models.BigIntegerField(primary_key=True)
    account_no = models.BigIntegerField(_("账号"))
    card_no = models.BigIntegerField(_("卡号"))
    issued_at = models.DateTimeField(_("生成时间"))
    expires_at = models.DateTimeField(_("失效时间"))
    offline_limit_fen = models.BigIntegerField(_("脱机限额（分）"))

    class Meta:
        verbose_name = _("付款码")
        verbose_name_plural = _("付款码")
        indexes = (models.Index(fields=("account_no", "issued_at"), name="pay_code_issued"),)

    def __str__(self) -> str:
        return f"{self.card_no} {self.issued_at}"


class PayCodeUse(models.Model):
    """The one record that a code served. Append-only."""

    code_id = models.BigIntegerField(primary_key=True)
    card_no = models.BigIntegerField(_("卡号"))
    terminal_id = models.BigIntegerField(_("终端"))
    terminal_seq = models.BigIntegerField(_("终端流水号"))
    amount_fen = models.BigIntegerField(_("金额（分）"))
    offline = models.BooleanField(_("脱机"))
    occurred_at = models.DateTimeField(_("交易时间"))
    claimed_at = models.DateTimeField(_("登记时间"))

    class Meta:
        verbose_name = _("付款码使用")
        verbose_name_plural = _("付款码使用")
        constraints = (models.UniqueConstraint(fields=("terminal_id", "terminal_seq"), name="pay_code_use_record"),)
        indexes = (models.Index(fields=("card_no", "occurred_at"), name="pay_code_use_card"),)

    def __str__(self) -> str:
        return f"{self.terminal_id}/{self.terminal_seq}"


class HeldPayment(models.Model):
    """An offline payment whose code did not hold: a purchase somebody made, kept until two people have settled it.

    `unit_id`, `purse_order`, `business_date` and `meal` are what the directory said when it came in: with them it is posted.
    """

    terminal_id = models.BigIntegerField(_("终端"))
    terminal_seq = models.BigIntegerField(_("终端流水号"))
    card_no = models.BigIntegerField(_("卡号"))
    operator_id = models.IntegerField(_("运营单位"), default=0)
    merchant = models.BigIntegerField(_("商户科目"))
    unit_id = models.IntegerField(_("接入单位"), default=0)
    purse_order = models.SmallIntegerField(_("扣款顺序"), default=PurseOrder.PUBLIC.value)
    business_date = models.DateField(_("营业日"))
    meal = models.SmallIntegerField(_("餐段"), default=0)
    amount_fen = models.BigIntegerField(_("金额（分）"))
    occurred_at = models.DateTimeField(_("交易时间"))
    received_at = models.DateTimeField(_("收到时间"))
    result = models.SmallIntegerField(_("原因"))
    code = models.BinaryField(_("付款码"))
    used_by_terminal = models.BigIntegerField(_("已用于终端"), null=True)
    used_by_seq = models.BigIntegerField(null=True)
    state = models.CharField(_("状态"), max_length=8, choices=HeldState.choices, default=HeldState.OPEN)
    settled_at = models.DateTimeField(_("处理时间"), null=True)
    decision = models.OneToOneField("HeldDecision", models.PROTECT, verbose_name=_("双人决定"), null=True, related_name="+")
    transfer_id = models.BigIntegerField(_("分录号"), null=True)
    settled_by = models.CharField(_("处理人"), max_length=100, blank=True, default="")
    note = models.CharField(_("处理说明"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("待处理付款码交易")
        verbose_name_plural = _("待处理付款码交易")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("terminal_id", "terminal_seq"), name="pay_code_held_record"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, decision__isnull=True, transfer_id__isnull=True)
                | Q(state="posted", settled_at__isnull=False, decision__isnull=False, transfer_id__isnull=False)
                | Q(state="refused", settled_at__isnull=False, decision__isnull=False, transfer_id__isnull=True)
                | Q(state="noted", settled_at__isnull=False, decision__isnull=True, transfer_id__isnull=True),
                name="pay_code_held_settled",
            ),
        )
        indexes = (models.Index(fields=("received_at",), condition=Q(settled_at__isnull=True), name="pay_code_held_open"),)

    def __str__(self) -> str:
        return f"{self.terminal_id}/{self.terminal_seq}"


class HeldDecision(models.Model):
    """What one person proposed for a held payment, and what another answered. Never changed once answered."""

    held = models.ForeignKey(HeldPayment, models.PROTECT, verbose_name=_("待处理付款码交易"), related_name="decisions")
    operator_id = models.IntegerField(_("运营单位"), default=0)
    outcome = models.CharField(_("决定"), max_length=8, choices=Outcome.choices)
    reason = models.CharField(_("事由"), max_length=200)
    requested_by = models.CharField(_("申请人"), max_length=150)
    requested_at = models.DateTimeField(_("申请时间"), auto_now_add=True)
    decided_by = models.CharField(_("审批人"), max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(_("审批时间"), null=True)
    approved = models.BooleanField(_("同意"), null=True)

    class Meta:
        verbose_name = _("付款码交易双人决定")
        verbose_name_plural = _("付款码交易双人决定")
        constraints = (
            models.UniqueConstraint(fields=("held",), condition=Q(approved__isnull=True), name="pay_code_decision_one_open"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="pay_code_decision_outcome"),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(requested_by=""), name="pay_code_decision_reason"),
            models.CheckConstraint(
                condition=Q(approved__isnull=True, decided_at__isnull=True, decided_by="")
                | (Q(approved__isnull=False, decided_at__isnull=False) & ~Q(decided_by="")),
                name="pay_code_decision_whole",
            ),
            models.CheckConstraint(
                condition=Q(approved__isnull=True) | Q(approved=False) | ~Q(decided_by=F("requested_by")),
                name="pay_code_decision_two_people",
            ),
        )

    def __str__(self) -> str:
        return f"{self.held_id} {self.outcome}"
