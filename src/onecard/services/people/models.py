"""Cardholders (持卡人): by real name or anonymous; the document number is kept only as a keyed hash and its last four characters.

Rules held here: O2 (an operator's cap, counted by the trigger of `sql/limits.sql`). A closed holder no longer counts.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class HolderState(models.TextChoices):
    """Whether somebody is a cardholder."""

    ACTIVE = "active", _("正常")
    CLOSED = "closed", _("已注销")


class DocumentType(models.TextChoices):
    """The kind of identity document."""

    NONE = "", _("无")
    ID_CARD = "id_card", _("居民身份证")
    PASSPORT = "passport", _("护照")
    STAFF = "staff", _("工号/学号")
    OTHER = "other", _("其他")


class Holder(models.Model):
    """A cardholder of one operator, of one of its units or of none."""

    id = models.BigAutoField(primary_key=True)
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    # The constraint is the composite (unit_id, operator_id) of sql/limits.sql: it also keeps a unit with holders in its place.
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, verbose_name=_("接入单位")
    )
    name = models.CharField(_("姓名"), max_length=50, blank=True, default="")
    anonymous = models.BooleanField(_("不记名"), default=False)
    document_type = models.CharField(_("证件类型"), max_length=10, choices=DocumentType.choices, blank=True, default="")
    document_hash = models.BinaryField(_("证件号散列"), null=True, editable=False)
    document_last4 = models.CharField(_("证件号后四位"), max_length=4, blank=True, default="")
    phone = models.CharField(_("电话"), max_length=20, blank=True, default="")
    state = models.CharField(_("状态"), max_length=8, choices=HolderState.choices, default=HolderState.ACTIVE)
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("持卡人")
        verbose_name_plural = _("持卡人")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("operator", "document_hash"),
                condition=Q(document_hash__isnull=False, state=HolderState.ACTIVE),
                name="holder_document",
            ),
            models.CheckConstraint(
                condition=Q(anonymous=True, name="", document_hash__isnull=True) | (Q(anonymous=False) & ~Q(name="")),
                name="holder_real_name",
            ),
            models.CheckConstraint(condition=Q(state__in=HolderState.values), name="holder_state"),
        )
        indexes = (models.Index(fields=("operator", "id"), name="holder_operator"),)

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"
