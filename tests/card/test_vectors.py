"""The card and the SAM answer the vectors' APDUs bit for bit. All with a TAC are derived (our reading of the rules)."""

from typing import Any

import pytest

from onecard.protocol.purse.apdu import Command, Response
from onecard.protocol.purse.commands import parse_balance
from onecard.protocol.purse.files import LogRecord, TripRecord
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.local import LocalReader
from onecard.terminal.sam.virtual import VirtualSam
from tests.card.support import load_vectors, make_card, make_sam, say


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    return load_vectors()


def card_with(card: VirtualCard, *, balance: str, random: str, offline: str = "0000", online: str = "0000") -> LocalReader:
    purse = card.state.directories[1].purses[0]
    purse.balance, purse.offline_counter, purse.online_counter = (int(text, 16) for text in (balance, offline, online))
    card._store.commit(card.state.image())
    card.random = lambda size: bytes.fromhex(random)[:size]
    reader = LocalReader(card)
    reader.connect()
    assert say(reader, "00A4040009A00000000386980701").endswith("9000")
    return reader


def sam_at(seq: str) -> tuple[VirtualSam, LocalReader]:
    sam = make_sam()
    sam.state.transaction_seq = int(seq, 16) - 1
    sam._store.commit(sam.state.image())
    reader = LocalReader(sam)
    reader.connect()
    assert say(reader, "00A4000002DF01").endswith("9000")
    return sam, reader


def test_derived_purchase_on_card_and_sam_is_the_vectors_bit_for_bit(vectors):
    given, expected = vectors["purchase-ep"]["input"], vectors["purchase-ep"]["expected"]
    card = card_with(make_card(), balance=given["balance"], random=given["rand"], offline=given["offline_seq"])
    _, sam = sam_at(given["terminal_seq"])
    assert say(card, expected["apdu_init"]) == expected["resp_init"]
    assert say(sam, expected["sam_init"]) == expected["sam_init_resp"]
    assert say(card, expected["apdu_debit"]) == expected["resp_debit"]
    assert say(sam, expected["sam_credit"]) == "9000"
    assert say(card, expected["apdu_get_proof"]) == expected["resp_get_proof"]
    assert say(card, "805C000204") == expected["new_balance"] + "9000"


def test_derived_load_is_the_vectors_bit_for_bit(vectors):
    given, expected = vectors["load-ep"]["input"], vectors["load-ep"]["expected"]
    card = card_with(make_card(), balance=given["old_balance"], random=given["rand"], online=given["online_seq"])
    assert say(card, expected["apdu_init"]) == expected["resp_init"]
    assert say(card, expected["apdu_credit"]) == expected["resp_credit"]
    assert say(card, "805C000204") == expected["new_balance"] + "9000"


def test_published_purchase_mac1_and_mac2_with_the_published_key(vectors):
    """The published purchase uses the terminal 001122334455 and a purchase key given as it stands."""
    given, expected = vectors["purchase-sespk-mac1-mac2"]["input"], vectors["purchase-sespk-mac1-mac2"]["expected"]
    fresh = make_card()
    fresh.state.directories[1].key(0x3E, 1).value = given["dpk"]
    card = card_with(fresh, balance="00010000", random=given["rand"], offline=given["offline_seq"])
    assert say(card, f"805001020B01{given['amount']}{given['terminal']}0F").endswith(given["rand"] + "9000")
    answer = say(card, f"805401000F{given['terminal_seq']}{given['date']}{given['time']}{expected['mac1']}08")
    assert answer[8:] == expected["mac2"] + "9000"


def test_published_load_mac1_and_mac2_with_the_published_key(vectors):
    """The published load is one of a deposit (type 01), which asks for the PIN first."""
    given, expected = vectors["load-seslk-mac1-mac2"]["input"], vectors["load-seslk-mac1-mac2"]["expected"]
    fresh = make_card(pin=b"\x12\x34\x56", with_deposit=True)
    fresh.state.directories[1].key(0x3F, 1).value = given["dlk"]
    card = card_with(fresh, balance="00000000", random=given["rand"])
    assert say(card, f"805000010B01{given['amount']}{given['terminal']}10") == "6982"
    assert say(card, "0020000003123456") == "9000"
    assert say(card, f"805000010B01{given['amount']}{given['terminal']}10").endswith(expected["mac1"] + "9000")
    assert say(card, f"805200000B{given['date']}{given['time']}{expected['mac2']}04").endswith("9000")
    assert say(card, f"805000010B01{given['amount']}{given['terminal']}10") == "6982"  # the security state is dropped


def test_published_records_are_read_and_written_the_same(vectors):
    log = vectors["sfi18-transaction-log"]
    record = LogRecord.parse(Response.parse(bytes.fromhex(log["input"]["response"])).data)
    expected = log["expected"]
    assert (record.counter, record.overdraft_fen, record.amount_fen) == (
        expected["seq"],
        expected["overdraft"],
        expected["amount"],
    )
    assert f"{record.transaction_type:02X}{record.terminal_no:012X}" == expected["type"] + expected["terminal"]
    assert record.moment.hex() == expected["datetime"]
    assert record.occurred_at.isoformat() == "2024-12-29T14:17:40+08:00"
    assert bytes(record) == bytes.fromhex(log["input"]["response"])[:-2]
    assert parse_balance(Response.parse(bytes.fromhex(vectors["get-balance"]["input"]["response"])).data) == 2755


def test_published_trip_record_is_read_and_written_the_same(vectors):
    trip = vectors["sfi1e-trip"]
    record = TripRecord.parse(Response.parse(bytes.fromhex(trip["input"]["response"])).data)
    expected = trip["expected"]
    assert f"{record.trip_type:02X}{record.mode:02X}" == expected["type"] + expected["mode"]
    assert record.terminal.hex() == expected["terminal"]
    assert (record.amount_fen, record.balance_fen) == (expected["amount"], expected["balance"])
    assert record.line_station.hex() + record.city.hex() == expected["line_station"] + expected["city"]
    assert record.moment.hex() == expected["datetime"]
    assert (record.acquirer.hex().upper(), record.reserved.hex()) == (expected["acquirer"], expected["reserved"])
    assert bytes(record) == bytes.fromhex(trip["input"]["response"])[:-2]
    assert bytes(Command.parse(bytes.fromhex(trip["input"]["apdu"]))).hex().upper() == trip["input"]["apdu"]
