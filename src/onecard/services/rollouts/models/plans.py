"""Roll-outs: who gets a release, in which groups, and how far each device is (D2).

Approval by another person, the order of states, and one action of a kind at a time for each device are held by the database
(`sql/plans.sql` and the constraints here).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from onecard.services.rollouts.choices import UNDER_WAY, ActionState, GroupState, RolloutState
from onecard.services.rollouts.models.releases import Release

_PERMILLE = (0, 1000)


class Rollout(models.Model):
    """A release on its way to the devices that a filter names."""

    id = models.BigAutoField(primary_key=True)
    release = models.ForeignKey(Release, models.PROTECT, related_name="rollouts", verbose_name=_("发布"))
    title = models.CharField(_("名称"), max_length=60)
    target = models.JSONField(_("目标条件"))
    canary_units = ArrayField(models.IntegerField(), verbose_name=_("先行单位"), default=list, blank=True)
    window_start = models.TimeField(_("维护窗口开始"), null=True)
    window_end = models.TimeField(_("维护窗口结束"), null=True)
    window_from = models.DateTimeField(_("本次窗口起"), null=True)
    window_until = models.DateTimeField(_("本次窗口止"), null=True)
    state = models.CharField(_("状态"), max_length=9, choices=RolloutState.choices, default=RolloutState.DRAFT)
    reason = models.CharField(_("原因"), max_length=500, blank=True, default="")
    why = models.JSONField(_("原因构成"), default=dict, blank=True)
    """Of a stop by itself: what (`StopReason`), the group's title, counts, and what the last device said; empty: see `reason`."""
    created_by = models.CharField(_("制定人"), max_length=150)
    created_at = models.DateTimeField(_("制定时间"))
    approved_by = models.CharField(_("审批人"), max_length=150, null=True)
    approved_at = models.DateTimeField(_("审批时间"), null=True)
    started_at = models.DateTimeField(_("启动时间"), null=True)
    ended_at = models.DateTimeField(_("结束时间"), null=True)
    joined_at = models.DateTimeField(_("最近纳入新设备时间"), null=True)

    class Meta:
        verbose_name = _("升级计划")
        verbose_name_plural = _("升级计划")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(state__in=RolloutState.values), name="rollouts_state"),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True) | ~Q(approved_by=F("created_by")), name="rollouts_two_people"
            ),
            models.CheckConstraint(
                condition=Q(state__in=(RolloutState.DRAFT, RolloutState.CANCELLED)) | Q(approved_by__isnull=False),
                name="rollouts_approved",
            ),
            models.CheckConstraint(
                condition=Q(window_start__isnull=True, window_end__isnull=True)
                | (Q(window_start__isnull=False, window_end__isnull=False) & ~Q(window_start=F("window_end"))),
                name="rollouts_window",
            ),
        )

    def __str__(self) -> str:
        return self.title


class RolloutGroup(models.Model):
    """Devices that are told at the same time; the first group is the canary."""

    id = models.BigAutoField(primary_key=True)
    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="groups", verbose_name=_("升级计划"))
    no = models.SmallIntegerField(_("序号"))
    title = models.CharField(_("名称"), max_length=40)
    share_permille = models.SmallIntegerField(_("占比（‰）"))
    success_permille = models.SmallIntegerField(_("成功阈值（‰）"))
    error_permille = models.SmallIntegerField(_("故障阈值（‰）"))
    soak_s = models.IntegerField(_("观察时间（秒）"), default=0)
    state = models.CharField(_("状态"), max_length=7, choices=GroupState.choices, default=GroupState.WAITING)
    opened_at = models.DateTimeField(_("开始时间"), null=True)
    reached_at = models.DateTimeField(_("达到成功阈值时间"), null=True)
    passed_at = models.DateTimeField(_("通过时间"), null=True)

    class Meta:
        verbose_name = _("升级分组")
        verbose_name_plural = _("升级分组")
        ordering = ("rollout_id", "no")
        constraints = (
            models.UniqueConstraint(fields=("rollout", "no"), name="rollouts_group_no"),
            models.CheckConstraint(condition=Q(no__range=(1, 20)), name="rollouts_group_no_range"),
            models.CheckConstraint(condition=Q(state__in=GroupState.values), name="rollouts_group_state"),
            models.CheckConstraint(
                condition=Q(
                    share_permille__range=_PERMILLE,
                    success_permille__range=_PERMILLE,
                    error_permille__range=_PERMILLE,
                    soak_s__gte=0,
                ),
                name="rollouts_group_shares",
            ),
        )

    def __str__(self) -> str:
        return f"{self.no} {self.title}"


class Action(models.Model):
    """One device's part: of a line's own device, or of a terminal behind a front-end."""

    id = models.BigAutoField(primary_key=True)
    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="actions", verbose_name=_("升级计划"))
    group = models.ForeignKey(RolloutGroup, models.CASCADE, related_name="actions", verbose_name=_("分组"))
    line = models.ForeignKey("devices.Line", models.CASCADE, related_name="+", db_index=False, verbose_name=_("线路"))
    terminal = models.ForeignKey(
        "devices.Terminal", models.CASCADE, null=True, related_name="+", db_index=False, verbose_name=_("终端")
    )
    kind = models.CharField(_("类别"), max_length=24)
    state = models.CharField(_("状态"), max_length=11, choices=ActionState.choices, default=ActionState.PENDING)
    progress_permille = models.SmallIntegerField(_("进度（‰）"), default=0)
    detail = models.CharField(_("说明"), max_length=560, blank=True, default="")
    told_at = models.DateTimeField(_("下达时间"), null=True)
    changed_at = models.DateTimeField(_("变更时间"))

    class Meta:
        verbose_name = _("升级动作")
        verbose_name_plural = _("升级动作")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("rollout", "line", "terminal"), nulls_distinct=False, name="rollouts_action_once"),
            models.UniqueConstraint(
                fields=("line", "terminal", "kind"),
                condition=Q(state__in=UNDER_WAY),
                name="rollouts_action_one_at_a_time",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(state__in=ActionState.values), name="rollouts_action_state"),
            models.CheckConstraint(condition=Q(progress_permille__range=_PERMILLE), name="rollouts_action_progress"),
        )
        indexes = (
            models.Index(fields=("group", "state"), name="rollouts_action_group"),
            models.Index(fields=("line",), condition=Q(state__in=UNDER_WAY), name="rollouts_action_line"),
        )

    def __str__(self) -> str:
        return f"{self.rollout_id}: {self.line_id}/{self.terminal_id or 0} {self.state}"
