"""The tables of roll-outs: the signed repository, releases, roll-outs and their actions."""

from onecard.services.rollouts.models.releases import FIRMWARE, Release, ReleaseState
from onecard.services.rollouts.models.repository import Blob, DataTarget, MetadataFile, PublishedData, Repository

__all__ = ["FIRMWARE", "Blob", "DataTarget", "MetadataFile", "PublishedData", "Release", "ReleaseState", "Repository"]
