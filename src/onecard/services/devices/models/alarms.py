"""Alarms of devices: rules with their thresholds, one open alarm a subject and kind, its steps, who is told and how."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.devices.models.lines import Line
from onecard.services.devices.models.terminals import Terminal


class AlarmKind(models.TextChoices):
    """What is wrong."""

    GATEWAY_SILENT = "gateway_silent", _("网关无报告")
    LINE_LOST = "line_lost", _("线路中断")
    DEVICE_LOST = "device_lost", _("设备离线")
    CLOCK_OFF = "clock_off", _("时钟偏差")
    BACKLOG_OLD = "backlog_old", _("积压过久")
    DISK_LOW = "disk_low", _("磁盘空间不足")
    SEQUENCE_HOLE = "sequence_hole", _("流水号缺口")
    HARDWARE_CHANGED = "hardware_changed", _("设备与登记不符")
    LEASE = "lease", _("租约到期分级")
    DATA_REFUSED = "data_refused", _("数据被拒用")
    UPDATE_FAILED = "update_failed", _("升级失败")
    RECORD_REFUSED = "record_refused", _("脱机记录未入账")
    LINE_REFUSED = "line_refused", _("拒绝接入")
    TAMPER = "tamper", _("防拆报警")
    ERROR = "error", _("设备故障")


class Severity(models.IntegerChoices):
    """How bad it is."""

    NOTICE = 1, _("提示")
    WARNING = 2, _("警告")
    CRITICAL = 3, _("严重")


class AlarmRule(models.Model):
    """When an alarm of a kind is raised and when it clears by itself."""

    kind = models.CharField(_("类别"), max_length=20, primary_key=True, choices=AlarmKind.choices)
    enabled = models.BooleanField(_("启用"), default=True)
    severity = models.SmallIntegerField(_("级别"), choices=Severity.choices)
    threshold = models.BigIntegerField(_("阈值"), default=0)
    unit = models.CharField(_("阈值单位"), max_length=4, blank=True, default="")
    settle_s = models.IntegerField(_("恢复满（秒）后自动解除，0 为人工解除"), default=60)

    class Meta:
        verbose_name = _("告警规则")
        verbose_name_plural = _("告警规则")
        ordering = ("kind",)
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=AlarmKind.values), name="alarm_rule_kind"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="alarm_rule_severity"),
            models.CheckConstraint(condition=Q(threshold__gte=0, settle_s__gte=0), name="alarm_rule_positive"),
        )

    def __str__(self) -> str:
        return self.kind


class Alarm(models.Model):
    """Something that is wrong with a line's device, a terminal or a gateway, from its beginning to its end."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(_("类别"), max_length=20, choices=AlarmKind.choices)
    line = models.ForeignKey(Line, models.CASCADE, null=True, related_name="alarms", verbose_name=_("线路"))
    terminal = models.ForeignKey(Terminal, models.CASCADE, null=True, related_name="alarms", verbose_name=_("终端"))
    gateway = models.CharField(_("网关"), max_length=60, blank=True, default="")
    severity = models.SmallIntegerField(_("级别"), choices=Severity.choices)
    detail = models.CharField(_("说明"), max_length=560, blank=True, default="")
    times = models.IntegerField(_("次数"), default=1)
    raised_at = models.DateTimeField(_("发生时间"))
    last_at = models.DateTimeField(_("最近时间"))
    well_since = models.DateTimeField(_("恢复自"), null=True)
    acknowledged_at = models.DateTimeField(_("确认时间"), null=True)
    acknowledged_by = models.CharField(_("确认人"), max_length=150, blank=True, default="")
    cleared_at = models.DateTimeField(_("解除时间"), null=True)

    class Meta:
        verbose_name = _("告警")
        verbose_name_plural = _("告警")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("kind", "line", "terminal", "gateway"),
                condition=Q(cleared_at__isnull=True),
                nulls_distinct=False,
                name="alarm_one_open",
            ),
            models.CheckConstraint(condition=Q(kind__in=AlarmKind.values), name="alarm_kind"),
            models.CheckConstraint(condition=Q(line__isnull=True) | Q(terminal__isnull=True), name="alarm_subject"),
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_by="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="")),
                name="alarm_acknowledged",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.line_id or self.terminal_id or self.gateway}"


class StepKind(models.TextChoices):
    """What became of an alarm."""

    RAISED = "raised", _("发生")
    ACKNOWLEDGED = "acknowledged", _("已确认")
    CLEARED = "cleared", _("已解除")


class AlarmStep(models.Model):
    """A step of an alarm, by whom (empty: by itself) and with what note; `told` once messages about it are written."""

    id = models.BigAutoField(primary_key=True)
    alarm = models.ForeignKey(Alarm, models.CASCADE, related_name="steps")
    what = models.CharField(_("步骤"), max_length=12, choices=StepKind.choices)
    at = models.DateTimeField(_("时间"))
    who = models.CharField(_("人员"), max_length=150, blank=True, default="")
    note = models.CharField(_("说明"), max_length=500, blank=True, default="")
    told = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("告警步骤")
        verbose_name_plural = _("告警步骤")
        ordering = ("id",)
        indexes = (models.Index(fields=("id",), condition=Q(told=False), name="alarm_step_untold"),)

    def __str__(self) -> str:
        return f"{self.alarm_id} {self.what}"


class Channel(models.TextChoices):
    """How somebody is told."""

    MAIL = "mail", _("邮件")
    WEBHOOK = "webhook", _("Webhook")


class AlarmRecipient(models.Model):
    """Who is told of alarms: of an operator's devices, or (no operator) of all; `kinds` empty means every kind."""

    name = models.CharField(_("名称"), max_length=100)
    operator = models.ForeignKey(
        "operators.Operator", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("运营单位")
    )
    channel = models.CharField(_("方式"), max_length=8, choices=Channel.choices)
    address = models.CharField(_("地址"), max_length=300)
    severity = models.SmallIntegerField(_("最低级别"), choices=Severity.choices, default=Severity.WARNING)
    kinds = ArrayField(
        models.CharField(max_length=20, choices=AlarmKind.choices), verbose_name=_("类别"), default=list, blank=True
    )
    active = models.BooleanField(_("启用"), default=True)
    key_generation = models.IntegerField(_("签名密钥代次"), default=1)
    key_changed_at = models.DateTimeField(_("换钥时间"), null=True)
    problem = models.CharField(_("问题"), max_length=300, blank=True, default="")

    class Meta:
        verbose_name = _("告警接收方")
        verbose_name_plural = _("告警接收方")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="recipient_channel"),
            models.CheckConstraint(condition=Q(severity__in=Severity.values), name="recipient_severity"),
            models.UniqueConstraint(fields=("operator", "channel", "address"), nulls_distinct=False, name="recipient_once"),
        )

    def __str__(self) -> str:
        return self.name


class MessageState(models.TextChoices):
    """What became of a message."""

    WAITING = "waiting", _("待发送")
    SENT = "sent", _("已发送")
    FAILED = "failed", _("发送失败")


class AlarmMessage(models.Model):
    """A message about up to a hundred steps; what stands in it is fixed when it is written, so that a retry says the same."""

    id = models.BigAutoField(primary_key=True)
    recipient = models.ForeignKey(AlarmRecipient, models.CASCADE, related_name="messages")
    made_at = models.DateTimeField(_("生成时间"))
    steps = models.JSONField(_("内容"))
    more = models.IntegerField(_("其余条数"), default=0)
    state = models.CharField(_("状态"), max_length=8, choices=MessageState.choices, default=MessageState.WAITING)
    attempts = models.IntegerField(_("尝试次数"), default=0)
    next_at = models.DateTimeField(_("下次发送"), null=True)
    sent_at = models.DateTimeField(_("发送时间"), null=True)

    class Meta:
        verbose_name = _("告警消息")
        verbose_name_plural = _("告警消息")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=MessageState.values), name="alarm_message_state"),
            models.CheckConstraint(condition=Q(state="waiting") ^ Q(next_at__isnull=True), name="alarm_message_next"),
        )
        indexes = (models.Index(fields=("next_at",), condition=Q(state="waiting"), name="alarm_message_due"),)

    def __str__(self) -> str:
        return f"{self.recipient_id} {self.made_at:%Y-%m-%d %H:%M}"


class MessageAttempt(models.Model):
    """One try at sending a message, and what came of it."""

    message = models.ForeignKey(AlarmMessage, models.CASCADE, related_name="tries")
    at = models.DateTimeField(_("时间"))
    delivered = models.BooleanField(_("送达"))
    detail = models.CharField(_("结果"), max_length=300, blank=True, default="")

    class Meta:
        verbose_name = _("发送尝试")
        verbose_name_plural = _("发送尝试")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.message_id} {self.at:%H:%M:%S}"
