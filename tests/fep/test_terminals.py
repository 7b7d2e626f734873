"""Terminals of every kind behind a front-end: ISO 8583 and a meter on a bus, with the line down; and records as they travel."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.fep.records import Answer, Asked, Key, join, join_answers, split, split_answers
from onecard.gateway.buses.emulator import BusEmulator
from onecard.gateway.drivers.manifest import read_manifest
from onecard.gateway.drivers.modbus import codec
from onecard.gateway.drivers.modbus.codec import build_map
from onecard.gateway.drivers.modbus.meter import Meter
from onecard.kernel.clock import SystemClock
from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import ChipDetails
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal
from tests.fep.unit import CARD, DENIED, recall_terminals
from tests.gateway.fake_app import MASTER_KEY, mid_of
from tests.gateway.harness import until


@pytest.fixture
def pos(unit):
    journal = Journal(":memory:")

    def make() -> Iso8583Terminal:
        return Iso8583Terminal(
            "127.0.0.1", unit.fep.lan.ports["iso8583"], unit.identity(71), terminal_id=71, tid="00000071",
            mid=mid_of("00000071"), master_key=MASTER_KEY, journal=journal, clock=SystemClock(),
        )  # fmt: skip

    yield make
    journal.close()


async def test_an_iso8583_terminal_sells_on_when_the_line_and_the_front_end_have_gone(unit, pos):
    await unit.start_gateway()
    await unit.start()
    await until(lambda: unit.fep.line.is_up)
    async with pos() as terminal:
        await terminal.sign_on()
        assert (await terminal.purchase(CARD, 100)).is_approved
    assert [row["op"] for row in unit.house.app.records] == [Operation.PURCHASE]
    await unit.restart(port=1)
    async with pos() as terminal:
        await terminal.sign_on()
        assert (await terminal.purchase(CARD, 200)).is_approved
        assert not (await terminal.purchase(DENIED, 200)).is_approved
    waiting = await unit.fep.journal.run(lambda db: db.execute("SELECT op, amount_fen FROM record").fetchall())
    assert waiting[0] == (Operation.ADVICE, 200)
    await unit.restart(port=unit.house.port("native"))
    await until(lambda: not unit.fep.intake.waiting, 10)
    assert (Operation.ADVICE, 200) in [(row["op"], row["amount_fen"]) for row in unit.house.app.records]


async def test_a_terminal_that_never_signed_on_here_cannot_do_so_off_line(unit, pos):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    async with pos() as terminal:
        with pytest.raises(Exception, match="98"):
            await terminal.sign_on()


async def test_a_meter_on_a_bus_is_served_with_the_line_down(unit, tmp_path):
    maps = read_manifest(Path(codec.__file__).parent).data["maps"]
    meter = Meter(1, build_map(maps["water"]))
    async with BusEmulator(baud=115_200, seed=1) as bus:
        bus.plug(meter)
        (unit.home / "ports.toml").write_text(
            f'[[port]]\nname = "dormitory"\ndriver = "modbus"\ntransport = "{bus.spec}"\ncertificate = "cert.pem"\n'
            "terminals = { 1 = 72 }\n"
            'options = { map = "water", hold_fen = 1000, price_fen = 400, poll_s = 0.02, timeout_s = 0.15, idle_s = 30.0 }\n'
        )
        await unit.start(port=1, attach=unit.home / "ports.toml")
        unit.fep.lan.take(recall_terminals(unit))
        meter.present(CARD)
        await until(lambda: meter.is_open, 30)
        assert meter.flow(30) == 30
        meter.present(CARD)
        await until(lambda: unit.fep.intake.waiting == {72: 1}, 30)
        waiting = await unit.fep.journal.run(lambda db: db.execute("SELECT op, terminal_id, amount_fen FROM record").fetchall())
        assert waiting == [(Operation.ADVICE, 72, 120)]
        await until(lambda: unit.fep.devices.states[72].online)
        await unit.stop()
        unit.fep = None


_numbers = st.integers(0, 2**62)
_rows = st.lists(
    st.builds(
        Asked, st.sampled_from([int(op) for op in Operation if op != Operation.CHIP_PURCHASE]), _numbers, _numbers, _numbers,
        _numbers, _numbers, _numbers, _numbers, st.just(b""), st.binary(max_size=100),
    ),
    max_size=20,
)  # fmt: skip
_chips = st.builds(
    lambda *values: ChipDetails(row=[0], **dict(zip(_CHIP, ([value] for value in values), strict=True))).SerializeToString(),
    st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1), st.booleans(),
)  # fmt: skip
_CHIP = (
    "card_counter", "balance_before_fen", "sam_terminal_no", "sam_seq", "transaction_type", "key_version", "algorithm", "tac",
    "gray",
)  # fmt: skip


@given(_rows, st.data())
def test_records_are_the_same_after_they_were_taken_apart(rows, data):
    mixed = [
        row._replace(op=int(Operation.CHIP_PURCHASE), chip=data.draw(_chips), pay_code=b"") if data.draw(st.booleans()) else row
        for row in rows
    ]
    assert split(join(mixed)) == mixed


@given(st.lists(st.builds(Answer, *[st.integers(0, 2**31 - 1)] * 4), min_size=1, max_size=20))
def test_answers_are_the_same_after_they_were_taken_apart(rows):
    assert split_answers(join_answers(rows)) == rows


def test_a_reversal_has_the_number_of_its_record_and_is_another_record():
    asked = Asked(int(Operation.PURCHASE), 71, 5, CARD, 100, 1)
    assert asked.key == Key(71, 5, False)
    assert asked._replace(op=int(Operation.REVERSAL)).key == Key(71, 5, True)
    assert Result.APPROVED == 0
