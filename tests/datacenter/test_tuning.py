"""Settings sized to the machine, durable whatever its size."""

import pytest

from onecard.datacenter.tuning import memory_bytes, render, settings

GB = 1 << 30


@pytest.mark.parametrize("memory", [GB // 4, GB, 24 * GB, 512 * GB])
def test_every_machine_gets_durable_settings(memory: int) -> None:
    values = settings(memory=memory, free_disk=10 * GB, shared_memory_free=GB)
    assert [values[name] for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3


def test_settings_follow_memory_and_disk() -> None:
    small = settings(memory=GB, free_disk=2 * GB, shared_memory_free=64 << 20)
    large = settings(memory=64 * GB, free_disk=500 * GB, shared_memory_free=32 * GB)
    assert (small["shared_buffers"], large["shared_buffers"]) == ("128MB", "8192MB")
    assert (small["max_wal_size"], large["max_wal_size"]) == ("512MB", "8192MB")
    assert (small["work_mem"], large["work_mem"]) == ("4MB", "64MB")
    assert (small["dynamic_shared_memory_type"], large["dynamic_shared_memory_type"]) == ("mmap", "posix")


def test_this_machines_memory_is_told() -> None:
    assert memory_bytes() > GB // 8


def test_a_quote_in_a_value_stays_a_quote() -> None:
    assert "log_directory = '/it''s/here'" in render({"log_directory": "/it's/here"})
