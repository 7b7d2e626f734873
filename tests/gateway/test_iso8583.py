"""The ISO 8583 driver over real TLS sockets, with the terminal SDK as the POS."""

import asyncio

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.protocol.iso8583.answers import parse_answer
from onecard.protocol.iso8583.messages import Balanced, build_terminal_seq
from onecard.protocol.mac import UnionPayMac
from onecard.terminal import fastiso
from onecard.terminal.journal import Journal, State
from tests.gateway.fake_app import MAC_KEY, mid_of
from tests.gateway.harness import CARD, NOW, House, until

TID = "00000010"


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)


async def test_sign_on_gives_keys_and_a_batch_and_a_purchase_is_posted_and_answered(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1)
    assert await pos.sign_on() == 1
    outcome = await pos.purchase(CARD, 1250)
    assert outcome.result is Result.APPROVED
    assert outcome.balance_fen == 98_750
    assert outcome.transfer_id == (1 << 59) + 1
    (row,) = house.app.records
    assert row == {
        "op": Operation.PURCHASE,
        "terminal_id": 10,
        "terminal_seq": outcome.terminal_seq,
        "card_no": CARD,
        "amount_fen": 1250,
        "occurred_at_us": int(NOW.timestamp()) * 1_000_000,
        "orig_terminal_id": 0,
        "orig_seq": 0,
        "line_id": 1,
    }


async def test_balance_void_and_refund_travel_with_their_originals(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1)
    bought = await pos.purchase(CARD, 800)
    assert (await pos.balance(CARD)).balance_fen == 100_000
    assert (await pos.void(bought.terminal_seq)).is_approved
    again = await pos.purchase(CARD, 900)
    assert (await pos.refund(again.terminal_seq, 300)).is_approved
    rows = [(r["op"], r["amount_fen"], r["orig_seq"]) for r in house.app.records]
    assert rows == [
        (Operation.PURCHASE, 800, 0),
        (Operation.BALANCE, 0, 0),
        (Operation.VOID, 800, bought.terminal_seq),
        (Operation.PURCHASE, 900, 0),
        (Operation.REFUND, 300, again.terminal_seq),
    ]


@pytest.mark.parametrize("result", [r for r in Result if r not in (Result.APPROVED, Result.UNAVAILABLE)])
async def test_every_result_comes_back_as_itself(house: House, result):
    house.list_line(1)
    await house.start()
    house.app.answer = lambda row: (int(result), 0, 0, 0)
    outcome = await house.pos(1).purchase(CARD, 100)
    assert outcome.result is result
    assert outcome.balance_fen is None


async def test_an_unanswered_purchase_is_reversed_before_the_next_transaction(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1, answer_s=0.3)
    await pos.sign_on()
    house.app.gate.clear()
    lost = await pos.purchase(CARD, 500)
    assert lost.result is None
    house.app.gate.set()
    assert (await pos.purchase(CARD, 700)).is_approved
    rows = [(r["op"], r["terminal_seq"], r["amount_fen"]) for r in house.app.records]
    assert rows[0] == (Operation.PURCHASE, lost.terminal_seq, 500)
    assert rows[1] == (Operation.REVERSAL, lost.terminal_seq, 500)
    assert rows[2][0] == Operation.PURCHASE
    assert rows[2][1] > lost.terminal_seq


async def test_a_terminal_that_lost_its_power_reverses_what_it_had_open(house: House, tmp_path):
    house.list_line(1)
    await house.start()
    journal = Journal(tmp_path / "pos.db")
    pos = house.pos(1, journal=journal)
    await pos.sign_on()
    house.app.gate.clear()
    dying = asyncio.create_task(pos.purchase(CARD, 500))
    await until(lambda: house.app.batches)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    await pos.close()
    journal.close()
    house.app.gate.set()

    journal = Journal(tmp_path / "pos.db")
    reborn = house.pos(1, journal=journal)
    assert (await reborn.purchase(CARD, 600)).is_approved
    operations = [r["op"] for r in house.app.records]
    assert operations == [Operation.PURCHASE, Operation.REVERSAL, Operation.PURCHASE]
    assert journal.waiting(10, State.UNCERTAIN) == []
    journal.close()


async def test_offline_purchases_go_up_seven_at_a_time_and_are_answered_one_by_one(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1)
    await pos.sign_on()
    seqs = [pos.store_offline(CARD, 100 + i) for i in range(9)]
    house.app.answer = lambda row: (30 if row["amount_fen"] == 103 else 0, 0, 1, 0)
    assert await pos.upload_offline() == 9
    assert [(r["op"], r["terminal_seq"]) for r in house.app.records] == [(Operation.ADVICE, seq) for seq in seqs]
    assert [len(b.line_id) for b in house.app.batches] == [7, 2]
    codes = [pos._journal.find(10, seq).code for seq in seqs]
    assert codes == [0, 0, 0, 30, 0, 0, 0, 0, 0]


async def test_an_upload_that_could_not_be_decided_is_repeated_whole(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1)
    await pos.sign_on()
    pos.store_offline(CARD, 100)
    house.app.answer = lambda row: (int(Result.BUSY), 0, 0, 0)
    with pytest.raises(Exception, match="not taken"):
        await pos.upload_offline()
    house.app.first.clear()
    house.app.answer = lambda row: (0, 0, 1, 0)
    assert await pos.upload_offline() == 1


async def test_settlement_compares_totals(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1)
    bought = await pos.purchase(CARD, 800)
    await pos.purchase(CARD, 200)
    await pos.refund(bought.terminal_seq, 300)
    assert await pos.settle() is Balanced.NO
    house.app.totals.debit_fen, house.app.totals.debit_count = 1000, 2
    house.app.totals.credit_fen, house.app.totals.credit_count = 300, 1
    assert await pos.settle() is Balanced.YES


async def test_after_a_reconnect_the_keys_still_hold_and_after_sign_off_they_do_not(house: House):
    house.list_line(1)
    await house.start()
    pos = house.pos(1)
    await pos.purchase(CARD, 100)
    await pos.close()
    assert (await pos.purchase(CARD, 100)).is_approved
    assert house.app.batch_no == 1
    await pos.sign_off()
    assert (await pos.purchase(CARD, 100)).is_approved
    assert house.app.batch_no == 2


async def test_a_pos_whose_gateway_forgot_its_key_signs_on_again_and_goes_on(house: House):
    house.list_line(1)
    gateway = await house.start()
    pos = house.pos(1)
    await pos.purchase(CARD, 100)
    for driver in gateway._drivers:
        if driver.name == "iso8583":
            driver.shared.keys.drop([10])
    outcome = await pos.purchase(CARD, 200)
    assert outcome.is_approved
    assert [r["terminal_seq"] for r in house.app.records][-1] == outcome.terminal_seq
    assert house.app.batch_no == 2


async def test_the_fast_builder_of_load_generators_is_understood(house: House):
    house.list_line(1)
    await house.start()
    await house.pos(1).sign_on()
    reader, writer = await house.raw("iso8583", 1)
    fast = fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY, batch_no=1)
    for stan in (101, 102, 103):
        writer.write(fast.build(stan, CARD, 400, NOW))
    seen = {}
    for _ in range(3):
        frame = await read_frame(reader)
        de39, stan = fastiso.parse_answer(frame)
        seen[stan] = de39
        assert parse_answer(frame, UnionPayMac(MAC_KEY)).mac_valid
    assert seen == {101: "00", 102: "00", 103: "00"}
    assert [r["terminal_seq"] for r in house.app.records] == [build_terminal_seq(batch_no=1, stan=s) for s in (101, 102, 103)]


async def test_without_sign_on_77_asks_for_it_and_nothing_is_posted(house: House):
    house.list_line(1)
    await house.start()
    reader, writer = await house.raw("iso8583", 1)
    writer.write(fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY).build(1, CARD, 400, NOW))
    answer = parse_answer(await read_frame(reader), None)
    assert answer.de39 == "77"
    assert answer.sign_on_required
    assert house.app.records == []


async def test_a_wrong_mac_is_answered_a0_counted_and_not_posted(house: House):
    house.list_line(1)
    gateway = await house.start()
    await house.pos(1).sign_on()
    reader, writer = await house.raw("iso8583", 1)
    message = bytearray(fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY).build(1, CARD, 400, NOW))
    message[2 + 38] ^= 1  # the amount
    writer.write(bytes(message))
    answer = parse_answer(await read_frame(reader), None)
    assert answer.de39 == "A0"
    assert answer.sign_on_required
    assert gateway.counters.mac_wrong == 1
    assert house.app.records == []


async def test_a_replayed_message_gets_the_first_answer_and_moves_nothing(house: House):
    house.list_line(1)
    await house.start()
    await house.pos(1).sign_on()
    reader, writer = await house.raw("iso8583", 1)
    message = fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY).build(1, CARD, 400, NOW)
    writer.write(message)
    first = await read_frame(reader)
    writer.write(message)
    assert await read_frame(reader) == first
    assert len(house.app.first) == 1


async def test_a_terminal_of_another_line_is_answered_97(house: House):
    house.list_line(1)
    house.list_line(2)
    await house.start()
    await house.pos(1).sign_on()
    reader, writer = await house.raw("iso8583", 2)
    writer.write(fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY).build(1, CARD, 400, NOW))
    assert parse_answer(await read_frame(reader), None).de39 == "97"
    assert house.app.records == []


async def test_a_message_that_breaks_the_profile_is_answered_30_and_the_tenth_closes_the_line(house: House):
    house.list_line(1)
    gateway = await house.start()
    await house.pos(1).sign_on()
    reader, writer = await house.raw("iso8583", 1)
    message = bytearray(fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY).build(1, CARD, 400, NOW))
    message[2 + 49] = 0x77  # DE25
    for _ in range(9):
        writer.write(bytes(message))
        assert parse_answer(await read_frame(reader), None).de39 == "30"
    writer.write(bytes(message))
    assert await reader.read() == b""
    assert gateway.counters.closed["violation"] == 1


async def test_an_impossible_date_is_answered_30_with_a_mac(house: House):
    house.list_line(1)
    await house.start()
    await house.pos(1).sign_on()
    reader, writer = await house.raw("iso8583", 1)
    message = bytearray(fastiso.FastPurchase(TID, mid_of(TID), MAC_KEY).build(1, CARD, 400, NOW))
    message[2 + 45 : 2 + 47] = bytes.fromhex("1332")
    message[-8:] = UnionPayMac(MAC_KEY).compute(bytes(message[2 + 11 : -8]))
    writer.write(bytes(message))
    answer = parse_answer(await read_frame(reader), UnionPayMac(MAC_KEY))
    assert answer.de39 == "30"
    assert answer.mac_valid
