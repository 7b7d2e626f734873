"""Every use of a key as a chain of hashes (K3), counters of keys and security modules, and alarms on unusual rates.

`sql/usage.sql` makes the chain: sequence, previous hash and hash are the trigger's, under the lock of the head's row, so that
concurrent processes make one chain and nobody writes a link by hand.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Usage(models.Model):
    """One call of the vault. `count` is how many records or commands it was for, `failed` how many of those did not fit.

    `keys` lists what each key was used for, `id:count`, so that the counters can be proved from the chain.
    """

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(_("时间"))
    actor = models.CharField(_("操作者"), max_length=310)
    operation = models.CharField(_("操作"), max_length=24)
    subject = models.CharField(_("对象"), max_length=100, blank=True, default="")
    keys = models.TextField(_("密钥"), blank=True, default="")
    count = models.IntegerField(_("次数"))
    failed = models.IntegerField(_("不符次数"), default=0)
    prev_hash = models.BinaryField(_("上一散列"))
    hash = models.BinaryField(_("散列"))

    class Meta:
        verbose_name = _("密钥使用记录")
        verbose_name_plural = _("密钥使用记录")
        ordering = ("seq",)
        constraints = (models.CheckConstraint(condition=Q(count__gte=0, failed__gte=0), name="usage_counts"),)
        indexes = (models.Index(fields=("at",), name="usage_at"),)

    def __str__(self) -> str:
        return f"{self.seq} {self.operation}"


class UsageHead(models.Model):
    """The last link of the chain; its row is the chain's lock."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField(default=0)
    hash = models.BinaryField()

    class Meta:
        verbose_name = _("使用记录链首")
        verbose_name_plural = _("使用记录链首")
        constraints = (models.CheckConstraint(condition=Q(id=1), name="usage_head_only_one"),)

    def __str__(self) -> str:
        return str(self.seq)


class KeyCount(models.Model):
    """How often a key was used."""

    key_id = models.BigIntegerField(primary_key=True)
    count = models.BigIntegerField(_("次数"))
    last_at = models.DateTimeField(_("最近使用"))

    class Meta:
        verbose_name = _("密钥使用次数")
        verbose_name_plural = _("密钥使用次数")

    def __str__(self) -> str:
        return f"{self.key_id}: {self.count}"


class SamHour(models.Model):
    """How many proofs of one security module were verified in one hour. Kept for eight days."""

    id = models.BigAutoField(primary_key=True)
    sam_no = models.BigIntegerField(_("SAM 编号"))
    hour = models.DateTimeField(_("小时"))
    count = models.BigIntegerField(_("次数"))
    failed = models.BigIntegerField(_("不符次数"), default=0)

    class Meta:
        verbose_name = _("SAM 使用次数")
        verbose_name_plural = _("SAM 使用次数")
        constraints = (models.UniqueConstraint(fields=("sam_no", "hour"), name="sam_hour_once"),)
        indexes = (models.Index(fields=("hour",), name="sam_hour_hour"),)

    def __str__(self) -> str:
        return f"{self.sam_no} {self.hour}: {self.count}"


class AlarmKind(models.TextChoices):
    """Which limit was passed."""

    HOURLY = "hourly", _("超过每小时上限")
    UNUSUAL = "unusual", _("远高于自身七日均值")
    WRONG = "wrong", _("校验不符过多")


class AlarmRule(models.Model):
    """When a security module's rate is unusual. 0 turns a rule off."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    per_hour = models.IntegerField(_("每小时上限"), default=20000)
    times_mean = models.IntegerField(_("七日均值的倍数"), default=10)
    least = models.IntegerField(_("均值规则的最低次数"), default=500)
    wrong_per_hour = models.IntegerField(_("每小时不符上限"), default=20)

    class Meta:
        verbose_name = _("密钥使用告警规则")
        verbose_name_plural = _("密钥使用告警规则")
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="alarm_rule_only_one"),
            models.CheckConstraint(
                condition=Q(per_hour__gte=0, times_mean__gte=0, least__gte=0, wrong_per_hour__gte=0), name="alarm_rule_values"
            ),
        )

    def __str__(self) -> str:
        return f"{self.per_hour}/h"


class UsageAlarm(models.Model):
    """An unusual rate of one security module in one hour; one row an hour and kind, its figure growing with the hour."""

    id = models.BigAutoField(primary_key=True)
    sam_no = models.BigIntegerField(_("SAM 编号"))
    hour = models.DateTimeField(_("小时"))
    kind = models.CharField(_("类型"), max_length=10, choices=AlarmKind.choices)
    count = models.BigIntegerField(_("次数"))
    allowed = models.BigIntegerField(_("阈值"))
    raised_at = models.DateTimeField(_("告警时间"))
    acknowledged_at = models.DateTimeField(_("确认时间"), null=True)
    acknowledged_by = models.CharField(_("确认人"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("密钥使用告警")
        verbose_name_plural = _("密钥使用告警")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("sam_no", "hour", "kind"), name="usage_alarm_once"),
            models.CheckConstraint(condition=Q(kind__in=AlarmKind.values), name="usage_alarm_kind"),
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_by="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="")),
                name="usage_alarm_acknowledged",
            ),
        )

    def __str__(self) -> str:
        return f"{self.sam_no} {self.kind} {self.count}"
