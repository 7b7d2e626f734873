"""Lines (the authorised list, G2), terminals (D1), settlement batches, and what the gateways last reported of them.

A line is a client certificate: a front-end of a unit or a terminal attached straight. Change rows through `api.py`.
"""

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


class TerminalState(models.TextChoices):
    """Whether a terminal may take payments."""

    ACTIVE = "active", _("正常")
    DISABLED = "disabled", _("停用")


class Driver(models.TextChoices):
    """The protocol a terminal speaks."""

    NATIVE = "native", _("原生协议")
    ISO8583 = "iso8583", "ISO 8583"


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


class Terminal(models.Model):
    """A device that makes records: of one merchant, over one line."""

    id = models.BigAutoField(primary_key=True)
    tid = models.CharField(_("终端号"), max_length=8, unique=True)
    merchant = models.ForeignKey("operators.Merchant", models.PROTECT, related_name="terminals", verbose_name=_("商户"))
    line = models.ForeignKey(Line, models.PROTECT, null=True, blank=True, related_name="terminals", verbose_name=_("线路"))
    state = models.CharField(_("状态"), max_length=8, choices=TerminalState.choices, default=TerminalState.ACTIVE)
    driver = models.CharField(_("协议"), max_length=8, choices=Driver.choices, default=Driver.NATIVE)
    name = models.CharField(_("名称"), max_length=100, blank=True, default="")
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)

    class Meta:
        verbose_name = _("终端")
        verbose_name_plural = _("终端")
        ordering = ("id",)
        constraints = (
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


class LineStatus(models.Model):
    """Whether a line is up, as a gateway last said; a row changes only when that does."""

    line = models.OneToOneField(Line, models.CASCADE, primary_key=True, related_name="status", verbose_name=_("线路"))
    online = models.BooleanField(_("在线"))
    since = models.DateTimeField(_("自"))
    gateway = models.CharField(_("网关"), max_length=60)

    class Meta:
        verbose_name = _("线路状态")
        verbose_name_plural = _("线路状态")

    def __str__(self) -> str:
        return f"{self.line_id} {'on' if self.online else 'off'}"


class GatewayStatus(models.Model):
    """The last report of a gateway; older than a few seconds, it is down."""

    gateway = models.CharField(_("网关"), max_length=60, primary_key=True)
    reported_at = models.DateTimeField(_("报告时间"))
    online_lines = models.IntegerField(_("在线线路"))
    online_terminals = models.IntegerField(_("在线终端"))
    refused_handshakes = models.BigIntegerField(_("被拒连接"))
    # Figures for a chart, not money: thousandths of a request per second and microseconds keep them whole.
    requests_per_second_milli = models.BigIntegerField(_("每秒请求（千分之一）"))
    latency_p50_us = models.BigIntegerField(_("中位时延（微秒）"))
    latency_p99_us = models.BigIntegerField(_("P99 时延（微秒）"))

    class Meta:
        verbose_name = _("网关状态")
        verbose_name_plural = _("网关状态")

    def __str__(self) -> str:
        return self.gateway
