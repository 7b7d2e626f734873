"""The lease at the front-end: kept, checked, read by a clock that nobody turns back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from onecard.fep.lease import LeaseKeeper
from onecard.kernel.clock import from_epoch_us
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput
from onecard.protocol.lease import Step
from onecard.protocol.proto.device_pb2 import LeaseReply
from tests.edge.test_clock import START_US, Box
from tests.protocol.test_lease import LEASE, _authority, _signed

DAY = 86_400 * 1_000_000
FULL = replace(
    LEASE,
    issued_at_us=START_US,
    warn_at_us=START_US + 3 * DAY,
    no_new_cards_at_us=START_US + 5 * DAY,
    no_sales_at_us=START_US + 7 * DAY,
    stop_at_us=START_US + 9 * DAY,
)


class Unit:
    def __init__(self, folder) -> None:
        self.box = Box(folder)
        self.folder = folder
        self.ca_key, self.ca = _authority()
        self.start()

    def start(self) -> None:
        self.clock = self.box.start()
        self.keeper = LeaseKeeper(self.folder, self.ca, self.clock, line_id=7)

    def reply(self, lease=FULL, **changes) -> LeaseReply:
        signed = _signed(self.ca_key, lease=lease, from_=from_epoch_us(START_US) - timedelta(days=1))
        return LeaseReply(lease=signed.lease, signature=signed.signature, certificate_der=signed.certificate_der, **changes)


@pytest.fixture
def unit(tmp_path):
    return Unit(tmp_path)


def test_without_a_lease_nothing_is_sold_off_line(unit):
    assert (unit.keeper.step(), unit.keeper.serial, unit.keeper.unit_id) == (Step.NO_SALES, 0, None)


def test_a_lease_runs_out_in_steps_and_survives_a_restart(unit):
    assert unit.keeper.take(unit.reply())
    steps = []
    for days in (1, 3, 5, 7, 9):
        unit.box.counter = 5_000_000 + days * DAY
        steps.append(unit.keeper.step())
    assert steps == [Step.OK, Step.WARNING, Step.NO_NEW_CARDS, Step.NO_SALES, Step.STOP]
    unit.start()
    assert (unit.keeper.step(), unit.keeper.serial, unit.keeper.unit_id) == (Step.STOP, FULL.serial, FULL.unit_id)


def test_a_clock_set_back_does_not_prolong_it(unit):
    unit.keeper.take(unit.reply())
    unit.box.counter += 7 * DAY
    unit.keeper.step()
    unit.box.wall.at -= timedelta(days=300)
    assert unit.keeper.step() is Step.NO_SALES
    unit.box.reboot()
    unit.start()
    assert unit.keeper.step() is Step.NO_SALES
    (unit.folder / "clock").unlink()  # the mark deleted: the lease itself says how late it is at least
    unit.start()
    assert unit.clock.now_us() >= START_US and unit.clock.set_back_us > 290 * DAY


def test_an_older_lease_and_a_foreign_one_are_refused(unit):
    unit.keeper.take(unit.reply())
    longer = replace(FULL, serial=FULL.serial - 1, stop_at_us=START_US + 99 * DAY)
    with pytest.raises(InvalidInput, match="older than 12"):
        unit.keeper.take(unit.reply(longer))
    with pytest.raises(InvalidInput, match="is of line 8"):
        unit.keeper.take(unit.reply(replace(FULL, line_id=8, serial=99)))
    stranger, _ = _authority()
    unit.ca_key, own = stranger, unit.ca_key
    with pytest.raises(InvalidInput, match="did not sign"):
        unit.keeper.take(unit.reply(replace(FULL, serial=99)))
    unit.ca_key = own
    assert unit.keeper.lease == FULL
    assert unit.keeper.take(unit.reply(replace(FULL, serial=13, stop_at_us=START_US + 10 * DAY)))
    assert unit.keeper.serial == 13


def test_the_same_lease_again_and_a_refusal_change_nothing(unit):
    unit.keeper.take(unit.reply())
    assert not unit.keeper.take(unit.reply())
    assert not unit.keeper.take(LeaseReply(code=Result.UNIT_EXPIRED))
    assert unit.keeper.lease == FULL


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"lease":"!!","signature":"","certificate":""}', b"\xff"])
def test_a_damaged_file_is_no_lease(unit, content):
    unit.keeper.take(unit.reply())
    (unit.folder / "lease.json").write_bytes(content)
    unit.start()
    assert unit.keeper.step() is Step.NO_SALES
