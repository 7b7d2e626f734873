"""The front-end's time: nobody at the unit turns it back, and the platform alone corrects it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.fep.clock import FrontEndClock
from onecard.kernel.clock import ManualClock, to_epoch_us

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
START_US = to_epoch_us(START)
SECOND = 1_000_000


class Box:
    """A machine with a clock somebody can set, a boot, and a counter of that boot."""

    def __init__(self, folder: Path) -> None:
        self.wall = ManualClock(START)
        self.counter = 5 * SECOND
        self.boot = b"a" * 16
        self.path = folder / "clock"

    def start(self) -> FrontEndClock:
        return FrontEndClock(self.path, wall=self.wall, counter_us=lambda: self.counter, boot_id=lambda: self.boot)

    def live(self, clock: FrontEndClock, seconds: int) -> None:
        """Time goes by while the process runs and looks at its clock now and then."""
        for _ in range(seconds):
            self.counter += SECOND
            self.wall.advance(timedelta(seconds=1))
            clock.now_us()

    def reboot(self, away_s: int = 0) -> None:
        self.boot = bytes(byte + 1 for byte in self.boot)
        self.counter = 0
        self.wall.advance(timedelta(seconds=away_s))


def test_time_goes_on_by_the_counter_whatever_the_machines_clock_is_set_to(tmp_path):
    box = Box(tmp_path)
    clock = box.start()
    box.wall.at -= timedelta(days=300)
    box.counter += 3 * SECOND
    assert clock.now_us() == START_US + 3 * SECOND
    box.wall.at += timedelta(days=900)
    assert clock.now_us() == START_US + 3 * SECOND


def test_a_clock_set_back_before_a_restart_is_found(tmp_path):
    box = Box(tmp_path)
    box.live(box.start(), 100)
    box.wall.at = START - timedelta(days=30)
    box.reboot()
    clock = box.start()
    assert clock.now_us() >= START_US + 90 * SECOND
    assert clock.set_back_us > 29 * 86_400 * SECOND and clock.is_off


def test_within_one_boot_the_time_away_counts_though_the_clock_was_set_back(tmp_path):
    box = Box(tmp_path)
    box.live(box.start(), 20)
    box.counter += 3600 * SECOND
    box.wall.at = START - timedelta(days=1)
    assert box.start().now_us() == START_US + 3620 * SECOND


def test_after_a_reboot_the_machines_clock_counts_where_it_is_later(tmp_path):
    box = Box(tmp_path)
    box.live(box.start(), 20)
    box.reboot(away_s=86_400)
    clock = box.start()
    assert clock.now_us() == START_US + 20 * SECOND + 86_400 * SECOND
    assert not clock.set_back_us


def test_the_platform_corrects_in_both_directions(tmp_path):
    box = Box(tmp_path)
    clock = box.start()
    assert clock.hear_platform(START_US - 3600 * SECOND) == 3600 * SECOND
    assert clock.now_us() == START_US - 3600 * SECOND
    assert clock.offset_us == 3600 * SECOND and clock.is_off
    box.live(clock, 1)
    assert box.start().now_us() == START_US - 3599 * SECOND
    clock.hear_platform(START_US, waited_us=400_000)
    assert clock.now_us() == START_US + 200_000


def test_a_signed_moment_holds_without_the_mark(tmp_path):
    box = Box(tmp_path)
    box.start().hear_platform(START_US)
    box.path.unlink()
    box.wall.at = START - timedelta(days=30)
    box.reboot()
    clock = box.start()
    clock.not_before(START_US)
    assert clock.now_us() == START_US and clock.set_back_us == 30 * 86_400 * SECOND


def test_a_damaged_mark_is_none(tmp_path):
    box = Box(tmp_path)
    box.start()
    content = box.path.read_bytes()
    for damaged in (b"", content[:-1], bytes([content[0] ^ 1]) + content[1:]):
        box.path.write_bytes(damaged)
        assert box.start().now_us() == START_US


def test_a_disk_that_cannot_be_written_stops_no_clock(tmp_path):
    box = Box(tmp_path / "missing")
    clock = box.start()
    box.live(clock, 30)
    assert clock.now_us() == START_US + 30 * SECOND


@given(st.lists(st.tuples(st.sampled_from(["live", "set", "restart", "reboot"]), st.integers(-(10**6), 10**6)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_is_done_at_the_unit_time_never_goes_back_by_more_than_the_mark_is_old(tmp_path_factory, steps):
    box = Box(tmp_path_factory.mktemp("box"))
    clock = box.start()
    seen = clock.now_us()
    for what, amount in steps:
        if what == "live":
            box.live(clock, min(abs(amount), 30))
        elif what == "set":
            box.wall.at += timedelta(seconds=amount)
        else:
            if what == "reboot":
                box.reboot()
            clock = box.start()
        now = clock.now_us()
        assert now >= seen - 10 * SECOND
        seen = max(seen, now)
