"""What other areas call of roll-outs: the signed repository, automatic data, releases, plans, and what each line should have."""

from onecard.services.rollouts.canary import Canary, canary_of
from onecard.services.rollouts.choices import ActionState, GroupState, RolloutState, StopReason
from onecard.services.rollouts.founding import accept, init_repository
from onecard.services.rollouts.linetasks import line_tasks, platform_data
from onecard.services.rollouts.models import FIRMWARE, ReleaseState
from onecard.services.rollouts.moving import note_events
from onecard.services.rollouts.plans import (
    CANARY_FIRST,
    GroupPlan,
    approve_rollout,
    cancel_rollout,
    count_devices,
    pause_rollout,
    plan_rollout,
    resume_rollout,
    start_rollout,
    tick,
)
from onecard.services.rollouts.progress import GroupProgress, Progress, actions, rollout, rollouts
from onecard.services.rollouts.releases import add_release, get_release, propose_root, propose_targets, releases
from onecard.services.rollouts.repository import (
    CHANNEL,
    FilePart,
    NewData,
    data_path,
    has_repository,
    open_data,
    publish_data,
    publish_many,
    read_file,
)
from onecard.services.rollouts.targets import TargetFilter
from onecard.services.rollouts.tufkeys import read_key_file
from onecard.services.rollouts.tufsigning import sign_off_line

__all__ = [
    "CANARY_FIRST",
    "CHANNEL",
    "FIRMWARE",
    "ActionState",
    "Canary",
    "FilePart",
    "GroupPlan",
    "GroupProgress",
    "GroupState",
    "NewData",
    "Progress",
    "ReleaseState",
    "RolloutState",
    "StopReason",
    "TargetFilter",
    "accept",
    "actions",
    "add_release",
    "approve_rollout",
    "canary_of",
    "cancel_rollout",
    "count_devices",
    "data_path",
    "get_release",
    "has_repository",
    "init_repository",
    "line_tasks",
    "note_events",
    "open_data",
    "pause_rollout",
    "plan_rollout",
    "platform_data",
    "propose_root",
    "propose_targets",
    "publish_data",
    "publish_many",
    "read_file",
    "read_key_file",
    "releases",
    "resume_rollout",
    "rollout",
    "rollouts",
    "sign_off_line",
    "start_rollout",
    "tick",
]
