"""Bulk loads (批量导入): one row a load, with how far it is. Its rows wait in `people_load_row` (`sql/loads.sql`)."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class LoadState(models.TextChoices):
    """How far a load is; from WRITTEN on the cardholders are in."""

    QUEUED = "queued", _("排队")
    READING = "reading", _("读取")
    CHECKING = "checking", _("核对")
    WRITING = "writing", _("写入")
    OPENING = "opening", _("开户")
    DONE = "done", _("完成")
    CHECKED = "checked", _("试运行完成")
    REFUSED = "refused", _("有错误，未导入")
    FAILED = "failed", _("失败，未导入")


class LoadMode(models.TextChoices):
    """What a wrong row does to the others."""

    ALL = "all", _("全部正确才导入")
    GOOD = "good", _("只导入正确的行")


class LoadJob(models.Model):
    """One file of cardholders on its way in."""

    id = models.BigAutoField(primary_key=True)
    operator = models.ForeignKey("operators.Operator", models.PROTECT, related_name="+", verbose_name=_("运营单位"))
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("接入单位")
    )
    file_name = models.CharField(_("文件名"), max_length=200)
    spooled = models.BooleanField(default=False)
    options = models.JSONField(default=dict)
    mode = models.CharField(_("方式"), max_length=4, choices=LoadMode.choices, default=LoadMode.ALL)
    dry_run = models.BooleanField(_("试运行"), default=False)
    state = models.CharField(_("状态"), max_length=8, choices=LoadState.choices, default=LoadState.QUEUED)
    total = models.IntegerField(_("本阶段总数"), default=0)
    done = models.IntegerField(_("本阶段完成"), default=0)
    row_count = models.IntegerField(_("行数"), default=0)
    bad_count = models.IntegerField(_("有错误的行"), default=0)
    holder_count = models.IntegerField(_("导入人数"), default=0)
    account_count = models.IntegerField(_("开户数"), default=0)
    failure_zh = models.TextField(_("失败原因"), blank=True, default="")
    failure_en = models.TextField(blank=True, default="")
    created_by = models.CharField(_("经办人"), max_length=100)
    created_at = models.DateTimeField(_("建立时间"), auto_now_add=True)
    finished_at = models.DateTimeField(_("结束时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("批量导入")
        verbose_name_plural = _("批量导入")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=LoadState.values), name="load_job_state"),
            models.CheckConstraint(condition=Q(mode__in=LoadMode.values), name="load_job_mode"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.file_name}"
