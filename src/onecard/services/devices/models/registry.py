"""The registry (D1): makers' models, each device by its serial number, where it stands, and where it stood before.

A line or a terminal is a place in the city that never changes hands; a device is the box that stands there for a while. What a
place reports (`health.py`) stays with the place: a device that goes to another unit takes nothing along (`sql/registry.sql`).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Capability(models.TextChoices):
    """What a device can do (G4)."""

    PAY = "pay", _("支付")
    IDENTIFY = "identify", _("识别")
    ATTEND = "attend", _("考勤")
    DISPLAY = "display", _("显示")
    METER = "meter", _("计量")
    UPGRADE = "upgrade", _("远程升级")
    TIME = "time", _("校时")
    LIST = "list", _("名单")


class DeviceModel(models.Model):
    """A model of a maker, as its devices name it themselves."""

    maker = models.CharField(_("厂商"), max_length=60)
    model = models.CharField(_("型号"), max_length=60)
    hardware = models.CharField(_("硬件标识"), max_length=60, blank=True, default="")
    capabilities = ArrayField(models.CharField(max_length=10, choices=Capability.choices), verbose_name=_("能力"), default=list)

    class Meta:
        verbose_name = _("设备型号")
        verbose_name_plural = _("设备型号")
        ordering = ("maker", "model")
        constraints = (
            models.UniqueConstraint(fields=("maker", "model"), name="device_model"),
            models.CheckConstraint(condition=~Q(maker="") & ~Q(model=""), name="device_model_named"),
            models.CheckConstraint(condition=Q(capabilities__contained_by=Capability.values), name="device_model_capabilities"),
        )

    def __str__(self) -> str:
        return f"{self.maker} {self.model}"


class Device(models.Model):
    """A box with a serial number: at a line, at a terminal behind a front-end, or in an operator's store."""

    id = models.BigAutoField(primary_key=True)
    model = models.ForeignKey(DeviceModel, models.PROTECT, related_name="devices", verbose_name=_("型号"))
    serial = models.CharField(_("序列号"), max_length=60)
    hardware = models.CharField(_("硬件标识"), max_length=60, blank=True, default="")
    firmware = models.CharField(_("固件"), max_length=60, blank=True, default="")
    line = models.OneToOneField(
        "devices.Line", models.PROTECT, null=True, blank=True, related_name="device", verbose_name=_("线路")
    )
    terminal = models.OneToOneField(
        "devices.Terminal", models.PROTECT, null=True, blank=True, related_name="device", verbose_name=_("终端")
    )
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("库存所属运营单位")
    )
    place = models.CharField(_("安装位置"), max_length=100, blank=True, default="")
    note = models.CharField(_("备注"), max_length=200, blank=True, default="")
    registered_at = models.DateTimeField(_("登记时间"))
    registered_by = models.CharField(_("登记人"), max_length=150)

    class Meta:
        verbose_name = _("设备")
        verbose_name_plural = _("设备")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("model", "serial"), name="device_serial"),
            models.CheckConstraint(condition=~Q(serial=""), name="device_serial_given"),
            models.CheckConstraint(
                condition=Q(line__isnull=False, terminal__isnull=True, operator__isnull=True)
                | Q(line__isnull=True, terminal__isnull=False, operator__isnull=True)
                | Q(line__isnull=True, terminal__isnull=True, operator__isnull=False),
                name="device_one_place",
            ),
        )

    def __str__(self) -> str:
        return f"{self.model_id}/{self.serial}"


class DeviceMove(models.Model):
    """Where a device went, who moved it and why; written by the database itself. Names are those of that day."""

    device = models.ForeignKey(Device, models.CASCADE, related_name="moves")
    at = models.DateTimeField(_("时间"))
    who = models.CharField(_("人员"), max_length=150)
    note = models.CharField(_("说明"), max_length=200, blank=True, default="")
    from_line_id = models.BigIntegerField(null=True)
    from_terminal_id = models.BigIntegerField(null=True)
    from_operator_id = models.IntegerField(_("原运营单位"))
    to_line_id = models.BigIntegerField(null=True)
    to_terminal_id = models.BigIntegerField(null=True)
    to_operator_id = models.IntegerField(_("新运营单位"))
    left_unit = models.BooleanField(_("离开单位"))

    class Meta:
        verbose_name = _("设备移动")
        verbose_name_plural = _("设备移动")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.device_id} {self.at:%Y-%m-%d}"
