"""Loads (圈存): each with the chip's own numbers, and a row for whatever is not certain about one, with its age."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.chip.choices import DoubtKind, LoadState, SettledBy


class Load(models.Model):
    """A load whose money was taken. Written in one transaction with the debit."""

    terminal_id = models.BigIntegerField(_("终端"))
    terminal_seq = models.BigIntegerField(_("终端流水号"))
    card_no = models.BigIntegerField(_("卡号"))
    operator_id = models.IntegerField(_("发卡运营单位"))
    amount_fen = models.BigIntegerField(_("金额（分）"))
    transaction_type = models.SmallIntegerField(_("交易类型"))
    sam_no = models.BigIntegerField(_("终端机编号"))
    old_balance_fen = models.BigIntegerField(_("圈存前余额（分）"))
    online_counter = models.IntegerField(_("联机序号"))
    key_version = models.SmallIntegerField(_("密钥版本"))
    algorithm = models.SmallIntegerField(_("算法"))
    random = models.BigIntegerField()
    mac1 = models.BigIntegerField("MAC1")
    tac = models.BigIntegerField("TAC", null=True)
    host_time = models.DateTimeField(_("主机时间"))
    balance_fen = models.BigIntegerField(_("公共钱包余额（分）"))
    transfer_id = models.BigIntegerField(_("流水"))
    state = models.CharField(_("状态"), max_length=10, choices=LoadState.choices, default=LoadState.TAKEN)
    settled_at = models.DateTimeField(_("结束时间"), null=True)

    class Meta:
        verbose_name = _("圈存")
        verbose_name_plural = _("圈存")
        constraints = (
            models.UniqueConstraint(fields=("terminal_id", "terminal_seq"), name="chip_load_key"),
            # Before a chip gets a second MAC2 the first load is settled, or stands as a doubt that refuses it.
            models.UniqueConstraint(fields=("card_no",), condition=Q(state="taken"), name="chip_load_one_open"),
            models.CheckConstraint(condition=Q(state__in=LoadState.values), name="chip_load_state"),
            models.CheckConstraint(
                condition=Q(state="taken", settled_at__isnull=True) | (~Q(state="taken") & Q(settled_at__isnull=False)),
                name="chip_load_settled",
            ),
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="chip_load_amount"),
        )
        indexes = (models.Index(fields=("card_no", "online_counter"), name="chip_load_card"),)

    def __str__(self) -> str:
        return f"{self.card_no} {self.amount_fen}"


class LoadDoubt(models.Model):
    """Something about a chip's loads that is not certain, from the moment on at which it was not."""

    kind = models.CharField(_("类别"), max_length=12, choices=DoubtKind.choices)
    load = models.ForeignKey(Load, models.PROTECT, null=True, related_name="doubts", verbose_name=_("圈存"))
    card_no = models.BigIntegerField(_("卡号"))
    operator_id = models.IntegerField(_("发卡运营单位"))
    # What the chip proved when the doubt arose; of kind "taken" what it had before the load.
    online_counter = models.IntegerField(_("联机序号"))
    balance_fen = models.BigIntegerField(_("芯片余额（分）"))
    opened_at = models.DateTimeField(_("出现时间"))
    settled_at = models.DateTimeField(_("处理时间"), null=True)
    how = models.CharField(_("方式"), max_length=6, choices=SettledBy.choices, blank=True, default="")
    decision = models.ForeignKey("chip.Decision", models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("存疑圈存")
        verbose_name_plural = _("存疑圈存")
        constraints = (
            models.UniqueConstraint(fields=("load", "kind"), condition=Q(settled_at__isnull=True), name="chip_doubt_once"),
            # Settling it moves money: once for a load, ever.
            models.UniqueConstraint(fields=("load",), condition=Q(kind="given_back"), name="chip_doubt_given_back_once"),
            models.UniqueConstraint(
                fields=("card_no",), condition=Q(settled_at__isnull=True, kind="unexplained"), name="chip_doubt_one_unexplained"
            ),
            models.CheckConstraint(condition=Q(kind__in=DoubtKind.values), name="chip_doubt_kind"),
            models.CheckConstraint(condition=Q(kind="unexplained") | Q(load__isnull=False), name="chip_doubt_of_a_load"),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, how="") | (Q(settled_at__isnull=False) & ~Q(how="")),
                name="chip_doubt_settled",
            ),
            models.CheckConstraint(condition=~Q(how="people") | Q(decision__isnull=False), name="chip_doubt_people"),
        )
        indexes = (models.Index(fields=("card_no",), condition=Q(settled_at__isnull=True), name="chip_doubt_open"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.card_no}"
