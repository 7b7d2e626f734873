"""The POS at its keypad: what it charges, what it prints, and what it does when no answer comes."""

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.protocol.cardset import build_card_set
from onecard.terminal.journal import State
from onecard.terminal.kinds.parts import Cash, Printer, Tap
from onecard.terminal.kinds.pos import Pos
from tests.kinds.bench import OFFLINE, TERMINAL, BenchLine, card, make, parameters, press, sell

CARD = card(1)


def sales(pos: Pos) -> list[tuple[int, int, int | None]]:
    return [(r.op, r.amount_fen, r.code) for r in pos.journal.records(TERMINAL)]


@pytest.mark.parametrize(
    ("keys", "fen"),
    [
        (("1250", "enter"), 1250),
        (("12", "clear", "5", "enter"), 5),
        (("fixed",), 250),
        (("menu", "1", "enter", "2", "enter", "1", "enter", "enter"), 1080),
        (("count", "3", "enter"), 450),
    ],
)
async def test_each_way_to_an_amount_charges_it_on_the_next_card(keys, fen):
    line = BenchLine(is_open=True)
    pos = make(Pos, line=line)
    await press(pos, *keys)
    await pos.act(Tap(CARD))
    assert line.sent == [(Operation.PURCHASE, 1, CARD, fen, 0)]
    assert "成功" in pos.display.text


async def test_a_fixed_price_waits_for_the_next_card_until_it_is_cancelled():
    pos = make(Pos, line=BenchLine(is_open=True))
    await press(pos, "fixed")
    for serial in (1, 2, 3):
        await pos.act(Tap(card(serial)))
    await press(pos, "cancel")
    await pos.act(Tap(card(4)))
    assert [fen for _, fen, _ in sales(pos)] == [250] * 3


@pytest.mark.parametrize("keys", [("0", "enter"), ("enter",), ("menu", "9", "enter", "enter"), ("count", "enter")])
async def test_no_amount_no_sale(keys):
    pos = make(Pos, line=BenchLine(is_open=True))
    await press(pos, *keys)
    await pos.act(Tap(CARD))
    assert sales(pos) == []


async def test_a_card_that_leaves_too_early_is_not_charged_and_may_come_back():
    pos = make(Pos, line=BenchLine(is_open=True))
    await press(pos, "500", "enter")
    await pos.act(Tap(CARD, torn=True))
    assert "重新刷卡" in pos.display.text
    assert sales(pos) == []
    await pos.act(Tap(CARD))
    assert sales(pos) == [(Operation.PURCHASE, 500, Result.APPROVED)]


async def test_the_receipt_carries_the_records_key_and_can_be_printed_again(tmp_path):
    pos = make(Pos, line=BenchLine(is_open=True), printer=Printer(tmp_path / "roll.txt"))
    await sell(pos, "1250", CARD)
    await press(pos, "last")
    roll = (tmp_path / "roll.txt").read_text("utf-8")
    assert roll.count(f"凭证 {TERMINAL}/1 ") == 2
    assert roll.count("重印") == 1
    assert str(CARD) not in roll


async def test_an_answer_that_does_not_come_is_reversed_before_anything_else():
    line = BenchLine(is_open=True)
    pos = make(Pos, line=line)
    line.answer = lambda op: Result.UNAVAILABLE if op is Operation.PURCHASE else Result.REVERSED
    await sell(pos, "100", CARD)
    assert "冲正" in pos.display.text
    assert pos.journal.last_receipt() is None
    line.answer = lambda op: Result.APPROVED
    await sell(pos, "200", CARD)
    assert [(op, seq) for op, seq, *_ in line.sent] == [
        (Operation.PURCHASE, 1), (Operation.REVERSAL, 1), (Operation.PURCHASE, 2),
    ]  # fmt: skip
    assert [code for *_, code in sales(pos)] == [Result.REVERSED, Result.APPROVED]


async def test_a_reversal_that_is_not_taken_keeps_later_sales_off_the_line_and_goes_up_first():
    line = BenchLine(is_open=True)
    pos = make(Pos, line=line)
    line.answer = lambda op: None
    await sell(pos, "100", CARD)
    await sell(pos, "200", CARD)
    assert "成功" in pos.display.text  # by its own limits
    line.answer, line.is_open = lambda op: Result.APPROVED, True
    line.sent.clear()
    assert await pos.teller.deliver()
    assert [(op, seq) for op, seq, *_ in line.sent] == [(Operation.REVERSAL, 1), (Operation.ADVICE, 2)]
    assert line.backlog == 0


@pytest.mark.parametrize(
    ("setup", "amount", "says"),
    [
        ({"offline_limits": False}, "100", "系统不可用"),
        ({"offline_per_transaction_fen": 99}, "100", "单笔限额"),
        ({"offline_per_card_day_fen": 199}, "100", "当日限额"),
        ({"offline_per_card_day_count": 1}, "100", "当日限额"),
        ({"offline_total_fen": 199}, "100", "当日限额"),
        ({"amount_max_fen": 99}, "100", "超过本机限额 0.99"),
    ],
)
async def test_off_line_it_sells_within_its_limits_only(setup, amount, says):
    pos = make(Pos)
    await sell(pos, amount, CARD)
    pos.data.take("parameters", parameters(OFFLINE | setup, version=2), version=2)
    await press(pos, amount, "enter")
    if "本机限额" not in says:
        await pos.act(Tap(CARD))
    assert says in pos.display.text
    assert [fen for _, fen, _ in sales(pos)] == [100]


async def test_a_listed_card_is_refused_off_line():
    pos = make(Pos)
    pos.data.take("deny", build_card_set([CARD], version=1), version=1)
    await sell(pos, "1", CARD)
    assert "黑名单卡" in pos.display.text
    await sell(pos, "1", card(2))
    assert "成功" in pos.display.text


async def test_void_and_refund_name_the_sale_and_only_this_terminals_sales_can_be_undone():
    line = BenchLine(is_open=True)
    pos = make(Pos, line=line)
    await sell(pos, "500", CARD)
    await sell(pos, "700", CARD)
    await press(pos, "void", "1", "enter")
    await press(pos, "refund", "2", "enter", "300", "enter")
    await press(pos, "void", "99", "enter")
    assert "本机无此消费" in pos.display.text
    await press(pos, "refund", "2", "enter", "701", "enter")
    assert "金额无效" in pos.display.text
    assert line.sent[2:] == [(Operation.VOID, 3, CARD, 500, 1), (Operation.REFUND, 4, CARD, 300, 2)]


async def test_a_sale_made_off_line_goes_up_before_it_is_undone():
    line = BenchLine()
    pos = make(Pos, line=line)
    await sell(pos, "500", CARD)
    line.is_open = True
    await press(pos, "void", "1", "enter")
    assert [(op, seq) for op, seq, *_ in line.sent] == [(Operation.ADVICE, 1), (Operation.VOID, 2)]


async def test_undoing_needs_the_line():
    pos = make(Pos)
    await sell(pos, "500", CARD)
    await press(pos, "void", "1", "enter")
    assert "系统不可用" in pos.display.text
    assert len(sales(pos)) == 1


async def test_after_a_power_cut_the_sequence_goes_on_and_what_was_asked_is_reversed():
    line = BenchLine(is_open=True)
    pos = make(Pos, line=line)
    await sell(pos, "100", CARD)
    pos.teller.make(Operation.PURCHASE, CARD, 200)  # sent, and the power fails here
    again = make(Pos, line=line, journal=pos.journal)
    assert pos.journal.find(TERMINAL, 2).state is not State.CLOSED
    await sell(again, "300", CARD)
    assert [(op, seq) for op, seq, *_ in line.sent] == [
        (Operation.PURCHASE, 1), (Operation.REVERSAL, 2), (Operation.PURCHASE, 3),
    ]  # fmt: skip
    assert [event.detail for event in again.journal.events()] == ["PURCHASE 2"]


async def test_a_receipt_that_the_power_cut_kept_back_is_printed_at_the_next_start(tmp_path):
    pos = make(Pos)
    pos.teller.pay_offline(CARD, 700)  # stored; the power fails before the receipt
    printer = Printer(tmp_path / "roll.txt")
    make(Pos, journal=pos.journal, printer=printer)
    assert "补打" in printer.last
    assert f"{TERMINAL}/1" in printer.last
    printer.last = ""
    make(Pos, journal=pos.journal, printer=printer)
    assert printer.last == ""


async def test_notes_are_no_business_of_a_pos():
    pos = make(Pos)
    await pos.act(Cash(100))
    assert "请取回纸币" in pos.display.text


async def test_what_is_long_settled_is_forgotten_and_what_is_owed_never(monkeypatch):
    monkeypatch.setattr("onecard.terminal.kinds.teller._KEPT", 3)
    line = BenchLine()
    pos = make(Pos, line=line)
    for serial in range(1, 9):
        await sell(pos, "100", card(serial))
    assert len(sales(pos)) == 8
    line.is_open = True
    assert await pos.teller.deliver()
    assert [record.terminal_seq for record in pos.journal.records(TERMINAL)] == [5, 6, 7, 8]
    assert pos.journal.receipt(4) is None
    assert pos.journal.receipt(5) is not None
