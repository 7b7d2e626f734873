"""Loads of the chip: what left the account is on the card or given back, wherever card, line or terminal are cut off."""

import pytest

from onecard.protocol.purse.ciphers import Algorithm
from onecard.terminal.chip import InDoubt, load
from onecard.terminal.chipjournal import LoadReport, LoadState
from onecard.terminal.chipload import report_settled
from onecard.terminal.reader.errors import CardRemoved
from tests.card.flows import FakeHost, Killed, Terminal
from tests.card.support import CARD_NO, TERMINAL_NO, make_card


def do_load(terminal: Terminal, load_no: int = 1, amount: int = 5_000) -> LoadReport | None:
    return load(
        terminal.reader, amount, load_no=load_no, terminal_no=TERMINAL_NO, journal=terminal.journal, host=terminal.host,
        clock=terminal.clock,
    )  # fmt: skip


@pytest.fixture
def terminal(tmp_path):
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.journal.close()


def check_settled(terminal: Terminal) -> None:
    """The card has what the account lost; nothing is open."""
    assert terminal.balance - 10_000 == terminal.host.net_fen
    assert terminal.journal.open_loads(TERMINAL_NO, CARD_NO) == []
    assert terminal.journal.load_reports(TERMINAL_NO) == []
    assert terminal.journal.unproven_loads(TERMINAL_NO) == []


def test_a_load_is_written_and_confirmed_with_its_tac(terminal):
    report = do_load(terminal)
    assert report and report.state is LoadState.WRITTEN
    assert (terminal.balance, terminal.host.confirmed) == (15_000, {1})
    check_settled(terminal)


def test_a_load_with_sm4_keys(tmp_path):
    terminal = Terminal(tmp_path, algorithm=Algorithm.SM4)
    do_load(terminal)
    check_settled(terminal)
    assert terminal.balance == 15_000
    terminal.journal.close()


def test_a_load_refused_by_the_platform_leaves_nothing(terminal):
    terminal.host.refuse = True
    assert do_load(terminal) is None
    check_settled(terminal)
    assert terminal.balance == 10_000


def test_a_card_torn_off_at_any_byte_of_a_load_keeps_the_sum(tmp_path):
    card = make_card()
    image = card._store.load()
    terminal = Terminal(tmp_path, card=card)
    ended, cut = False, 0
    states = set()
    while not ended:
        cut += 1
        card._store.commit(image)
        card.power_on()
        card.power_off()
        card.state.directories[1].purses[0].balance = 10_000
        card._store.commit(card.state.image())
        terminal.host = FakeHost(terminal.keys)
        card.tear_after(cut)
        try:
            do_load(terminal, cut)
            ended = card._bytes_left is None and cut > 150 and not terminal.host.undone
        except (InDoubt, CardRemoved):
            report = do_load(terminal, cut)
            states.add(report and report.state)
            if report and report.state is LoadState.NOT_WRITTEN:
                assert terminal.balance == 10_000
        check_settled(terminal)
        assert cut < 400
    assert states == {LoadState.WRITTEN, LoadState.NOT_WRITTEN}
    terminal.journal.close()


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("what", ["apdu", "journal"])
def test_a_terminal_killed_at_every_step_of_a_load_keeps_the_sum(tmp_path, side, what):
    for step in range(1, 20):
        folder = tmp_path / str(step)
        folder.mkdir()
        terminal = Terminal(folder)
        cutter = terminal.cut if what == "apdu" else terminal.journal
        cutter.kill_at = (step, side)
        try:
            do_load(terminal)
        except Killed:
            terminal.restart()
            report_settled(terminal.journal, TERMINAL_NO, terminal.host)
            do_load(terminal, 2)
        check_settled(terminal)
        ended = cutter.kill_at[0] > cutter.count
        terminal.journal.close()
        if ended:
            assert step > 3
            return
    pytest.fail("the load never ended")


@pytest.mark.parametrize("cut", ["before request", "after request", "report"])
def test_a_line_lost_at_the_platform_keeps_the_sum(terminal, cut):
    terminal.host.cut = cut
    with pytest.raises(Killed):
        do_load(terminal)
    terminal.restart()
    terminal.host.cut = ""
    report = do_load(terminal)
    if cut == "report":
        assert terminal.host.confirmed == {1}
    else:
        assert report and report.state is LoadState.NOT_WRITTEN
    check_settled(terminal)


def test_a_load_settled_earlier_is_reported_before_the_next_is_asked_for(terminal):
    terminal.card.tear_at_write(1, committed=True)
    with pytest.raises(InDoubt):
        do_load(terminal)
    assert terminal.balance == 15_000
    do_load(terminal, 2, 1_000)
    assert terminal.host.confirmed == {1, 2}
    assert terminal.balance == 16_000
    check_settled(terminal)


def test_a_load_whose_proof_is_gone_waits_for_a_person(terminal, tmp_path):
    terminal.card.tear_at_write(1, committed=True)
    with pytest.raises(InDoubt):
        do_load(terminal)
    (tmp_path / "other").mkdir()
    other = Terminal(tmp_path / "other", card=terminal.card, balance=15_000)
    other.host = FakeHost(other.keys)
    do_load(other, 1, 100)
    other.journal.close()
    report = do_load(terminal)
    assert report and report.state is LoadState.UNPROVEN
    assert [entry.request.load_no for entry in terminal.journal.unproven_loads(TERMINAL_NO)] == [1]
    assert (terminal.host.taken, terminal.host.unproven) == ({1: 5_000}, {1})
    assert report.request.online_counter == 2
