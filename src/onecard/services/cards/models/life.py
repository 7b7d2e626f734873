"""A card's life (C3): the card as it stands, and the append-only events that made it so.

Posting reads the ledger's own card row; this one says why it stands as it does. Both change in one
transaction, `checks.py` compares.
"""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.ledger.codes import Medium
from onecard.services.cards.choices import Operation, State


class Card(models.Model):
    """A card (卡) and where it is in its life. Its deposit stands in `ledger.card_deposit`."""

    card_no = models.BigIntegerField(_("卡号"), primary_key=True)
    account_no = models.BigIntegerField(_("账号"))
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("接入单位")
    )
    card_type = models.ForeignKey("operators.CardType", models.PROTECT, related_name="+", db_index=False, verbose_name=_("卡种"))
    holder = models.ForeignKey(
        "people.Holder", models.PROTECT, null=True, blank=True, related_name="+", db_index=False, verbose_name=_("持卡人")
    )
    medium = models.SmallIntegerField(_("介质"), choices=[(m.value, m.name) for m in Medium])
    serial = models.BigIntegerField(_("库存序号"), null=True, blank=True)
    state = models.CharField(_("状态"), max_length=12, choices=State.choices)
    resume_state = models.CharField(
        _("恢复后的状态"), max_length=12, choices=State.choices, blank=True, default="", editable=False
    )
    issued_at = models.DateTimeField(_("发卡时间"))
    valid_until = models.DateField(_("有效期至"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("停用时间"), null=True, blank=True)
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="replaced_by", verbose_name=_("所补换的卡")
    )

    class Meta:
        verbose_name = _("卡片")
        verbose_name_plural = _("卡片")
        ordering = ("card_no",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=State.values), name="card_state"),
            models.CheckConstraint(condition=Q(resume_state__in=("", *State.values)), name="card_resume_state"),
            models.CheckConstraint(
                condition=~Q(state__in=(State.LOST_VERBAL, State.LOST)) | Q(stopped_at__isnull=False), name="card_lost_since"
            ),
            models.CheckConstraint(
                condition=Q(state__in=(State.LOST_VERBAL, State.LOST, State.FROZEN)) | Q(resume_state=""),
                name="card_resume_only_when_stopped",
            ),
            models.CheckConstraint(condition=Q(medium__in=[m.value for m in Medium]), name="card_medium"),
            models.CheckConstraint(condition=Q(replaces__isnull=True) | ~Q(replaces=F("card_no")), name="card_replaces_other"),
            models.UniqueConstraint(fields=("serial",), condition=Q(serial__isnull=False), name="card_serial"),
        )
        indexes = (
            models.Index(fields=("account_no",), name="card_account"),
            models.Index(fields=("operator", "card_no"), name="card_operator"),
            models.Index(fields=("holder", "card_type"), condition=Q(holder__isnull=False), name="card_holder"),
            models.Index(
                fields=("valid_until",),
                condition=Q(state__in=(State.ISSUED, State.ACTIVE), valid_until__isnull=False),
                name="card_expiry",
            ),
        )

    def __str__(self) -> str:
        return str(self.card_no)

    @property
    def medium_value(self) -> Medium:
        """What the number is written on."""
        return Medium(self.medium)


class LifeEvent(models.Model):
    """One operation on a card, as it was done. Append-only; an undo is an event of its own that names the one it undoes."""

    id = models.BigAutoField(primary_key=True)
    card = models.ForeignKey(Card, models.PROTECT, related_name="events", verbose_name=_("卡片"))
    operation = models.CharField(_("操作"), max_length=20, choices=Operation.choices)
    at = models.DateTimeField(_("时间"))
    actor = models.CharField(_("操作人"), max_length=150)
    reason = models.CharField(_("事由"), max_length=200, blank=True, default="")
    state_before = models.CharField(_("原状态"), max_length=12, choices=State.choices, blank=True, default="")
    state_after = models.CharField(_("新状态"), max_length=12, choices=State.choices)
    cash_fen = models.BigIntegerField(_("收现（分）"), default=0)
    money_seq = models.BigIntegerField(_("柜台流水号"), null=True, blank=True)
    money = models.JSONField(_("金额明细"), default=list)
    before = models.JSONField(_("原值"), default=dict)
    data = models.JSONField(_("内容"), default=dict)
    other_card = models.BigIntegerField(_("另一张卡"), null=True, blank=True)
    undoes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="undone_by", verbose_name=_("所撤销的操作")
    )
    key = models.CharField(max_length=100, null=True, unique=True, editable=False)

    class Meta:
        verbose_name = _("卡片事件")
        verbose_name_plural = _("卡片事件")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(operation__in=Operation.values), name="life_event_operation"),
            models.CheckConstraint(
                condition=Q(operation=Operation.UNDO, undoes__isnull=False)
                | (~Q(operation=Operation.UNDO) & Q(undoes__isnull=True)),
                name="life_event_undo",
            ),
        )
        indexes = (models.Index(fields=("other_card",), condition=Q(other_card__isnull=False), name="life_event_other"),)

    def __str__(self) -> str:
        return f"{self.card_id} {self.operation} {self.at:%Y-%m-%d}"
