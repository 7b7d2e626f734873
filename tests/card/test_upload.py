"""From the chip's journal to the platform: handed over once, loads asked for over a line that may fail."""

import asyncio

import pytest

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer
from onecard.terminal.chip import load
from onecard.terminal.chipjournal import LoadReport, LoadRequest, LoadState
from onecard.terminal.chipupload import NativeLoadHost, hand_over
from onecard.terminal.errors import LineDown
from onecard.terminal.journal import Journal, State
from tests.card.flows import NOW, Terminal
from tests.card.support import CARD_NO, TERMINAL_NO

TERMINAL_ID = 42


@pytest.fixture
def terminal(tmp_path):
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.journal.close()


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_a_sale_goes_into_the_terminals_journal_once(terminal, journal):
    number = journal.next_seq(TERMINAL_ID)
    record = terminal.purchase(sale_no=number)
    sales = terminal.journal.outbox(TERMINAL_NO)
    (stored,) = hand_over(terminal.journal, journal, terminal_id=TERMINAL_ID, terminal_no=TERMINAL_NO)
    assert journal.waiting(TERMINAL_ID, State.OPEN) == [stored]
    assert (stored.op, stored.card_no, stored.amount_fen, stored.terminal_seq) == (Operation.CHIP_PURCHASE, CARD_NO, 200, number)
    assert stored.occurred_at_us == to_epoch_us(NOW)
    assert stored.chip and (stored.chip.tac, stored.chip.sam_seq, stored.chip.gray) == (record.tac, record.sam_seq, False)
    assert terminal.journal.outbox(TERMINAL_NO) == []
    terminal.journal.finish(sales[0], sales[0].state, tac=record.tac)  # killed between the two journals: still in the outbox
    assert hand_over(terminal.journal, journal, terminal_id=TERMINAL_ID, terminal_no=TERMINAL_NO) == []
    assert terminal.journal.outbox(TERMINAL_NO) == []


class FakeLine:
    """A native line whose platform is the FakeHost; the first `silent` questions get no answer."""

    def __init__(self, terminal: Terminal, *, silent: int = 0, code: int = Result.APPROVED) -> None:
        self.terminal = terminal
        self.silent = silent
        self.code = code
        self.asked: list[ChipLoad] = []

    async def load_chip(self, message: ChipLoad) -> ChipLoadAnswer:
        self.asked.append(message)
        if len(self.asked) <= self.silent:
            raise LineDown("断线", "down")
        if self.code != Result.APPROVED:
            return ChipLoadAnswer(code=self.code)
        request = LoadRequest(
            message.terminal_seq, message.card_no, message.amount_fen, NOW, message.transaction_type, message.sam_terminal_no,
            message.old_balance_fen, message.online_counter, message.key_version, message.algorithm, message.random, message.mac1,
        )  # fmt: skip
        if message.step == ChipLoad.REQUEST:
            grant = self.terminal.host.request(request)
            assert grant
            return ChipLoadAnswer(
                code=Result.APPROVED, mac2=int.from_bytes(grant.mac2, "big"), host_time_us=to_epoch_us(grant.host_time)
            )
        state = LoadState.WRITTEN if message.step == ChipLoad.CONFIRM else LoadState.NOT_WRITTEN
        self.terminal.host.report(LoadReport(request, state, message.tac))
        return ChipLoadAnswer(code=Result.APPROVED)


async def do_load(terminal: Terminal, line: FakeLine) -> LoadReport | None:
    host = NativeLoadHost(line, asyncio.get_running_loop(), terminal_id=TERMINAL_ID)
    return await asyncio.to_thread(
        load,
        terminal.reader,
        5_000,
        load_no=7,
        terminal_no=TERMINAL_NO,
        journal=terminal.journal,
        host=host,
        clock=terminal.clock,
    )


async def test_a_load_over_a_line_that_fails_at_first_is_done_once(terminal):
    line = FakeLine(terminal, silent=2)
    report = await do_load(terminal, line)
    assert report and report.state is LoadState.WRITTEN
    assert terminal.balance == 15_000 and terminal.host.confirmed == {7}
    assert [message.step for message in line.asked] == [ChipLoad.REQUEST] * 3 + [ChipLoad.CONFIRM]
    assert {(message.terminal_id, message.terminal_seq) for message in line.asked} == {(TERMINAL_ID, 7)}


async def test_a_load_whose_line_stays_down_is_told_as_not_written_later(terminal):
    with pytest.raises(LineDown):
        await do_load(terminal, FakeLine(terminal, silent=3))
    line = FakeLine(terminal)
    report = await do_load(terminal, line)
    assert report and report.state is LoadState.NOT_WRITTEN
    assert [message.step for message in line.asked] == [ChipLoad.NOT_WRITTEN]
    assert terminal.balance == 10_000


async def test_a_refused_load_is_over_and_a_busy_platform_is_not_an_answer(terminal):
    assert await do_load(terminal, FakeLine(terminal, code=Result.LIMIT_BALANCE)) is None
    with pytest.raises(LineDown):
        await do_load(terminal, FakeLine(terminal, code=Result.BUSY))
