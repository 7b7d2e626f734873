"""The virtual card on the real PC/SC stack: pcscd, vsmartcard-vpcd and pyscard, in namespaces of their own."""

import importlib.util
import os
import sys

import pytest

from onecard.protocol.purse.apdu import Response
from onecard.protocol.purse.perso import personalise
from onecard.terminal.card.virtual import GET_UID, Medium, UidCard, VirtualCard
from onecard.terminal.chip import InDoubt, SamSlot, load
from onecard.terminal.chipjournal import LoadState
from onecard.terminal.reader.base import exchange, wait_for_card
from onecard.terminal.reader.errors import CardRemoved, ReaderGone, ReaderMissing
from onecard.terminal.reader.pcsc import PcscReader, list_readers
from onecard.terminal.reader.pcscd import PrivatePcscd, find_pcscd
from onecard.terminal.reader.vpcd import VpcdCard
from tests.card.flows import Terminal
from tests.card.support import TERMINAL_NO, TRANSPORT, card_keys, card_plan, make_sam, run

SEEN_S = 10.0


def _missing() -> str | None:
    if importlib.util.find_spec("smartcard") is None:
        return "pyscard is not installed (scripts/install-reader)"
    try:
        find_pcscd()
    except ReaderMissing as missing:
        return missing.en
    return None


@pytest.fixture(scope="module")
def pcscd():
    missing = _missing()
    if missing is None:
        with PrivatePcscd() as running:
            yield running
    elif os.environ.get("ONECARD_TEST_ALL"):
        pytest.fail(missing)
    else:
        pytest.skip(missing)


@pytest.fixture
def reader(pcscd):
    reader = PcscReader("Virtual PCD 00 00")
    yield reader
    reader.disconnect()


def test_personalisation_load_and_purchase_through_pcscd_vpcd_and_pyscard(pcscd, reader, tmp_path):
    card = VirtualCard.in_memory(transport_key=TRANSPORT)
    sam_reader = PcscReader("Virtual PCD 00 01")
    with pcscd.insert(card), pcscd.insert(make_sam(), slot=1):
        assert wait_for_card(reader, seconds=SEEN_S) == bytes.fromhex(card.state.atr)
        keys = card_keys()
        run(reader, personalise(card_plan(keys), keys))
        terminal = Terminal(tmp_path, card=card, balance=0)
        wait_for_card(sam_reader, seconds=SEEN_S)
        terminal.reader, terminal.sam = reader, SamSlot(sam_reader)
        report = load(
            reader, 5_000, load_no=1, terminal_no=TERMINAL_NO, journal=terminal.journal, host=terminal.host, clock=terminal.clock
        )
        assert report and report.state is LoadState.WRITTEN and terminal.host.confirmed == {1}
        record = terminal.purchase(1_200)
        assert (record.tac, record.balance_before_fen) == (terminal.tac_of(record), 5_000)
        terminal.sam.close()
        terminal.journal.close()
    assert card.state.directories[1].purses[0].balance == 3_800


def test_a_card_torn_off_in_the_debit_is_settled_when_it_is_laid_on_again(pcscd, reader, tmp_path):
    terminal = Terminal(tmp_path)
    terminal.reader = reader
    with pcscd.insert(terminal.card):
        wait_for_card(reader, seconds=SEEN_S)
        terminal.card.tear_at_write(1, committed=True)
        with pytest.raises(InDoubt):
            terminal.purchase()
    with pcscd.insert(terminal.card):
        wait_for_card(reader, seconds=SEEN_S)
        record = terminal.purchase()
        assert record.tac == terminal.tac_of(record)
    assert terminal.balance == 9_800
    terminal.journal.close()


@pytest.mark.parametrize("medium", [Medium.SIM, None])
def test_a_sim_and_a_uid_only_card_show_their_own_atr(pcscd, reader, medium):
    card = VirtualCard.in_memory(transport_key=TRANSPORT, medium=medium) if medium else UidCard(b"\x01\x02\x03\x04")
    with pcscd.insert(card):
        atr = wait_for_card(reader, seconds=SEEN_S)
        answer = Response.parse(reader.transmit(GET_UID))
        assert atr == (UidCard.ATR if not medium else bytes.fromhex(card.state.atr))
        assert (answer.data, answer.is_ok) == ((b"", False) if medium else (b"\x01\x02\x03\x04", True))
    with pytest.raises(CardRemoved):
        exchange(reader, card_plan(card_keys()).steps[1].action.command)


def test_readers_are_found_by_name(pcscd):
    assert list_readers() == ["Virtual PCD 00 00", "Virtual PCD 00 01"]
    with pytest.raises(ReaderGone):
        PcscReader("No such reader")


def test_without_pyscard_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "smartcard.System", None)
    with pytest.raises(ReaderMissing, match="install-reader"):
        list_readers()


def test_without_a_driver_the_card_says_so():
    with pytest.raises(ReaderGone):
        VpcdCard(UidCard(b"\x01\x02\x03\x04"), port=1)
