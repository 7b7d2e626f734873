"""Door, attendance reader, kiosk and meter at work, and after a power cut at the worst moment."""

from datetime import timedelta

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.kernel.events import EventKind
from onecard.protocol.cardset import build_card_set
from onecard.protocol.offline import DoorRule, Window
from onecard.terminal.kinds.attendance import Attendance
from onecard.terminal.kinds.door import Door, Mode
from onecard.terminal.kinds.kiosk import Kiosk
from onecard.terminal.kinds.meter import Meter
from onecard.terminal.kinds.parts import Cash, Contact, Pulse, Tap
from tests.kinds.bench import TERMINAL, BenchLine, card, give_unit, make, press

CARD, OTHER = card(1), card(2)
MORNING = Window(6 * 60, 11 * 60)


def events(device) -> list[tuple[int, int]]:
    return [(event.kind, event.card_no) for event in device.journal.events()]


def records(device) -> list[tuple[int, int, int, int | None]]:
    return [(r.op, r.terminal_seq, r.amount_fen, r.code) for r in device.journal.records(TERMINAL)]


# ---- door


@pytest.mark.parametrize(
    ("groups", "rules", "passes"),
    [
        ({3}, (DoorRule(frozenset((3,))),), True),
        ({3}, (DoorRule(frozenset((4,))),), False),
        ({3}, (DoorRule(frozenset((3,)), (MORNING,)),), False),
        ({3}, (DoorRule(frozenset((3,)), (MORNING,)), DoorRule(frozenset((0,)))), True),
        ({3}, (), False),
    ],
)
async def test_a_door_opens_by_the_units_rules(groups, rules, passes):
    door = make(Door)
    give_unit(door, [CARD], groups=frozenset(groups), doors={TERMINAL: rules} if rules else {})
    await door.act(Tap(CARD))
    assert (door.mode is Mode.RELEASED) == passes
    assert events(door) == [(EventKind.ACCESS_GRANTED if passes else EventKind.ACCESS_DENIED, CARD)]


async def test_a_door_stays_shut_for_strangers_for_listed_cards_and_before_it_has_rules():
    door = make(Door)
    await door.act(Tap(CARD))
    give_unit(door, [CARD])
    await door.act(Tap(OTHER))
    door.data.take("deny", build_card_set([CARD], version=1), version=1)
    await door.act(Tap(CARD))
    assert events(door) == [(EventKind.ACCESS_DENIED, CARD), (EventKind.ACCESS_DENIED, OTHER), (EventKind.ACCESS_DENIED, CARD)]
    assert door.mode is Mode.SHUT


async def test_the_lock_falls_again_a_forced_door_and_one_held_open_are_told_once():
    door = make(Door)
    give_unit(door, [CARD])
    await door.act(Tap(CARD))
    door.clock.advance(timedelta(seconds=4))
    await door.pass_time()
    assert door.mode is Mode.SHUT
    await door.act(Contact(True))
    for _ in range(3):
        door.clock.advance(timedelta(seconds=20))
        await door.pass_time()
    await door.act(Contact(False))
    assert [kind for kind, _ in events(door)] == [EventKind.ACCESS_GRANTED, EventKind.TAMPER, EventKind.ERROR]
    await press(door, "out")
    await door.act(Contact(True))
    assert door.mode is Mode.OPEN
    assert [kind for kind, _ in events(door)][3:] == [EventKind.ACCESS_GRANTED]


# ---- attendance


async def test_attendance_counts_a_card_once_in_each_direction_also_over_a_power_cut():
    reader = make(Attendance)
    give_unit(reader, [CARD])
    await reader.act(Tap(CARD))
    await reader.act(Tap(CARD))
    reader = make(Attendance, journal=reader.journal)
    await reader.act(Tap(CARD))
    assert "已打卡" in reader.display.text
    await press(reader, "out")
    await reader.act(Tap(CARD))
    await press(reader, "in")
    reader.clock.advance(timedelta(seconds=61))
    await reader.act(Tap(CARD))
    await reader.act(Tap(OTHER))
    assert [(e.kind, e.detail) for e in reader.journal.events()][:3] == [
        (EventKind.ATTENDANCE, "in"), (EventKind.ATTENDANCE, "out"), (EventKind.ATTENDANCE, "in"),
    ]  # fmt: skip
    assert events(reader)[3:] == [(EventKind.ACCESS_DENIED, OTHER)]


# ---- kiosk


async def _insert(kiosk: Kiosk, *notes: int) -> None:
    await press(kiosk, "topup")
    await kiosk.act(Tap(CARD))
    for note in notes:
        await kiosk.act(Cash(note))


async def test_the_kiosk_shows_a_balance_and_takes_cash():
    line = BenchLine(is_open=True)
    kiosk = make(Kiosk, line=line)
    await press(kiosk, "balance")
    await kiosk.act(Tap(CARD))
    assert "余额 50.00" in kiosk.display.text
    await _insert(kiosk, 1000, 333, 5000)
    assert kiosk.escrow_fen == 6000
    await press(kiosk, "enter")
    assert line.sent[-1] == (Operation.TOPUP, 3, CARD, 6000, 0)
    assert kiosk.journal.last_receipt() is not None
    assert kiosk.journal.kept("cash") is None


@pytest.mark.parametrize("moment", ["cancel", "power"])
async def test_before_enter_the_notes_are_the_customers(moment):
    line = BenchLine(is_open=True)
    kiosk = make(Kiosk, line=line)
    await _insert(kiosk, 1000, 1000)
    if moment == "cancel":
        await press(kiosk, "cancel")
        assert "请取回现金 20.00" in kiosk.display.text
    else:
        kiosk = make(Kiosk, line=line, journal=kiosk.journal)
        assert "20.00" in kiosk.journal.events()[0].detail
    assert records(kiosk) == []


async def test_after_enter_the_top_up_is_repeated_until_it_is_answered():
    line = BenchLine(is_open=True)
    kiosk = make(Kiosk, line=line)
    await _insert(kiosk, 1000)
    line.answer = lambda op: None
    await press(kiosk, "enter")
    assert "处理中" in kiosk.display.text
    again = make(Kiosk, line=line, journal=kiosk.journal)
    line.answer, line.is_open = lambda op: Result.APPROVED, True
    assert await again.teller.deliver()
    assert [(op, seq) for op, seq, *_ in line.sent if op is not Operation.BALANCE] == [(Operation.TOPUP, 2)] * 2
    assert records(again) == [(Operation.TOPUP, 2, 1000, Result.APPROVED)]


async def test_a_power_cut_between_enter_and_the_record_still_tops_up():
    kiosk = make(Kiosk, line=BenchLine(is_open=True))
    await _insert(kiosk, 1000)
    kiosk.journal.keep("cash", {"card_no": CARD, "fen": 1000, "seq": 9})
    again = make(Kiosk, journal=kiosk.journal)
    assert records(again) == [(Operation.TOPUP, 9, 1000, None)]
    assert again.journal.kept("cash") is None


async def test_a_refused_top_up_gives_the_notes_back():
    line = BenchLine(is_open=True)
    kiosk = make(Kiosk, line=line)
    await _insert(kiosk, 1000)
    line.answer = lambda op: Result.LIMIT_BALANCE
    await press(kiosk, "enter")
    assert "请取回现金 10.00" in kiosk.display.text


async def test_off_line_the_kiosk_takes_no_money():
    kiosk = make(Kiosk, line=BenchLine(is_open=True))
    kiosk.show_line(is_open=True, platform_offline=True)
    await _insert(kiosk, 1000)
    assert kiosk.escrow_fen == 0
    assert records(kiosk) == []


# ---- meter


async def test_the_meter_holds_counts_and_takes_the_final_amount():
    line = BenchLine(is_open=True)
    meter = make(Meter, line=line)
    await meter.act(Tap(CARD))
    assert meter.valve_open
    await meter.act(Pulse(100))
    await meter.act(Pulse(33))
    await meter.act(Tap(OTHER))
    assert "使用中" in meter.display.text
    await press(meter, "stop")
    assert not meter.valve_open
    assert await meter.teller.deliver()
    assert line.sent == [(Operation.HOLD, 1, CARD, 1000, 0), (Operation.COMMIT, 2, CARD, 532, 1)]


async def test_a_hold_that_is_used_up_ends_the_session_and_nothing_used_gives_it_back():
    line = BenchLine(is_open=True)
    meter = make(Meter, line=line)
    await meter.act(Tap(CARD))
    await meter.act(Pulse(100_000))
    await meter.act(Tap(CARD))
    await meter.act(Tap(CARD))
    assert await meter.teller.deliver()
    assert [(op, amount, orig) for op, _, _, amount, orig in line.sent] == [
        (Operation.HOLD, 1000, 0), (Operation.HOLD, 1000, 0), (Operation.COMMIT, 1000, 1), (Operation.RELEASE, 0, 3),
    ]  # fmt: skip


async def test_a_refused_or_unanswered_hold_opens_nothing():
    line = BenchLine(is_open=True)
    meter = make(Meter, line=line)
    line.answer = lambda op: Result.INSUFFICIENT_FUNDS
    await meter.act(Tap(CARD))
    assert not meter.valve_open
    line.answer = lambda op: Result.UNAVAILABLE
    await meter.act(Tap(CARD))
    assert not meter.valve_open
    line.answer = lambda op: Result.APPROVED
    assert await meter.teller.deliver()
    assert [op for op, *_ in line.sent] == [Operation.HOLD, Operation.HOLD, Operation.REVERSAL]


async def test_off_line_the_meter_sells_within_its_own_limits_as_an_advice():
    line = BenchLine()
    meter = make(Meter, line=line)
    await meter.act(Tap(CARD))
    await meter.act(Pulse(50))
    await press(meter, "stop")
    line.is_open = True
    assert await meter.teller.deliver()
    assert line.sent == [(Operation.ADVICE, 1, CARD, 200, 0)]


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("pulses", [0, 70])
async def test_a_power_cut_while_it_runs_is_ended_by_what_was_counted(online, pulses):
    line = BenchLine(is_open=online)
    meter = make(Meter, line=line)
    await meter.act(Tap(CARD))
    if pulses:
        await meter.act(Pulse(pulses))
    again = make(Meter, line=line, journal=meter.journal)
    assert not again.valve_open
    line.is_open = True
    line.sent.clear()
    assert await again.teller.deliver()
    final = {
        (True, 0): [(Operation.RELEASE, 2, CARD, 0, 1)],
        (True, 70): [(Operation.COMMIT, 2, CARD, 280, 1)],
        (False, 0): [],
        (False, 70): [(Operation.ADVICE, 1, CARD, 280, 0)],
    }
    assert line.sent == final[online, pulses]
    assert make(Meter, line=line, journal=meter.journal).journal.events()[-1].kind == EventKind.POWER_LOST
    assert [r[3] for r in records(again)].count(None) == 0


async def test_a_power_cut_between_the_final_record_and_the_end_of_the_session_charges_once():
    meter = make(Meter, line=BenchLine(is_open=True))
    await meter.act(Tap(CARD))
    await meter.act(Pulse(70))
    kept = meter.journal.kept("session")
    await press(meter, "stop")
    meter.journal.keep("session", kept)
    again = make(Meter, journal=meter.journal)
    assert [op for op, *_ in records(again)] == [Operation.HOLD, Operation.COMMIT]


@pytest.mark.parametrize("granted", [True, False])
async def test_a_power_cut_while_the_hold_is_asked_for_gives_it_back(granted):
    line = BenchLine(is_open=True)
    meter = make(Meter, line=line)
    session = {"card_no": CARD, "hold_seq": 1, "final_seq": 2, "hold_fen": 1000, "fen_per_unit": 4, "pulses_per_unit": 1}
    meter.journal.keep("session", {**session, "unit": "m³"})
    for _ in range(2):
        meter.journal.next_seq(TERMINAL)
    meter.teller.make(Operation.HOLD, CARD, 1000, seq=1)
    if granted:
        meter.journal.answer([(TERMINAL, 1, int(Result.APPROVED), 0, 0)])
    again = make(Meter, line=line, journal=meter.journal)
    assert await again.teller.deliver()
    assert [(op, seq) for op, seq, *_ in line.sent] == [(Operation.RELEASE, 2) if granted else (Operation.REVERSAL, 1)]


async def test_pulses_with_the_valve_shut_are_told():
    meter = make(Meter)
    await meter.act(Pulse(5))
    assert [kind for kind, _ in events(meter)] == [EventKind.TAMPER]
