"""What the gateways last reported of lines and of themselves."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from onecard.services.devices.models.lines import Line


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
