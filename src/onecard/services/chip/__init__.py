"""Chip purchases come home (P5): TACs checked, counters and holes, gray records, the quarantine desk, loads."""
