"""What other areas call of roll-outs: the signed repository, automatic data, and what each line should have."""

from onecard.services.rollouts.founding import accept, init_repository
from onecard.services.rollouts.linetasks import line_tasks, platform_data
from onecard.services.rollouts.repository import (
    CHANNEL,
    FilePart,
    NewData,
    data_path,
    has_repository,
    publish_data,
    publish_many,
    read_file,
)

__all__ = [
    "CHANNEL",
    "FilePart",
    "NewData",
    "accept",
    "data_path",
    "has_repository",
    "init_repository",
    "line_tasks",
    "platform_data",
    "publish_data",
    "publish_many",
    "read_file",
]
