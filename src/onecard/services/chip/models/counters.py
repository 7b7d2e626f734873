"""How far each chip and each SAM has counted, the purchases that prove it, and the holes between them."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.services.chip.choices import HoleKind, SettledBy


class CardState(models.Model):
    """One chip as its posted records and proved loads tell it. Changed under the lane lock of its account."""

    card_no = models.BigIntegerField(_("卡号"), primary_key=True)
    operator_id = models.IntegerField(_("运营单位"))
    account_no = models.BigIntegerField(_("账号"))
    next_counter = models.IntegerField(_("下一脱机序号"), default=0)
    next_online = models.IntegerField(_("下一联机序号"), null=True)
    expected_fen = models.BigIntegerField(_("芯片余额（推算，分）"), default=0)
    seen_at = models.DateTimeField(_("最近交易时间"), null=True)

    class Meta:
        verbose_name = _("芯片状态")
        verbose_name_plural = _("芯片状态")
        constraints = (
            models.CheckConstraint(condition=Q(next_counter__range=(0, 0x1_0000)), name="chip_card_counter"),
            models.CheckConstraint(
                condition=Q(next_online__isnull=True) | Q(next_online__range=(0, 0x1_0000)), name="chip_card_online"
            ),
        )

    def __str__(self) -> str:
        return str(self.card_no)


class SamState(models.Model):
    """How far one SAM has counted: from the first record that came in."""

    sam_no = models.BigIntegerField(_("SAM 编号"), primary_key=True)
    next_seq = models.BigIntegerField(_("下一 SAM 流水号"))
    seen_at = models.DateTimeField(_("最近交易时间"))

    class Meta:
        verbose_name = _("SAM 计数")
        verbose_name_plural = _("SAM 计数")

    def __str__(self) -> str:
        return str(self.sam_no)


class Purchase(models.Model):
    """The chip's side of a posted purchase: what later records are compared with. Append-only."""

    terminal_id = models.BigIntegerField()
    terminal_seq = models.BigIntegerField()
    card_no = models.BigIntegerField(_("卡号"))
    card_counter = models.IntegerField(_("脱机序号"))
    balance_before_fen = models.BigIntegerField(_("交易前余额（分）"))
    amount_fen = models.BigIntegerField(_("金额（分）"))
    sam_no = models.BigIntegerField(_("SAM 编号"))
    sam_seq = models.BigIntegerField(_("SAM 流水号"))
    transaction_type = models.SmallIntegerField(_("交易类型"))
    key_version = models.SmallIntegerField(_("密钥版本"))
    algorithm = models.SmallIntegerField(_("算法"))
    tac = models.BigIntegerField("TAC")
    occurred_at = models.DateTimeField(_("交易时间"))
    transfer_id = models.BigIntegerField(_("流水"))
    released = models.BooleanField(_("人工放行"), default=False)

    class Meta:
        verbose_name = _("芯片消费")
        verbose_name_plural = _("芯片消费")
        constraints = (
            models.UniqueConstraint(fields=("terminal_id", "terminal_seq"), name="chip_purchase_key"),
            # What two people release may stand beside another record of the same counter; nothing else may.
            models.UniqueConstraint(
                fields=("card_no", "card_counter"), condition=Q(released=False), name="chip_purchase_counter"
            ),
            models.UniqueConstraint(fields=("sam_no", "sam_seq"), condition=Q(released=False), name="chip_purchase_sam_seq"),
        )
        indexes = (models.Index(fields=("card_no", "card_counter"), name="chip_purchase_card"),)

    def __str__(self) -> str:
        return f"{self.card_no}/{self.card_counter}"


class CounterHole(models.Model):
    """Counters from `first` to `last` that no record has come in for. A late record cuts its own out of the range, filled.

    Two ranges of one number never overlap (`sql/rules.sql`).
    """

    kind = models.CharField(_("类别"), max_length=4, choices=HoleKind.choices)
    number = models.BigIntegerField(_("卡号或 SAM 编号"))
    operator_id = models.IntegerField(_("运营单位"), default=0)
    first = models.BigIntegerField(_("起"))
    last = models.BigIntegerField(_("止"))
    opened_at = models.DateTimeField(_("出现时间"))
    filled_at = models.DateTimeField(_("补齐时间"), null=True)
    how = models.CharField(_("方式"), max_length=6, choices=SettledBy.choices, blank=True, default="")
    decision = models.ForeignKey("chip.Decision", models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("断号")
        verbose_name_plural = _("断号")
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=HoleKind.values), name="chip_hole_kind"),
            models.CheckConstraint(condition=Q(first__gte=0, last__gte=F("first")), name="chip_hole_range"),
            models.CheckConstraint(
                condition=Q(filled_at__isnull=True, how="") | (Q(filled_at__isnull=False) & ~Q(how="")), name="chip_hole_filled"
            ),
            models.CheckConstraint(condition=~Q(how="people") | Q(decision__isnull=False), name="chip_hole_people"),
        )
        indexes = (models.Index(fields=("opened_at",), condition=Q(filled_at__isnull=True), name="chip_hole_open"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.number} {self.first}–{self.last}"
