"""Releases: a file of firmware or data that the holders of the off-line keys sign into the repository's targets."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.rollouts.models.repository import Blob

FIRMWARE = "firmware"


class ReleaseState(models.TextChoices):
    """How far a release is."""

    DRAFT = "draft", _("待签名")
    RELEASED = "released", _("已签名发布")
    WITHDRAWN = "withdrawn", _("已撤回")


class Release(models.Model):
    """One version of firmware for some hardware, or of some data; everything but its state is fixed (sql/repository.sql)."""

    id = models.BigAutoField(primary_key=True)
    path = models.CharField(_("路径"), max_length=120, unique=True)
    kind = models.CharField(_("类别"), max_length=24)
    title = models.CharField(_("名称"), max_length=60)
    version = models.BigIntegerField(_("版本（发布计数）"))
    hardware_ids = ArrayField(models.CharField(max_length=60), verbose_name=_("适用硬件"), default=list, blank=True)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="+", verbose_name=_("内容"))
    state = models.CharField(_("状态"), max_length=9, choices=ReleaseState.choices, default=ReleaseState.DRAFT)
    note = models.CharField(_("说明"), max_length=500, blank=True, default="")
    created_by = models.CharField(_("登记人"), max_length=150)
    created_at = models.DateTimeField(_("登记时间"))
    released_at = models.DateTimeField(_("发布时间"), null=True)

    class Meta:
        verbose_name = _("发布")
        verbose_name_plural = _("发布")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(version__gt=0), name="rollouts_release_version"),
            models.CheckConstraint(condition=Q(kind__regex="^[a-z][a-z0-9_-]{0,23}$"), name="rollouts_release_kind"),
            models.CheckConstraint(condition=~Q(kind="timestamp"), name="rollouts_release_not_timestamp"),
            models.CheckConstraint(condition=~Q(kind=FIRMWARE) | ~Q(hardware_ids=[]), name="rollouts_release_hardware"),
            models.CheckConstraint(condition=Q(state__in=ReleaseState.values), name="rollouts_release_state"),
            models.CheckConstraint(
                condition=Q(state=ReleaseState.DRAFT) | Q(released_at__isnull=False), name="rollouts_release_at"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.title} ({self.version})"
