"""Ceremonies with components and log, signed transcripts, and requests that one person makes and another decides (K2).

What the database holds by itself (here and in `sql/custody.sql`): a component is sealed while its ceremony runs and gone
afterwards; who asks does not decide; a decision comes within 24 hours, once, and is never changed; logs are append-only.
"""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

REQUEST_LIFE = timedelta(hours=24)


class CeremonyState(models.TextChoices):
    """How far a ceremony is."""

    OPEN = "open", _("收集分量")
    HANDING_OUT = "handing_out", _("发放其余分量")
    DONE = "done", _("已完成")
    ABORTED = "aborted", _("已中止")


class ComponentState(models.TextChoices):
    """How far a custodian is with the own component."""

    WAITING = "waiting", _("待录入")
    SHOWN = "shown", _("已出示，待确认")
    HELD = "held", _("已录入")
    WIPED = "wiped", _("已清除")


class RequestAction(models.TextChoices):
    """What takes two people."""

    ACTIVATE = "activate", _("启用密钥")
    DESTROY = "destroy", _("销毁密钥")
    EXPORT = "export", _("导出密钥")
    SAM_UNBLOCK = "sam_unblock", _("恢复 SAM")


class RequestState(models.TextChoices):
    """What became of a request."""

    WAITING = "waiting", _("待批准")
    EXECUTED = "executed", _("已批准并执行")
    REFUSED = "refused", _("已拒绝")
    WITHDRAWN = "withdrawn", _("已撤回")
    EXPIRED = "expired", _("已过期")


class Ceremony(models.Model):
    """A key that several custodians make together, or bring in again."""

    id = models.BigAutoField(primary_key=True)
    use = models.CharField(_("用途"), max_length=20)
    version = models.SmallIntegerField(_("版本"), null=True)
    algorithm = models.SmallIntegerField(_("算法"))
    threshold = models.SmallIntegerField(_("门限"))
    count = models.SmallIntegerField(_("人数"))
    expected_kcv = models.CharField(_("应得校验值"), max_length=6, blank=True, default="")
    state = models.CharField(_("状态"), max_length=12, choices=CeremonyState.choices, default=CeremonyState.OPEN)
    kcv = models.CharField(_("校验值"), max_length=6, blank=True, default="")
    key_id = models.BigIntegerField(_("密钥"), null=True)
    opened_by = models.CharField(_("主持人"), max_length=150)
    opened_at = models.DateTimeField(_("开始时间"))
    closed_at = models.DateTimeField(_("结束时间"), null=True)

    class Meta:
        verbose_name = _("密钥仪式")
        verbose_name_plural = _("密钥仪式")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(threshold__gte=2, threshold__lte=F("count"), count__lte=15), name="ceremony_scheme"
            ),
            models.CheckConstraint(condition=Q(version__isnull=True) | Q(version__range=(1, 255)), name="ceremony_version"),
            models.CheckConstraint(condition=Q(state__in=CeremonyState.values), name="ceremony_state"),
            models.CheckConstraint(
                condition=Q(state__in=("open", "aborted"), kcv="", key_id__isnull=True)
                | (Q(state__in=("handing_out", "done"), key_id__isnull=False) & ~Q(kcv="")),
                name="ceremony_result",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("open", "handing_out"), closed_at__isnull=True)
                | Q(state__in=("done", "aborted"), closed_at__isnull=False),
                name="ceremony_closed",
            ),
            models.UniqueConstraint(fields=("use",), condition=Q(state="open"), name="ceremony_one_open_per_use"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.use}"


class CeremonyComponent(models.Model):
    """One custodian of a ceremony. `sealed` is the component under the keeper's own key, and only while the ceremony needs it."""

    ceremony = models.ForeignKey(Ceremony, models.PROTECT, related_name="components", db_index=False)
    number = models.SmallIntegerField(_("编号"))
    custodian = models.CharField(_("保管人"), max_length=150)
    state = models.CharField(_("状态"), max_length=8, choices=ComponentState.choices, default=ComponentState.WAITING)
    sealed = models.BinaryField(null=True, editable=False)
    check_value = models.CharField(_("校验值"), max_length=6, blank=True, default="")
    made_here = models.BooleanField(_("由平台生成"), default=False)
    at = models.DateTimeField(_("时间"), null=True)

    class Meta:
        verbose_name = _("密钥分量")
        verbose_name_plural = _("密钥分量")
        ordering = ("ceremony_id", "number")
        constraints = (
            models.UniqueConstraint(fields=("ceremony", "number"), name="component_number"),
            models.UniqueConstraint("ceremony", Lower("custodian"), name="component_one_per_custodian"),
            models.CheckConstraint(condition=Q(number__range=(1, 15)), name="component_number_range"),
            models.CheckConstraint(
                condition=(Q(state__in=("shown", "held"), sealed__isnull=False) & ~Q(check_value=""))
                | Q(state__in=("waiting", "wiped"), sealed__isnull=True),
                name="component_sealed_while_needed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.ceremony_id}/{self.number}"


class CeremonyEvent(models.Model):
    """A line of a ceremony's log: who did what when. Check values, never values."""

    id = models.BigAutoField(primary_key=True)
    ceremony = models.ForeignKey(Ceremony, models.PROTECT, related_name="events")
    at = models.DateTimeField(_("时间"))
    who = models.CharField(_("人员"), max_length=150)
    act = models.CharField(_("操作"), max_length=20)
    detail = models.CharField(_("说明"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("仪式记录")
        verbose_name_plural = _("仪式记录")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.at} {self.who} {self.act}"


class Transcript(models.Model):
    """The signed transcript of a ceremony that has ended: `document` is the exact text that was signed."""

    ceremony = models.OneToOneField(Ceremony, models.PROTECT, primary_key=True, related_name="transcript")
    document = models.TextField(_("内容"))
    signature = models.BinaryField(_("签名"))
    public_key = models.BinaryField(_("验签公钥"))

    class Meta:
        verbose_name = _("仪式记录书")
        verbose_name_plural = _("仪式记录书")

    def __str__(self) -> str:
        return str(self.ceremony_id)


class KeyRequest(models.Model):
    """Something that one person asks for and another decides. Executed in the transaction of the approval, so at most once."""

    id = models.BigAutoField(primary_key=True)
    action = models.CharField(_("操作"), max_length=12, choices=RequestAction.choices)
    key_id = models.BigIntegerField(_("密钥"), null=True)
    sam_no = models.BigIntegerField(_("SAM 编号"), null=True)
    parameters = models.JSONField(_("参数"), default=dict)
    reason = models.CharField(_("事由"), max_length=200)
    state = models.CharField(_("状态"), max_length=10, choices=RequestState.choices, default=RequestState.WAITING)
    requested_by = models.CharField(_("申请人"), max_length=150)
    requested_at = models.DateTimeField(_("申请时间"))
    expires_at = models.DateTimeField(_("有效期至"))
    decided_by = models.CharField(_("批准人"), max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(_("决定时间"), null=True)
    result = models.JSONField(_("结果"), default=dict)

    class Meta:
        verbose_name = _("密钥双人操作")
        verbose_name_plural = _("密钥双人操作")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(action__in=RequestAction.values), name="key_request_action"),
            models.CheckConstraint(condition=Q(state__in=RequestState.values), name="key_request_state"),
            models.CheckConstraint(
                condition=Q(action="sam_unblock", sam_no__isnull=False, key_id__isnull=True)
                | (~Q(action="sam_unblock") & Q(sam_no__isnull=True, key_id__isnull=False)),
                name="key_request_subject",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("requested_at"), expires_at__lte=F("requested_at") + REQUEST_LIFE),
                name="key_request_life",
            ),
            models.CheckConstraint(
                condition=(Q(state__in=("executed", "refused"), decided_at__isnull=False) & ~Q(decided_by=""))
                | (~Q(state__in=("executed", "refused")) & Q(decided_at__isnull=True, decided_by="")),
                name="key_request_decided",
            ),
            # Nobody is called "", so that this also refuses a request without a name.
            models.CheckConstraint(condition=~Exact(Lower("decided_by"), Lower("requested_by")), name="key_request_two_people"),
            models.CheckConstraint(
                condition=Q(decided_at__isnull=True) | Q(decided_at__gte=F("requested_at"), decided_at__lt=F("expires_at")),
                name="key_request_in_time",
            ),
            models.UniqueConstraint(
                fields=("action", "key_id", "sam_no"),
                condition=Q(state="waiting"),
                nulls_distinct=False,
                name="key_request_one_waiting",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.action}"
