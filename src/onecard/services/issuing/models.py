"""The tables of personalisation: batches, jobs (one medium each), and the journal of what was done to the chip.

Rules held here: C2 and C1. A card number stands on one job for ever (a retry is a new job with a new number), a stock serial on
one job at a time, and the journal only grows (`sql/journal.sql`). Rows are changed through `api.py` and `engine.py`.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.ledger.codes import Medium


class BatchState(models.TextChoices):
    """How far a batch is; only a running one gives out cards."""

    CREATED = "created", _("已建立")
    RUNNING = "running", _("制卡中")
    PAUSED = "paused", _("已暂停")
    FINISHED = "finished", _("已完成")
    CANCELLED = "cancelled", _("已取消")


class Pace(models.TextChoices):
    """Who sets the pace: a person who lays card after card on the reader, or a feeder that does not wait for a removal."""

    OPERATOR = "operator", _("操作员逐张放卡")
    FEEDER = "feeder", _("自动送卡")


class JobState(models.TextChoices):
    """queued → claimed → writing → verifying → done, or rolled_back (nothing is left of it) or failed (the reject pile)."""

    QUEUED = "queued", _("排队")
    CLAIMED = "claimed", _("已领卡")
    WRITING = "writing", _("写卡中")
    VERIFYING = "verifying", _("校验中")
    DONE = "done", _("完成")
    ROLLED_BACK = "rolled_back", _("已回退")
    FAILED = "failed", _("废卡")


class Purpose(models.TextChoices):
    """What the card is made for: a first card, or one in the place of another (the names are those of the life's operations)."""

    ISSUE = "issue", _("发卡")
    REPLACE = "replace", _("补卡")
    EXCHANGE = "exchange", _("换卡")


OPEN_STATES = (JobState.CLAIMED, JobState.WRITING, JobState.VERIFYING)
"""The states in which a card in somebody's hand belongs to the job."""

UNENDED = (JobState.QUEUED, *OPEN_STATES)
"""A job that still will be something: an old card has one of these at most."""


class Batch(models.Model):
    """A batch (批): so many cards of one type and medium for one operator, made at any number of stations at once."""

    id = models.BigAutoField(_("批号"), primary_key=True)
    name = models.CharField(_("名称"), max_length=60)
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("接入单位")
    )
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    medium = models.SmallIntegerField(_("介质"), choices=[(m.value, m.name) for m in Medium])
    count = models.PositiveIntegerField(_("张数"))
    pace = models.CharField(_("节奏"), max_length=8, choices=Pace.choices, default=Pace.OPERATOR)
    state = models.CharField(_("状态"), max_length=9, choices=BatchState.choices, default=BatchState.CREATED)
    created_by = models.CharField(_("建立人"), max_length=100)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)
    started_at = models.DateTimeField(_("开始时间"), null=True)
    ended_at = models.DateTimeField(_("结束时间"), null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("制卡批次")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(count__gte=1), name="issuing_batch_count"),
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="issuing_batch_state"),
            models.CheckConstraint(condition=Q(pace__in=Pace.values), name="issuing_batch_pace"),
        )
        indexes = (models.Index(fields=("operator", "-id"), name="issuing_batch_operator"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.name}"


class Job(models.Model):
    """One medium to be made: for whom, with which number, from which stock card, and how far it is.

    `token` fences: whoever works on the job has put its own there, and a station that lost it can write nothing more.
    """

    id = models.BigAutoField(_("作业号"), primary_key=True)
    batch = models.ForeignKey(
        Batch, models.PROTECT, null=True, blank=True, related_name="jobs", db_index=False, verbose_name=_("批次")
    )
    retry_of = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="retried_by", verbose_name=_("重做自")
    )
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("接入单位")
    )
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    medium = models.SmallIntegerField(_("介质"), choices=[(m.value, m.name) for m in Medium])
    holder = models.ForeignKey(
        "people.Holder", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("持卡人")
    )
    purpose = models.CharField(_("用途"), max_length=8, choices=Purpose.choices, default=Purpose.ISSUE)
    old_card_no = models.BigIntegerField(_("原卡号"), null=True, blank=True)
    why = models.CharField(_("事由"), max_length=200, blank=True, default="")
    fee_waived = models.BooleanField(_("免收费用"), default=False)
    fee_from_purse = models.BooleanField(_("从钱包扣费"), default=False)
    asked_serial = models.BigIntegerField(_("指定序号"), null=True, blank=True)
    account_no = models.BigIntegerField(_("账号"), null=True, blank=True)
    card_no = models.BigIntegerField(_("卡号"), null=True, blank=True, unique=True)
    stock_serial = models.BigIntegerField(_("库存序号"), null=True, blank=True)
    uid = models.CharField(_("芯片序列号"), max_length=64, null=True, blank=True)
    key_versions = models.JSONField(_("密钥版本"), default=dict)
    content = models.JSONField(_("写入内容"), default=dict)
    state = models.CharField(_("状态"), max_length=11, choices=JobState.choices, default=JobState.QUEUED)
    roll_back = models.BooleanField(_("待回退"), default=False)
    bad = models.BooleanField(_("卡片不良"), default=False)
    again = models.BooleanField(_("须重做"), default=True)
    attempts = models.PositiveSmallIntegerField(_("触卡次数"), default=0)
    station = models.CharField(_("工位"), max_length=80, blank=True, default="")
    token = models.UUIDField(null=True, editable=False)
    reason_zh = models.CharField(_("原因"), max_length=200, blank=True, default="")
    reason_en = models.CharField(_("原因（英文）"), max_length=200, blank=True, default="")
    actor = models.CharField(_("操作人"), max_length=100)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)
    claimed_at = models.DateTimeField(_("领卡时间"), null=True)
    ended_at = models.DateTimeField(_("结束时间"), null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("制卡作业")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="issuing_job_state"),
            models.CheckConstraint(
                condition=Q(state__in=(JobState.QUEUED, JobState.ROLLED_BACK, JobState.FAILED)) | Q(card_no__isnull=False),
                name="issuing_job_has_number",
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.QUEUED) | Q(card_no__isnull=True, stock_serial__isnull=True, uid__isnull=True),
                name="issuing_job_queued_untouched",
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.DONE) | Q(account_no__isnull=False), name="issuing_job_done_account"
            ),
            models.CheckConstraint(
                condition=Q(state__in=(JobState.DONE, JobState.ROLLED_BACK, JobState.FAILED), ended_at__isnull=False)
                | (~Q(state__in=(JobState.DONE, JobState.ROLLED_BACK, JobState.FAILED)) & Q(ended_at__isnull=True)),
                name="issuing_job_ended",
            ),
            models.CheckConstraint(condition=Q(purpose__in=Purpose.values), name="issuing_job_purpose"),
            models.CheckConstraint(
                condition=Q(purpose=Purpose.ISSUE, old_card_no__isnull=True, fee_waived=False, fee_from_purse=False)
                | (
                    ~Q(purpose=Purpose.ISSUE)
                    & Q(old_card_no__isnull=False, account_no__isnull=False)
                    & Q(medium__in=(Medium.CPU.value, Medium.SIM.value))
                ),
                name="issuing_job_old_card",
            ),
            models.UniqueConstraint(fields=("old_card_no",), condition=Q(state__in=UNENDED), name="issuing_job_renewal"),
            models.UniqueConstraint(fields=("stock_serial",), condition=Q(state__in=OPEN_STATES), name="issuing_job_serial"),
            models.UniqueConstraint(fields=("uid",), condition=Q(state__in=OPEN_STATES), name="issuing_job_uid"),
        )
        indexes = (
            models.Index(fields=("batch", "id"), condition=Q(state=JobState.QUEUED), name="issuing_job_queue"),
            models.Index(fields=("batch", "state"), name="issuing_job_batch"),
            models.Index(fields=("uid",), name="issuing_job_by_uid"),
            models.Index(fields=("old_card_no", "-id"), condition=Q(old_card_no__isnull=False), name="issuing_job_by_old_card"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.card_no or '-'}"


class LinePhase(models.TextChoices):
    """What a line of the journal says of a step."""

    FOUND = "found", _("已在卡上")
    INTENT = "intent", _("将写")
    DONE = "done", _("已写")
    UNKNOWN = "unknown", _("中断，结果未知")
    REFUSED = "refused", _("卡拒绝")


class JournalLine(models.Model):
    """A line of the journal of a job: INTENT before a command goes out, its outcome after the answer; each committed by itself.

    An INTENT without an outcome is a command whose effect nobody knows: the next touch reads it from the card.
    """

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, models.PROTECT, related_name="journal", db_index=False, verbose_name=_("作业"))
    attempt = models.PositiveSmallIntegerField(_("第几次触卡"))
    step = models.CharField(_("步骤"), max_length=40)
    phase = models.CharField(_("阶段"), max_length=8, choices=LinePhase.choices)
    note = models.CharField(_("说明"), max_length=200, blank=True, default="")
    at = models.DateTimeField(_("时间"), auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = _("写卡日志")
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=Q(phase__in=LinePhase.values), name="issuing_line_phase"),)
        indexes = (models.Index(fields=("job", "id"), name="issuing_line_job"),)

    def __str__(self) -> str:
        return f"{self.job_id} {self.attempt} {self.step} {self.phase}"
