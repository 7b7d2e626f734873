"""What devices say of themselves: the newest state of each place, its history, and events; and how long each is kept."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.devices.models.lines import Line
from onecard.services.devices.models.terminals import Terminal

ONE_SUBJECT = Q(line__isnull=False, terminal__isnull=True) | Q(line__isnull=True, terminal__isnull=False)


class Reading(models.Model):
    """The figures a state and its history have alike; None: not told."""

    clock_offset_us = models.BigIntegerField(_("时钟偏差（微秒）"), null=True)
    backlog = models.BigIntegerField(_("积压笔数"), null=True)
    oldest_unsent_at = models.DateTimeField(_("最早未上送时间"), null=True)
    versions = models.JSONField(_("版本"), default=dict)
    firmware = models.CharField(_("固件"), max_length=60, blank=True, default="")
    last_error = models.CharField(_("最近故障"), max_length=500, blank=True, default="")
    disk_free_permille = models.SmallIntegerField(_("磁盘剩余（‰）"), null=True)
    lease_serial = models.BigIntegerField(_("租约序号"), null=True)

    class Meta:
        abstract = True


class DeviceStatus(Reading):
    """The newest state of a line's own device, or of a terminal behind a front-end as the front-end sees it."""

    id = models.BigAutoField(primary_key=True)
    line = models.OneToOneField(Line, models.CASCADE, null=True, related_name="device_status")
    terminal = models.OneToOneField(Terminal, models.CASCADE, null=True, related_name="device_status")
    heard_at = models.DateTimeField(_("最近心跳"))
    online = models.BooleanField(_("在线"), default=True)
    since = models.DateTimeField(_("自"))
    address = models.CharField(_("地址"), max_length=60, blank=True, default="")
    maker = models.CharField(_("厂商"), max_length=60, blank=True, default="")
    model = models.CharField(_("型号"), max_length=60, blank=True, default="")
    hardware = models.CharField(_("硬件标识"), max_length=60, blank=True, default="")
    serial = models.CharField(_("序列号"), max_length=60, blank=True, default="")
    holes = models.JSONField(_("流水号缺口"), default=list)
    sampled_at = models.DateTimeField(_("采样时间"))

    class Meta:
        verbose_name = _("设备状态")
        verbose_name_plural = _("设备状态")
        constraints = (models.CheckConstraint(condition=ONE_SUBJECT, name="device_status_subject"),)

    def __str__(self) -> str:
        return f"{self.line_id or self.terminal_id}"


class StatusHistory(Reading):
    """A state as it was at a moment: whenever something of it changed, and a sample every so often."""

    id = models.BigAutoField(primary_key=True)
    line_id = models.BigIntegerField(null=True)
    terminal_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(_("时间"))
    online = models.BooleanField(_("在线"))

    class Meta:
        verbose_name = _("状态历史")
        verbose_name_plural = _("状态历史")
        indexes = (
            models.Index(fields=("line_id", "-id"), condition=Q(line_id__isnull=False), name="history_of_line"),
            models.Index(fields=("terminal_id", "-id"), condition=Q(terminal_id__isnull=False), name="history_of_terminal"),
            models.Index(fields=("at",), name="history_at"),
        )

    def __str__(self) -> str:
        return f"{self.line_id or self.terminal_id} {self.at:%Y-%m-%d %H:%M}"


class StoredEvent(models.Model):
    """An event of a device (`kernel.events`), kept once by the id the device gave it."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    line = models.ForeignKey(Line, models.CASCADE, related_name="+", db_index=False)
    terminal = models.ForeignKey(Terminal, models.CASCADE, null=True, related_name="+", db_index=False)
    kind = models.IntegerField(_("类别"))
    occurred_at = models.DateTimeField(_("发生时间"))
    received_at = models.DateTimeField(_("收到时间"))
    card_no = models.BigIntegerField(_("卡号"), null=True)
    detail = models.CharField(_("说明"), max_length=560, blank=True, default="")
    action_id = models.BigIntegerField(_("升级动作"), null=True)

    class Meta:
        verbose_name = _("设备事件")
        verbose_name_plural = _("设备事件")
        indexes = (
            models.Index(fields=("line", "-id"), name="event_of_line"),
            models.Index(fields=("terminal", "-id"), condition=Q(terminal__isnull=False), name="event_of_terminal"),
            models.Index(fields=("received_at",), name="event_received"),
        )

    def __str__(self) -> str:
        return f"{self.event_id}"


class Keeping(models.Model):
    """How long history and events are kept, and how often an unchanged state is sampled; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    history_days = models.IntegerField(_("状态历史保留（天）"), default=90)
    event_days = models.IntegerField(_("事件保留（天）"), default=365)
    sample_minutes = models.IntegerField(_("采样间隔（分钟）"), default=15)

    class Meta:
        verbose_name = _("保留期限")
        verbose_name_plural = _("保留期限")
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="keeping_one"),
            models.CheckConstraint(
                condition=Q(history_days__gte=1, event_days__gte=1, sample_minutes__gte=1), name="keeping_positive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.history_days}/{self.event_days}"
