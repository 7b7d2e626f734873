"""The tables of roll-outs: the signed repository, canary lines, releases, roll-outs and their actions."""

from onecard.services.rollouts.models.canary import CanaryLine, CanaryState
from onecard.services.rollouts.models.plans import Action, Rollout, RolloutGroup
from onecard.services.rollouts.models.releases import FIRMWARE, Release, ReleaseState
from onecard.services.rollouts.models.repository import Blob, DataTarget, MetadataFile, PublishedData, Repository

__all__ = [
    "FIRMWARE",
    "Action",
    "Blob",
    "CanaryLine",
    "CanaryState",
    "DataTarget",
    "MetadataFile",
    "PublishedData",
    "Release",
    "ReleaseState",
    "Repository",
    "Rollout",
    "RolloutGroup",
]
