"""What one purse may hold by law, as rules with a first day; the ledger's copy is kept by the trigger of `sql/caps.sql`."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class LegalCap(models.Model):
    """The most a purse may hold after money was put in, from a day on; 0 is no cap. What has begun is not changed any more."""

    valid_from = models.DateField(_("生效日期"), primary_key=True)
    anonymous_fen = models.BigIntegerField(_("不记名余额上限（分）"))
    registered_fen = models.BigIntegerField(_("记名余额上限（分）"))
    basis = models.CharField(_("依据"), max_length=200, blank=True, default="")
    created_by = models.CharField(_("经办人"), max_length=100)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("法定限额")
        verbose_name_plural = _("法定限额")
        ordering = ("-valid_from",)
        constraints = (
            models.CheckConstraint(condition=Q(anonymous_fen__gte=0, registered_fen__gte=0), name="legal_cap_not_negative"),
        )

    def __str__(self) -> str:
        return str(self.valid_from)
