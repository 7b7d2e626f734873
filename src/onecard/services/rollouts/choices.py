"""States of roll-outs, their groups and actions."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from onecard.kernel.events import EventKind


class RolloutState(models.TextChoices):
    """How far a roll-out is. What is stopped, finished or cancelled stays so."""

    DRAFT = "draft", _("待审批")
    APPROVED = "approved", _("已审批")
    RUNNING = "running", _("进行中")
    PAUSED = "paused", _("已暂停")
    STOPPED = "stopped", _("因故障停止")
    FINISHED = "finished", _("已完成")
    CANCELLED = "cancelled", _("已取消")


class StopReason(models.TextChoices):
    """Why a roll-out stopped by itself."""

    ERRORS = "errors", _("故障超过阈值")
    TOO_FEW = "too_few", _("未达到成功阈值")
    WITHDRAWN = "withdrawn", _("发布已撤回")


class GroupState(models.TextChoices):
    """How far a group is."""

    WAITING = "waiting", _("等待")
    OPEN = "open", _("进行中")
    PASSED = "passed", _("已通过")
    STOPPED = "stopped", _("已停止")


class ActionState(models.TextChoices):
    """How far one device is."""

    PENDING = "pending", _("等待")
    TOLD = "told", _("已下达")
    DOWNLOADING = "downloading", _("下载中")
    WAITING = "waiting", _("等待安装时机")
    INSTALLING = "installing", _("安装中")
    DONE = "done", _("完成")
    FAILED = "failed", _("失败")
    REFUSED = "refused", _("被拒")
    CANCELLED = "cancelled", _("已取消")


UNDER_WAY = (ActionState.TOLD, ActionState.DOWNLOADING, ActionState.WAITING, ActionState.INSTALLING)
"""The device has been told and has not said how it ended."""
ERRORS = (ActionState.FAILED, ActionState.REFUSED)
ENDED = (ActionState.DONE, *ERRORS, ActionState.CANCELLED)

STATE_OF_EVENT = {
    EventKind.UPDATE_DOWNLOADING: ActionState.DOWNLOADING,
    EventKind.UPDATE_WAITING: ActionState.WAITING,
    EventKind.UPDATE_INSTALLING: ActionState.INSTALLING,
    EventKind.UPDATE_DONE: ActionState.DONE,
    EventKind.UPDATE_FAILED: ActionState.FAILED,
    EventKind.UPDATE_REFUSED: ActionState.REFUSED,
    EventKind.DATA_TAKEN: ActionState.DONE,
    EventKind.DATA_REFUSED: ActionState.FAILED,
}
