"""Decisions of two people: one proposes, another approves; the database refuses the same person."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.services.chip.choices import Outcome, Subject


class Decision(models.Model):
    """What somebody proposed for one subject, and what another answered. Never changed once answered (`sql/rules.sql`)."""

    subject = models.CharField(_("对象"), max_length=6, choices=Subject.choices)
    subject_id = models.BigIntegerField(_("编号"))
    operator_id = models.IntegerField(_("运营单位"), default=0)
    outcome = models.CharField(_("决定"), max_length=12, choices=Outcome.choices)
    # What people see and agree on; of a write-off only.
    amount_fen = models.BigIntegerField(_("金额（分）"), null=True)
    reason = models.CharField(_("事由"), max_length=200)
    requested_by = models.CharField(_("申请人"), max_length=150)
    requested_at = models.DateTimeField(_("申请时间"), auto_now_add=True)
    decided_by = models.CharField(_("审批人"), max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(_("审批时间"), null=True)
    approved = models.BooleanField(_("同意"), null=True)

    class Meta:
        verbose_name = _("双人决定")
        verbose_name_plural = _("双人决定")
        constraints = (
            models.UniqueConstraint(
                fields=("subject", "subject_id"), condition=Q(approved__isnull=True), name="chip_decision_one_open"
            ),
            models.CheckConstraint(condition=Q(subject__in=Subject.values), name="chip_decision_subject"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="chip_decision_outcome"),
            models.CheckConstraint(
                condition=(Q(amount_fen__isnull=True) & ~Q(outcome="write_off")) | Q(outcome="write_off", amount_fen__gt=0),
                name="chip_decision_amount",
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(requested_by=""), name="chip_decision_reason"),
            models.CheckConstraint(
                condition=Q(approved__isnull=True, decided_at__isnull=True, decided_by="")
                | (Q(approved__isnull=False, decided_at__isnull=False) & ~Q(decided_by="")),
                name="chip_decision_whole",
            ),
            models.CheckConstraint(
                condition=Q(approved__isnull=True) | Q(approved=False) | ~Q(decided_by=F("requested_by")),
                name="chip_decision_two_people",
            ),
        )
        indexes = (models.Index(fields=("subject", "subject_id"), name="chip_decision_subject_id"),)

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id} {self.outcome}"
