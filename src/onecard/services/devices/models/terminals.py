"""Terminals (D1) and the settlement batches they were given at sign-on."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.devices.models.lines import Line


class TerminalState(models.TextChoices):
    """Whether a terminal may take payments."""

    ACTIVE = "active", _("正常")
    DISABLED = "disabled", _("停用")


class Driver(models.TextChoices):
    """The protocol a terminal speaks."""

    NATIVE = "native", _("原生协议")
    ISO8583 = "iso8583", "ISO 8583"


class Terminal(models.Model):
    """A device that makes records: of one merchant, over one line."""

    id = models.BigAutoField(primary_key=True)
    tid = models.CharField(_("终端号"), max_length=8, unique=True)
    merchant = models.ForeignKey("operators.Merchant", models.PROTECT, related_name="terminals", verbose_name=_("商户"))
    line = models.ForeignKey(Line, models.PROTECT, null=True, blank=True, related_name="terminals", verbose_name=_("线路"))
    state = models.CharField(_("状态"), max_length=8, choices=TerminalState.choices, default=TerminalState.ACTIVE)
    driver = models.CharField(_("协议"), max_length=8, choices=Driver.choices, default=Driver.NATIVE)
    name = models.CharField(_("名称"), max_length=100, blank=True, default="")
    # Of a terminal behind a front-end that comes to it over TLS; a straight terminal's is its line's.
    certificate_sha256 = models.BinaryField(_("证书指纹"), null=True, editable=False)
    certificate_until = models.DateTimeField(_("证书有效期止"), null=True, editable=False)
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("终端")
        verbose_name_plural = _("终端")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("certificate_sha256",), name="terminal_certificate"),
            # Negative ids are the platform's own (opening, settlement, centre desk).
            models.CheckConstraint(condition=Q(id__gt=0), name="terminal_id_positive"),
            models.CheckConstraint(condition=Q(tid__regex="^[0-9A-Z]{8}$"), name="terminal_tid_form"),
            models.CheckConstraint(condition=Q(state__in=TerminalState.values), name="terminal_state"),
            models.CheckConstraint(condition=Q(driver__in=Driver.values), name="terminal_driver"),
        )

    def __str__(self) -> str:
        return self.tid


class TerminalBatch(models.Model):
    """A settlement batch an ISO 8583 terminal has been given at a sign-on; the newest row is the one in use."""

    terminal = models.ForeignKey(Terminal, models.CASCADE, related_name="batches", db_index=False, verbose_name=_("终端"))
    batch_no = models.IntegerField(_("批次号"))
    opened_at = models.DateTimeField(_("签到时间"))

    class Meta:
        verbose_name = _("终端批次")
        verbose_name_plural = _("终端批次")
        ordering = ("terminal_id", "-opened_at")
        constraints = (
            models.UniqueConstraint(fields=("terminal", "batch_no"), name="terminal_batch"),
            models.CheckConstraint(condition=Q(batch_no__range=(1, 999_999)), name="terminal_batch_range"),
        )

    def __str__(self) -> str:
        return f"{self.terminal_id}/{self.batch_no}"
