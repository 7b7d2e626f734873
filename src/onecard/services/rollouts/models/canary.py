"""The lines that are named a version of automatic data before everybody is (D2), and what became of it there."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class CanaryState(models.TextChoices):
    """What a canary line has said of the version it is named."""

    TOLD = "told", _("已下达")
    TAKEN = "taken", _("已启用")
    REFUSED = "refused", _("被拒")


class CanaryLine(models.Model):
    """A line that is ahead of the others; it stays so until everybody is named what it has."""

    id = models.BigAutoField(primary_key=True)
    data = models.ForeignKey("rollouts.PublishedData", models.CASCADE, related_name="canary", verbose_name=_("数据"))
    line = models.ForeignKey("devices.Line", models.CASCADE, related_name="+", verbose_name=_("线路"))
    version = models.BigIntegerField(_("版本"))
    state = models.CharField(_("状态"), max_length=8, choices=CanaryState.choices, default=CanaryState.TOLD)
    detail = models.CharField(_("说明"), max_length=560, blank=True, default="")

    class Meta:
        verbose_name = _("先行线路")
        verbose_name_plural = _("先行线路")
        constraints = (
            models.UniqueConstraint(fields=("data", "line"), name="rollouts_canary_line"),
            models.CheckConstraint(condition=Q(state__in=CanaryState.values), name="rollouts_canary_state"),
        )

    def __str__(self) -> str:
        return f"{self.data_id} {self.version} {self.line_id}"
