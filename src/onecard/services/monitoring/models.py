"""Live figures: what one application server did in one interval, whole and by unit. For charts, never for sums of money."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class LiveFigure(models.Model):
    """One interval of one application server."""

    id = models.BigAutoField(primary_key=True)
    server = models.CharField(_("应用服务器"), max_length=100)
    at = models.DateTimeField(_("时间"))
    interval_ms = models.IntegerField(_("时段（毫秒）"))
    purchases = models.BigIntegerField(_("联机消费笔数"))
    advices = models.BigIntegerField(_("脱机消费笔数"))
    others = models.BigIntegerField(_("其他笔数"))
    approved = models.BigIntegerField(_("成功笔数"))
    refused = models.BigIntegerField(_("拒绝笔数"))
    busy = models.BigIntegerField(_("系统忙笔数"))
    latency_p50_us = models.BigIntegerField(_("中位时延（微秒）"))
    latency_p99_us = models.BigIntegerField(_("P99 时延（微秒）"))
    batches = models.BigIntegerField(_("批次数"))
    queue_rows = models.BigIntegerField(_("排队笔数"))
    oldest_unposted_ms = models.BigIntegerField(_("最早未入账（毫秒）"))

    class Meta:
        verbose_name = _("实时指标")
        verbose_name_plural = _("实时指标")
        ordering = ("-at",)
        indexes = (models.Index(fields=("at",), name="live_figure_at"),)

    def __str__(self) -> str:
        return f"{self.server} {self.at:%H:%M:%S}"


class LiveFigureUnit(models.Model):
    """Approved records of one interval by operator and unit; unit 0 stands for public merchants outside any unit."""

    id = models.BigAutoField(primary_key=True)
    server = models.CharField(_("应用服务器"), max_length=100)
    at = models.DateTimeField(_("时间"))
    operator_id = models.IntegerField(_("运营单位"))
    unit_id = models.IntegerField(_("接入单位"))
    approved = models.BigIntegerField(_("成功笔数"))

    class Meta:
        verbose_name = _("单位实时指标")
        verbose_name_plural = _("单位实时指标")
        ordering = ("-at",)
        indexes = (models.Index(fields=("at",), name="live_figure_unit_at"),)

    def __str__(self) -> str:
        return f"{self.unit_id} {self.at:%H:%M:%S}"
