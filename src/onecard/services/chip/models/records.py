"""Records that were not posted when they came in, quarantined or gray: one row a CONTENT, never lost, never changed."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.kernel.codes import RESULT_TEXT, Result
from onecard.services.chip.choices import RecordState, SettledBy


class HeldRecord(models.Model):
    """A record as the terminal sent it, with why it was kept and what became of it.

    What the record says cannot be changed, and a settled row cannot be opened again (`sql/rules.sql`).
    """

    content = models.BinaryField(unique=True, editable=False)
    terminal_id = models.BigIntegerField(_("终端"))
    terminal_seq = models.BigIntegerField(_("终端流水号"))
    card_no = models.BigIntegerField(_("卡号"))
    amount_fen = models.BigIntegerField(_("金额（分）"))
    occurred_at = models.DateTimeField(_("交易时间"))
    card_counter = models.IntegerField(_("脱机序号"))
    balance_before_fen = models.BigIntegerField(_("交易前余额（分）"))
    sam_no = models.BigIntegerField(_("SAM 编号"))
    sam_seq = models.BigIntegerField(_("SAM 流水号"))
    transaction_type = models.SmallIntegerField(_("交易类型"))
    key_version = models.IntegerField(_("密钥版本"))
    algorithm = models.IntegerField(_("算法"))
    tac = models.BigIntegerField("TAC")
    gray = models.BooleanField(_("灰记录"))
    # What the directory said when it came in: a release posts it there.
    merchant = models.BigIntegerField(_("商户科目"))
    purse_order = models.SmallIntegerField(_("钱包选择"))
    business_date = models.DateField(_("营业日"))
    operator_id = models.IntegerField(_("发卡运营单位"), default=0)
    code = models.SmallIntegerField(_("应答"), choices=[(int(r), RESULT_TEXT[r].zh) for r in Result])
    conflict_field = models.SmallIntegerField(_("不一致的字段"), default=0)
    reasons = models.CharField(_("原因"), max_length=400)
    received_at = models.DateTimeField(_("收到时间"), auto_now_add=True)
    state = models.CharField(_("状态"), max_length=8, choices=RecordState.choices, default=RecordState.OPEN)
    how = models.CharField(_("方式"), max_length=6, choices=SettledBy.choices, blank=True, default="")
    settled_at = models.DateTimeField(_("处理时间"), null=True)
    transfer_id = models.BigIntegerField(_("流水"), null=True)
    decision = models.ForeignKey("chip.Decision", models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("待处理芯片记录")
        verbose_name_plural = _("待处理芯片记录")
        constraints = (
            models.CheckConstraint(condition=Q(state__in=RecordState.values), name="chip_record_state"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, how="")
                | (~Q(state="open") & Q(settled_at__isnull=False, how__in=SettledBy.values)),
                name="chip_record_settled",
            ),
            models.CheckConstraint(condition=~Q(state="posted") | Q(transfer_id__isnull=False), name="chip_record_posted"),
            models.CheckConstraint(condition=~Q(how="people") | Q(decision__isnull=False), name="chip_record_people"),
        )
        indexes = (
            models.Index(fields=("terminal_id", "terminal_seq"), name="chip_record_key"),
            models.Index(fields=("card_no", "card_counter"), name="chip_record_card"),
            models.Index(fields=("code", "id"), condition=Q(state="open"), name="chip_record_open"),
        )

    def __str__(self) -> str:
        return f"{self.terminal_id}/{self.terminal_seq} {self.code}"

    @property
    def is_gray(self) -> bool:
        """Whether nothing but the proof is missing."""
        return self.code == Result.GRAY
