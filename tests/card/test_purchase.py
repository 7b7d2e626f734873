"""Purchases with the chip: one debit and one record, wherever card, line or terminal are cut off."""

import random
from dataclasses import fields
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.protocol.proto.records_pb2 import ChipDetails
from onecard.protocol.purse.apdu import Response
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.files import TRIP_BYTES, FileId, TripRecord, sfi
from onecard.terminal.chip import CachedRecord, ChipRefused, InDoubt, PurchaseTerms, purchase
from onecard.terminal.chipcard import CardUnusable, SamSlot, block_card
from onecard.terminal.chipjournal import ChipJournal, ChipRecord, SaleState
from onecard.terminal.reader.errors import CardRemoved, ReaderError
from onecard.terminal.reader.local import LocalReader
from tests.card.flows import NOW, Killed, Terminal
from tests.card.support import CARD_NO, TERMINAL_NO, make_card, make_sam, say


@pytest.fixture
def terminal(tmp_path):
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.journal.close()


def check_one_debit(terminal: Terminal, record: ChipRecord, amount: int = 200) -> None:
    assert terminal.balance == 10_000 - amount
    assert terminal.journal.armed(TERMINAL_NO) == []
    assert [sale.record for sale in terminal.journal.outbox(TERMINAL_NO)] == [record]
    assert not record.gray and record.tac == terminal.tac_of(record)
    assert (record.card_counter, record.balance_before_fen, record.amount_fen) == (0, 10_000, amount)


def test_a_record_has_the_fields_of_the_wire():
    wire = {field.name for field in ChipDetails.DESCRIPTOR.fields} - {"row"}
    assert {field.name for field in fields(ChipRecord)} == wire | {"card_no", "amount_fen", "occurred_at"}


def test_a_purchase_gives_a_record_with_its_tac(terminal):
    record = terminal.purchase()
    check_one_debit(terminal, record)
    assert (record.card_no, record.sam_terminal_no, record.sam_seq) == (CARD_NO, TERMINAL_NO, 1)
    assert (record.transaction_type, record.key_version, record.algorithm, record.occurred_at) == (6, 1, 0, NOW)


def test_a_purchase_with_sm4_keys(tmp_path):
    terminal = Terminal(tmp_path, algorithm=Algorithm.SM4)
    record = terminal.purchase()
    check_one_debit(terminal, record)
    assert record.algorithm == Algorithm.SM4
    terminal.journal.close()


def test_a_sale_repeated_debits_once_also_after_it_was_handed_on(terminal):
    record = terminal.purchase()
    assert terminal.purchase() == record
    terminal.journal.taken(terminal.journal.outbox(TERMINAL_NO))
    assert terminal.purchase() == record
    assert terminal.balance == 9_800
    terminal.journal.trim(TERMINAL_NO, before=NOW + timedelta(seconds=1))
    assert terminal.journal.sale(TERMINAL_NO, 1) is None


def test_too_little_money_debits_nothing_and_leaves_nothing(terminal):
    with pytest.raises(ChipRefused) as refused:
        terminal.purchase(10_001)
    assert refused.value.sw == 0x9401
    assert (terminal.balance, terminal.journal.armed(TERMINAL_NO)) == (10_000, [])


def test_whoever_admits_can_refuse_before_the_debit(terminal):
    def listed(public, balance):
        assert (public.card_no, balance) == (CARD_NO, 10_000)
        raise CardUnusable("黑名单", "listed")

    with pytest.raises(CardUnusable):
        terminal.purchase(terms=PurchaseTerms(admit=listed))
    assert terminal.balance == 10_000


def count_bytes(terminal: Terminal) -> int:
    """Bytes that an undisturbed purchase moves over the card's interface."""
    moved = 0
    inner = terminal.card.transmit

    def counting(command: bytes) -> bytes:
        nonlocal moved
        answer = inner(command)
        moved += len(command) + len(answer)
        return answer

    terminal.card.transmit = counting
    terminal.purchase()
    del terminal.card.transmit
    return moved


def test_a_card_torn_off_at_any_byte_is_debited_once(tmp_path):
    card = make_card()
    blank = card._store.load()
    (tmp_path / "count").mkdir()
    counting = Terminal(tmp_path / "count", card=card)
    total = count_bytes(counting)
    counting.journal.close()
    assert total > 100
    terminal = Terminal(tmp_path, card=card)
    outcomes = set()
    for cut in range(1, total + 1):
        card._store.commit(blank)
        card.power_on()
        card.power_off()
        card.state.directories[1].purses[0].balance = 10_000
        card._store.commit(card.state.image())
        for sale in (*terminal.journal.armed(TERMINAL_NO), *terminal.journal.outbox(TERMINAL_NO)):
            terminal.journal.forget(sale)
        card.mend()
        card.tear_after(cut)
        try:
            record = terminal.purchase()
            outcomes.add("done")
        except InDoubt:
            outcomes.add("in doubt, debited" if terminal.balance < 10_000 else "in doubt, not debited")
            assert len(terminal.journal.armed(TERMINAL_NO)) == 1
            record = terminal.purchase()
        except CardRemoved:
            outcomes.add("not begun")
            assert terminal.balance == 10_000
            record = terminal.purchase()
        check_one_debit(terminal, record)
    assert outcomes == {"done", "in doubt, debited", "in doubt, not debited", "not begun"}
    terminal.journal.close()


@pytest.mark.parametrize("committed", [False, True])
def test_power_lost_around_the_write_of_the_debit(terminal, committed):
    terminal.card.power_on()
    terminal.card.tear_at_write(1, committed=committed)
    with pytest.raises(InDoubt) as doubt:
        terminal.purchase()
    assert doubt.value.card_no == CARD_NO
    assert terminal.balance == (9_800 if committed else 10_000)
    check_one_debit(terminal, terminal.purchase())


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("what", ["apdu", "journal"])
def test_a_terminal_killed_at_every_step_debits_once(tmp_path, side, what):
    for step in range(1, 20):
        folder = tmp_path / str(step)
        folder.mkdir()
        terminal = Terminal(folder)
        cutter = terminal.cut if what == "apdu" else terminal.journal
        cutter.kill_at = (step, side)
        try:
            record = terminal.purchase()
        except Killed:
            terminal.restart()
            record = terminal.purchase()
        check_one_debit(terminal, record)
        ended = cutter.kill_at[0] > cutter.count
        terminal.journal.close()
        if ended:
            assert step > (5 if what == "apdu" else 2)
            return
    pytest.fail("the purchase never ended")


def test_a_killed_terminal_whose_card_never_returns_leaves_a_gray_record(terminal):
    terminal.cut.kill_at = (5, "after")
    with pytest.raises(Killed):
        terminal.purchase()
    assert terminal.balance == 9_800
    terminal.restart()
    assert terminal.journal.give_up(TERMINAL_NO, before=NOW) == []
    (sale,) = terminal.journal.give_up(TERMINAL_NO, before=NOW + timedelta(seconds=1))
    assert sale.record.gray and sale.record.tac == 0 and sale.state is SaleState.GRAY
    assert terminal.journal.outbox(TERMINAL_NO) == [sale]


def test_the_proof_of_another_terminals_purchase_is_not_taken_for_ones_own(terminal, tmp_path):
    """Torn before the debit, then spent elsewhere under the same counter: the first sale did not happen."""
    terminal.card.tear_at_write(1, committed=False)
    with pytest.raises(InDoubt):
        terminal.purchase()
    (tmp_path / "other").mkdir()
    other_sam = make_sam()
    other_sam.state.master.file(FileId.HOLDER).records[0] = "440300000002"
    other_sam._store.commit(other_sam.state.image())
    journal = ChipJournal(tmp_path / "other" / "chip.db", durable=False)
    elsewhere = purchase(
        LocalReader(terminal.card), SamSlot(LocalReader(other_sam)), 200, sale_no=9, journal=journal, clock=terminal.clock
    )
    assert (elsewhere.card_counter, elsewhere.sam_terminal_no) == (0, 0x440300000002)
    journal.close()
    record = terminal.purchase()
    assert (record.card_counter, record.balance_before_fen) == (1, 9_800)
    assert terminal.balance == 9_600
    assert len(terminal.journal.outbox(TERMINAL_NO)) == 1


def test_a_debit_whose_proof_is_gone_becomes_a_gray_record_and_is_not_repeated(terminal, tmp_path):
    """Torn after the debit, then spent elsewhere: the card no longer has the TAC, but its log has the sale."""
    terminal.card.tear_at_write(1, committed=True)
    with pytest.raises(InDoubt):
        terminal.purchase()
    (tmp_path / "other").mkdir()
    other = Terminal(tmp_path / "other", card=terminal.card, balance=9_800)
    other.purchase(100)
    other.journal.close()
    record = terminal.purchase()
    assert record.gray and record.card_counter == 0
    assert terminal.balance == 9_700


def test_a_sale_in_doubt_waits_for_its_own_card(terminal):
    terminal.card.tear_at_write(1, committed=True)
    with pytest.raises(InDoubt):
        terminal.purchase()
    terminal.reader.inner.put(make_card(1000000000000124))
    with pytest.raises(InDoubt) as doubt:
        terminal.purchase()
    assert doubt.value.card_no == CARD_NO
    terminal.reader.inner.put(terminal.card)
    check_one_debit(terminal, terminal.purchase())


def test_a_tap_soon_after_a_lost_one_completes_it_and_a_later_one_begins_anew(terminal):
    terms = PurchaseTerms(retap=timedelta(minutes=10))
    terminal.card.tear_at_write(1, committed=True)
    with pytest.raises(InDoubt):
        terminal.purchase(sale_no=1, terms=terms)
    terminal.clock.advance(timedelta(minutes=1))
    check_one_debit(terminal, terminal.purchase(sale_no=2, terms=terms))
    second = terminal.purchase(sale_no=3, terms=terms)
    assert (second.card_counter, terminal.balance) == (1, 9_600)
    assert [sale.sale_no for sale in terminal.journal.outbox(TERMINAL_NO)] == [1, 3]


def test_a_composite_purchase_writes_its_record_with_the_debit_or_not_at_all(terminal):
    def trip(balance: int) -> bytes:
        return bytes(
            TripRecord.single(TERMINAL_NO, amount_fen=200, balance_fen=balance, at=NOW, city=b"\x44\x03", acquirer=bytes(8))
        )

    terms = PurchaseTerms(cached=(CachedRecord(sfi(FileId.TRIPS), trip), CachedRecord(0x19, lambda _: b"\x02" + bytes(127), 2)))
    terminal.card.tear_at_write(1, committed=False)
    with pytest.raises(InDoubt):
        terminal.purchase(terms=terms)
    assert trips(terminal) == []
    record = terminal.purchase(terms=terms)
    check_one_debit(terminal, record)
    assert record.transaction_type == 9
    (written,) = trips(terminal)
    assert (len(bytes(written)), written.balance_fen) == (TRIP_BYTES, 9_800)


def trips(terminal: Terminal) -> list[TripRecord]:
    reader = LocalReader(terminal.card)
    reader.connect()
    say(reader, "00A40000023F01")
    answers = [Response.parse(bytes.fromhex(say(reader, f"00B2{number:02X}F430"))) for number in (1, 2)]
    return [TripRecord.parse(answer.data) for answer in answers if answer.is_ok]


def test_a_listed_card_is_blocked_by_the_sam(terminal):
    block_card(terminal.reader, terminal.sam)
    with pytest.raises(ChipRefused) as refused:
        terminal.purchase()
    assert refused.value.sw == 0x6A81


def test_a_sam_that_fails_after_the_debit_loses_nothing(terminal):
    def gone(_seq, _mac2):
        raise ReaderError("", "the SAM is gone")

    terminal.sam.mac2_fits = gone
    check_one_debit(terminal, terminal.purchase())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_money_on_the_card_and_records_known_is_constant(tmp_path_factory, seed):
    """Sales, tears and kills in any order: what left the card is in records, one each, with its TAC."""
    chance = random.Random(seed)
    terminal = Terminal(tmp_path_factory.mktemp("flow"))
    for sale_no in range(1, 8):
        for _ in range(6):
            if chance.random() < 0.6:
                terminal.card.tear_after(chance.randrange(1, 250))
            elif chance.random() < 0.5:
                terminal.cut.kill_at = (terminal.cut.count + chance.randrange(1, 8), chance.choice(["before", "after"]))
            try:
                terminal.purchase(chance.randrange(1, 300) if sale_no % 2 else 0, sale_no=sale_no)
                break
            except (InDoubt, CardRemoved):
                pass
            except Killed:
                terminal.restart()
            terminal.card.mend()
            terminal.cut.kill_at = None
    terminal.card.mend()
    terminal.cut.kill_at = None
    terminal.purchase(1, sale_no=99)
    records = [sale.record for sale in terminal.journal.outbox(TERMINAL_NO)]
    assert terminal.journal.armed(TERMINAL_NO) == []
    assert 10_000 - terminal.balance == sum(record.amount_fen for record in records)
    assert all(not record.gray and record.tac == terminal.tac_of(record) for record in records)
    assert sorted(record.card_counter for record in records) == list(range(len(records)))
    terminal.journal.close()
