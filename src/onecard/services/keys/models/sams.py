"""The stock of security modules (SAM, PSAM; K3), what became of each, and which terminal each is bound to.

A module's number is the terminal number it writes into MAC1 and TAC: 6 bytes, given out once. What the database holds by
itself: one module a terminal and one terminal a module, the order of states (`sql/sams.sql`), a log that is append-only.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

MAX_SAM_NO = (1 << 48) - 1


class SamState(models.TextChoices):
    """Where a module is in its life."""

    ORDERED = "ordered", _("已订购")
    RECEIVED = "received", _("已入库")
    PERSONALISED = "personalised", _("已个人化")
    BOUND = "bound", _("已绑定")
    BLOCKED = "blocked", _("已停用")
    SCRAPPED = "scrapped", _("已报废")


class Sam(models.Model):
    """One module. `id` is its terminal number (终端机编号)."""

    id = models.BigIntegerField(_("SAM 编号"), primary_key=True)
    serial = models.CharField(_("芯片序列号"), max_length=20, null=True, unique=True)
    order_ref = models.CharField(_("订单号"), max_length=40)
    supplier = models.CharField(_("供应商"), max_length=60, blank=True, default="")
    state = models.CharField(_("状态"), max_length=12, choices=SamState.choices, default=SamState.ORDERED)
    terminal = models.OneToOneField(
        "devices.Terminal", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("终端")
    )
    key_versions = models.JSONField(_("密钥版本"), default=dict)
    personalised_at = models.DateTimeField(_("个人化时间"), null=True)
    changed_at = models.DateTimeField(_("变更时间"), auto_now=True)

    class Meta:
        verbose_name = _("SAM")
        verbose_name_plural = _("SAM")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(id__range=(1, MAX_SAM_NO)), name="sam_number"),
            models.CheckConstraint(condition=Q(state__in=SamState.values), name="sam_state"),
            models.CheckConstraint(
                condition=Q(state="ordered", serial__isnull=True)
                | Q(state="scrapped")
                | (~Q(state="ordered") & Q(serial__isnull=False)),
                name="sam_serial",
            ),
            models.CheckConstraint(
                condition=Q(state="bound", terminal__isnull=False)
                | Q(state="blocked")
                | (~Q(state__in=("bound", "blocked")) & Q(terminal__isnull=True)),
                name="sam_bound",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("personalised", "bound")) | Q(personalised_at__isnull=False), name="sam_personalised"
            ),
        )
        indexes = (models.Index(fields=("state", "id"), name="sam_by_state"),)

    def __str__(self) -> str:
        return f"{self.pk:012X}"


class SamEvent(models.Model):
    """What was done with a module, by whom and why."""

    id = models.BigAutoField(primary_key=True)
    sam = models.ForeignKey(Sam, models.PROTECT, related_name="events")
    at = models.DateTimeField(_("时间"))
    who = models.CharField(_("人员"), max_length=310)
    act = models.CharField(_("操作"), max_length=20)
    detail = models.CharField(_("说明"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("SAM 记录")
        verbose_name_plural = _("SAM 记录")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.sam_id} {self.act}"
