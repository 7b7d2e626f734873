"""Parameters of devices: what there is to set, templates for a model or a unit, overrides of one device, files of lines.

A device has the value of its override, else that of the template for its unit and model, its unit, its model, else the default.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.devices.models.lines import Line
from onecard.services.devices.models.registry import Device, DeviceModel


class ParameterKind(models.TextChoices):
    """What a value looks like."""

    INTEGER = "integer", _("整数")
    BOOLEAN = "boolean", _("是否")
    TEXT = "text", _("文字")
    CHOICE = "choice", _("选项")


class Parameter(models.Model):
    """Something that can be set. `least` and `most` bound an integer, or the length of a text."""

    key = models.CharField(_("键"), max_length=40, primary_key=True)
    title_zh = models.CharField(_("名称"), max_length=60)
    title_en = models.CharField(_("英文名称"), max_length=60)
    kind = models.CharField(_("类型"), max_length=8, choices=ParameterKind.choices)
    least = models.BigIntegerField(_("下限"), null=True, blank=True)
    most = models.BigIntegerField(_("上限"), null=True, blank=True)
    choices = ArrayField(models.CharField(max_length=40), verbose_name=_("可选值"), default=list, blank=True)
    default = models.JSONField(_("默认值"))

    class Meta:
        verbose_name = _("参数")
        verbose_name_plural = _("参数")
        ordering = ("key",)
        constraints = (
            models.CheckConstraint(condition=Q(key__regex="^[a-z][a-z0-9_.]{0,39}$"), name="parameter_key"),
            models.CheckConstraint(condition=Q(kind__in=ParameterKind.values), name="parameter_kind"),
            models.CheckConstraint(condition=~Q(kind="choice") | ~Q(choices=[]), name="parameter_choices"),
        )

    def __str__(self) -> str:
        return self.key


class ParameterTemplate(models.Model):
    """Values for all devices of a model, of a unit, or of a model in a unit."""

    name = models.CharField(_("名称"), max_length=100)
    model = models.ForeignKey(
        DeviceModel, models.PROTECT, null=True, blank=True, related_name="templates", verbose_name=_("型号")
    )
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("接入单位")
    )
    values = models.JSONField(_("取值"), default=dict)
    changed_at = models.DateTimeField(_("变更时间"))
    changed_by = models.CharField(_("变更人"), max_length=150)

    class Meta:
        verbose_name = _("参数模板")
        verbose_name_plural = _("参数模板")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("model", "unit"), nulls_distinct=False, name="template_scope"),
            models.CheckConstraint(condition=Q(model__isnull=False) | Q(unit__isnull=False), name="template_scoped"),
        )

    def __str__(self) -> str:
        return self.name


class DeviceOverride(models.Model):
    """Values of one device; gone when it leaves its unit (`sql/registry.sql`)."""

    device = models.OneToOneField(Device, models.CASCADE, primary_key=True, related_name="override")
    values = models.JSONField(_("取值"), default=dict)
    changed_at = models.DateTimeField(_("变更时间"))
    changed_by = models.CharField(_("变更人"), max_length=150)

    class Meta:
        verbose_name = _("单台参数")
        verbose_name_plural = _("单台参数")

    def __str__(self) -> str:
        return str(self.device_id)


class ParameterChange(models.Model):
    """A change that was applied: of what, by whom, from which values to which, and how many devices it touched."""

    at = models.DateTimeField(_("时间"))
    who = models.CharField(_("人员"), max_length=150)
    template = models.ForeignKey(ParameterTemplate, models.SET_NULL, null=True, related_name="changes")
    device = models.ForeignKey(Device, models.SET_NULL, null=True, related_name="changes")
    before = models.JSONField(_("变更前"))
    after = models.JSONField(_("变更后"))
    devices = models.IntegerField(_("涉及设备"))

    class Meta:
        verbose_name = _("参数变更")
        verbose_name_plural = _("参数变更")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d} {self.who}"


class LineParameters(models.Model):
    """The parameter file of a line's devices as it should be, and whether it is published."""

    line = models.OneToOneField(Line, models.CASCADE, primary_key=True, related_name="parameters")
    version = models.BigIntegerField(_("版本"))
    content = models.BinaryField(_("内容"))
    changed_at = models.DateTimeField(_("变更时间"))
    published_version = models.BigIntegerField(_("已发布版本"), default=0)
    problem = models.CharField(_("问题"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("线路参数")
        verbose_name_plural = _("线路参数")
        constraints = (
            models.CheckConstraint(condition=Q(published_version__lte=models.F("version")), name="parameters_published"),
        )
        indexes = (
            models.Index(fields=("changed_at",), condition=~Q(published_version=models.F("version")), name="parameters_waiting"),
        )

    def __str__(self) -> str:
        return f"{self.line_id} v{self.version}"
