"""Lines: the authorised list (G2). A line is a client certificate, of a unit's front-end or of a terminal attached straight."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class LineKind(models.TextChoices):
    """Who stands at the other end of a line."""

    TERMINAL = "terminal", _("直连终端")
    FRONT_END = "front_end", _("通信前置机")


class LineState(models.TextChoices):
    """Whether a line is on the authorised list."""

    ACTIVE = "active", _("授信")
    REVOKED = "revoked", _("已吊销")


class Line(models.Model):
    """One entry of the authorised list: of a unit, or of an operator for public merchants outside any unit."""

    id = models.BigAutoField(primary_key=True)
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("接入单位")
    )
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("运营单位")
    )
    kind = models.CharField(_("类型"), max_length=10, choices=LineKind.choices)
    name = models.CharField(_("名称"), max_length=100)
    certificate_sha256 = models.BinaryField(_("证书指纹"), null=True, editable=False)
    certificate_until = models.DateTimeField(_("证书有效期止"), null=True, editable=False)
    state = models.CharField(_("状态"), max_length=8, choices=LineState.choices, default=LineState.ACTIVE)
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)
    revoked_at = models.DateTimeField(_("吊销时间"), null=True, editable=False)
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, editable=False, related_name="replaced_by", verbose_name=_("接替的线路")
    )

    class Meta:
        verbose_name = _("线路（授信列表）")
        verbose_name_plural = _("线路（授信列表）")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("certificate_sha256",), name="line_certificate"),
            models.CheckConstraint(condition=Q(unit__isnull=True) ^ Q(operator__isnull=True), name="line_one_owner"),
            models.CheckConstraint(condition=Q(kind__in=LineKind.values), name="line_kind"),
            models.CheckConstraint(condition=Q(state__in=LineState.values), name="line_state"),
        )

    def __str__(self) -> str:
        return self.name
