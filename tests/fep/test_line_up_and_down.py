"""Line up: the platform decides. Line down: the front-end does, and brings up what it kept, in order and once (G3)."""

import asyncio

from onecard.kernel.codes import Operation, Result
from tests.fep.unit import CARD, DENIED, ask, recall_terminals
from tests.gateway.harness import until

A, P, R, H, C = Operation.ADVICE, Operation.PURCHASE, Operation.REVERSAL, Operation.HOLD, Operation.COMMIT


async def _up(unit):
    await until(lambda: unit.fep.line.is_up)


async def _drained(unit):
    await until(lambda: not unit.fep.intake.waiting, 10)


def _posted(unit):
    return [(row["op"], row["terminal_id"], row["terminal_seq"], row["amount_fen"]) for row in unit.house.app.records]


async def test_with_the_line_up_the_platform_decides_and_nothing_is_kept(unit):
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    terminal = unit.terminal()
    assert await ask(terminal, P, 1) == Result.APPROVED
    assert _posted(unit) == [(P, 71, 1, 500)]
    assert unit.fep.intake.waiting == {}


async def test_a_purchase_made_off_line_goes_up_as_an_advice_under_its_own_number(unit):
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    terminal = unit.terminal()
    await ask(terminal, P, 1)
    port = unit.house.port("native")
    await unit.house.gateway.stop()
    await until(lambda: not unit.fep.line.is_up)
    assert await ask(terminal, P, 2) == Result.APPROVED
    assert await ask(terminal, P, 3, card=DENIED) == Result.CARD_DENIED
    assert await ask(terminal, P, 4, 5001) == Result.LIMIT_TRANSACTION
    assert unit.fep.intake.waiting == {71: 1}
    await _reopen(unit, port)
    await _drained(unit)
    assert _posted(unit)[1:] == [(A, 71, 2, 500)]


async def _reopen(unit, port):
    """The same gateway's address again."""
    from onecard.gateway.drivers.iso8583.driver import IsoDriver
    from onecard.gateway.drivers.native.driver import NativeDriver
    from onecard.gateway.gateway import Gateway

    house = unit.house
    house.gateway = Gateway(house.gateway.settings, {NativeDriver(): port, IsoDriver(): 0}, clock=house.clock)
    await house.gateway.start()


async def test_a_platform_that_does_not_answer_is_not_waited_for_longer_than_the_rules_say(unit):
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    unit.house.app.gate.clear()
    terminal = unit.terminal()
    began = asyncio.get_running_loop().time()
    assert await ask(terminal, P, 1) == Result.APPROVED
    assert 0.95 < asyncio.get_running_loop().time() - began < 4
    unit.house.app.gate.set()
    await _drained(unit)
    assert _posted(unit) == [(P, 71, 1, 500), (A, 71, 1, 500)]


async def test_what_may_have_been_posted_is_not_refused(unit):
    """The terminal gets UNAVAILABLE and reverses; a plain refusal would leave the customer charged."""
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    unit.house.app.gate.clear()
    terminal = unit.terminal()
    assert await ask(terminal, P, 1, card=DENIED) == Result.UNAVAILABLE
    unit.house.app.gate.set()
    assert await ask(terminal, R, 1, card=DENIED) == Result.APPROVED


async def test_after_a_restart_a_number_that_may_have_been_passed_on_is_not_refused(unit):
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    terminal = unit.terminal()
    assert await ask(terminal, P, 1, card=DENIED) == Result.APPROVED  # the platform's own decision, its answer lost on the way
    await terminal.close()
    await unit.restart(port=1)
    terminal = unit.terminal()
    assert await ask(terminal, P, 1, card=DENIED) == Result.UNAVAILABLE
    assert await ask(terminal, P, 2, card=DENIED) == Result.CARD_DENIED


async def test_a_repeat_gets_its_first_answer_and_other_content_is_a_conflict(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    terminal = unit.terminal()
    assert await ask(terminal, P, 1) == Result.APPROVED
    assert await ask(terminal, P, 1) == Result.APPROVED
    assert await ask(terminal, P, 1, 600) == Result.KEY_CONFLICT
    assert unit.fep.intake.waiting == {71: 1}
    await unit.restart(port=1)
    assert await ask(unit.terminal(), P, 1) == Result.APPROVED
    assert unit.fep.intake.waiting == {71: 1}


async def test_a_hold_given_off_line_comes_up_as_its_final_amount(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    terminal = unit.terminal()
    assert await ask(terminal, H, 1, 1000) == Result.APPROVED
    assert await ask(terminal, C, 2, 1001, orig=1) == Result.AMOUNT_INVALID
    assert await ask(terminal, C, 3, 300, orig=1) == Result.APPROVED
    assert await ask(terminal, C, 4, 300, orig=1) == Result.HOLD_CLOSED
    queued = await unit.fep.journal.run(lambda db: db.execute("SELECT op, terminal_seq, amount_fen FROM record").fetchall())
    assert queued == [(A, 3, 300)]


async def test_facts_are_taken_off_line_and_questions_only_the_platform_can_answer_are_not(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    terminal = unit.terminal()
    assert await ask(terminal, A, 1) == Result.APPROVED
    assert await ask(terminal, R, 1) == Result.APPROVED
    assert await ask(terminal, P, 1) == Result.REVERSED
    for seq, op in enumerate((Operation.TOPUP, Operation.VOID, Operation.REFUND, Operation.BALANCE), start=10):
        assert await ask(terminal, op, seq, orig=1) == Result.UNAVAILABLE
    assert unit.fep.intake.waiting == {71: 2}


async def test_later_facts_queue_behind_those_that_wait(unit):
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    unit.house.app.gate.clear()
    terminal = unit.terminal()
    assert await ask(terminal, P, 1) == Result.APPROVED
    assert await ask(terminal, R, 1) == Result.APPROVED
    assert unit.fep.intake.waiting == {71: 2}
    unit.house.app.gate.set()
    await _drained(unit)
    assert [row for row in _posted(unit) if row[0] != P] == [(A, 71, 1, 500), (R, 71, 1, 500)]


async def test_a_day_of_records_goes_up_in_order_in_batches(unit):
    await unit.start(port=1)
    unit.fep.lan.take(recall_terminals(unit))
    terminals = [unit.terminal(71), unit.terminal(72)]
    from onecard.protocol.proto.records_pb2 import Records
    from tests.fep.unit import record

    for start in range(1, 1201, 300):
        for terminal, number in zip(terminals, (71, 72), strict=True):
            batch = Records()
            for seq in range(start, start + 300):
                batch.MergeFrom(record(A, seq, 1, card=CARD, terminal=number))
            assert set((await terminal.submit(batch)).code) == {Result.APPROVED}
    await unit.start_gateway()
    port = unit.house.port("native")
    await unit.restart(port=port)
    await _drained(unit)
    for number in (71, 72):
        assert [seq for _, terminal, seq, _ in _posted(unit) if terminal == number] == list(range(1, 1201))
    assert len(unit.house.app.batches) <= 6


async def test_terminals_are_told_that_the_front_end_is_off_line(unit):
    await unit.start_gateway()
    await unit.start()
    await _up(unit)
    await ask(unit.terminal(), P, 1)
    await unit.house.gateway.stop()
    await until(lambda: unit.states and unit.states[-1].offline)
