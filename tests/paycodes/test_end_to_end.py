"""A code from the vault to a picture, over a real line to the ledger: once, in time, by its own card, and without a line."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from onecard.kernel.codes import Operation, Result
from onecard.protocol.paycode import PayCode, build_text, parse_code
from onecard.services.paycodes import api as codes
from onecard.services.paycodes.admit import CodeRecord, admit_records
from onecard.services.paycodes.models import PayCodeUse
from onecard.terminal.journal import JournalRecord
from onecard.terminal.paycode import CodeAcceptor, CodeRefused
from tests.paycodes.conftest import OPENING_FEN, SYSTEM, City, Till


def held(till: Till) -> list[tuple[int, Result, tuple[int, int] | None]]:
    rows = [row.payment for row in codes.held_payments(actor=SYSTEM) if row.payment.terminal_id == till.terminal_id]
    used_by = [(row.used_by_terminal, row.used_by_seq) if row.used_by_terminal and row.used_by_seq else None for row in rows]
    return [(row.amount_fen, Result(row.result), other) for row, other in zip(rows, used_by, strict=True)]


def by_hand(till: Till, code: bytes, amount: int = 100, *, op: int = Operation.PURCHASE, card_no: int = 0) -> JournalRecord:
    """A record that a manipulated terminal would make: nothing is asked at the terminal."""
    record = JournalRecord(
        till.terminal_id, till.journal.next_seq(till.terminal_id), op, card_no or parse_code(code).body.card_no, amount,
        int(till.clock.now().timestamp()) * 1_000_000, pay_code=code,
    )  # fmt: skip
    till.journal.store([record])
    return record


def test_a_code_pays_on_line_once(city: City) -> None:
    till, other = city.tills
    account = city.platform.account()
    shown = city.code(account)
    till.acceptor.pay_online(shown.text, 1_250)
    (paid,) = till.upload()
    assert (paid.code, paid.balance_fen, city.platform.balance(account)) == (0, OPENING_FEN - 1_250, OPENING_FEN - 1_250)
    with pytest.raises(CodeRefused) as here:
        till.acceptor.pay_online(shown.text, 1_250)
    assert here.value.result is Result.CODE_USED
    other.acceptor.pay_online(shown.text, 1_250)
    (again,) = other.upload()
    assert (again.code, city.platform.balance(account)) == (Result.CODE_USED, OPENING_FEN - 1_250)
    assert held(other) == []  # on line nothing has happened: nothing is kept


def test_the_same_record_again_is_not_a_second_use(city: City) -> None:
    till, _ = city.tills
    account = city.platform.account()
    record = till.acceptor.pay_online(city.code(account).text, 300)
    for _ in range(3):
        (answer,) = till.send(record)
        assert (answer.code, answer.balance_fen) == (0, OPENING_FEN - 300)
    assert city.platform.balance(account) == OPENING_FEN - 300


def test_a_code_pays_without_a_line_within_its_limit(city: City) -> None:
    till, _ = city.tills
    account = city.platform.account()
    shown = city.code(account)
    assert shown.offline_limit_fen == 5_000
    with pytest.raises(CodeRefused) as over:
        till.acceptor.pay_offline(shown.text, 5_001)
    assert over.value.result is Result.LIMIT_TRANSACTION
    till.acceptor.pay_offline(shown.text, 5_000)
    (paid,) = till.upload()
    assert (paid.code, paid.op, city.platform.balance(account)) == (0, Operation.ADVICE, OPENING_FEN - 5_000)
    (use,) = PayCodeUse.objects.filter(card_no=shown.card_no)
    assert (use.offline, use.terminal_id, use.amount_fen) == (True, till.terminal_id, 5_000)


def test_of_two_offline_uses_the_first_that_comes_home_is_posted_and_the_other_kept(city: City) -> None:
    first, second = city.tills
    account = city.platform.account()
    shown = city.code(account)
    for till in (first, second):
        till.acceptor.pay_offline(shown.text, 800)
    (late,), (paid,) = second.upload(), first.upload()
    assert (late.code, paid.code) == (0, Result.CODE_USED)
    assert city.platform.balance(account) == OPENING_FEN - 800
    kept = [row for row in held(first) if row[1] is Result.CODE_USED]
    assert kept == [(800, Result.CODE_USED, (second.terminal_id, late.terminal_seq))]
    (again,) = first.send(paid)
    assert again.code == Result.CODE_USED and len([row for row in held(first) if row[1] is Result.CODE_USED]) == 1


def test_a_code_ends_with_its_time(city: City) -> None:
    till, _ = city.tills
    shown = city.code(city.platform.account())
    till.clock.advance(timedelta(seconds=60 + 31))
    with pytest.raises(CodeRefused) as late:
        till.acceptor.pay_offline(shown.text, 100)
    assert late.value.result is Result.CODE_EXPIRED
    till.clock.advance(timedelta(minutes=5))
    record = by_hand(till, parse_code(shown.text).to_bytes(), op=Operation.ADVICE)
    (answer,) = till.send(record)
    assert answer.code == Result.CODE_EXPIRED
    assert (100, Result.CODE_EXPIRED, None) in held(till)


def test_a_code_that_the_platform_did_not_sign_or_of_another_card_is_invalid(city: City) -> None:
    till, _ = city.tills
    account, victim = city.platform.account(), city.platform.account()
    mine, theirs = parse_code(city.code(account).text), parse_code(city.code(victim).text)
    forged = PayCode(replace(mine.body, offline_limit_fen=10**6), mine.key_no, mine.signature)
    with pytest.raises(CodeRefused) as refused:
        till.acceptor.pay_online(build_text(forged), 100)
    assert refused.value.result is Result.CODE_INVALID
    with pytest.raises(CodeRefused):
        till.acceptor.pay_online("OC1:NONSENSE", 100)
    records = [
        by_hand(till, forged.to_bytes()),
        by_hand(till, mine.to_bytes(), card_no=theirs.body.card_no),
        by_hand(till, b"nonsense", card_no=mine.body.card_no),
    ]
    assert [answer.code for answer in till.send(*records)] == [Result.CODE_INVALID] * 3
    assert {city.platform.balance(number) for number in (account, victim)} == {OPENING_FEN}
    assert not PayCodeUse.objects.filter(code_id=mine.body.code_id).exists()  # nobody's code was used up by that


def test_a_qr_card_pays_with_a_code_or_not_at_all(city: City) -> None:
    till, _ = city.tills
    account = city.platform.account()
    card_no = city.code(account).card_no
    for op, code in ((Operation.PURCHASE, Result.CODE_INVALID), (Operation.ADVICE, Result.CODE_INVALID), (Operation.TOPUP, 0)):
        (answer,) = till.send(replace(by_hand(till, b"", card_no=card_no, op=op), pay_code=b""))
        assert answer.code == code
    assert city.platform.balance(account) == OPENING_FEN + 100


def test_cards_and_codes_travel_in_one_batch(city: City) -> None:
    till, _ = city.tills
    account, plain = city.platform.account(), city.platform.account()
    (card_no,) = city.platform.execute("SELECT card_no FROM ledger.card WHERE account_no = %s AND medium = 1", plain)[0]
    shown = city.code(account)
    by_card = by_hand(till, b"", 10, card_no=card_no)
    used = by_hand(till, parse_code(shown.text).to_bytes(), 20)
    twice = by_hand(till, parse_code(shown.text).to_bytes(), 20)
    wrong_op = by_hand(till, parse_code(shown.text).to_bytes(), 20, op=Operation.TOPUP)
    answers = till.send(by_card, used, twice, wrong_op)
    assert [answer.code for answer in answers] == [0, 0, Result.CODE_USED, Result.FORMAT]
    assert city.platform.balance(account) == OPENING_FEN - 20


def test_one_code_at_many_terminals_at_the_same_moment_is_used_once(city: City) -> None:
    first, second = city.tills
    account = city.platform.account()
    raw = parse_code(city.code(account).text).to_bytes()
    records = [(till, by_hand(till, raw)) for till in (first, second) for _ in range(5)]

    async def all_at_once() -> list[int]:
        from onecard.terminal.journal import build_records

        answers = await asyncio.gather(*(till.client.submit(build_records([record])) for till, record in records))
        return [answer.code[0] for answer in answers]

    results = first.run(all_at_once())
    assert sorted(results) == [0] + [Result.CODE_USED] * 9
    assert city.platform.balance(account) == OPENING_FEN - 100


def test_claims_race_in_the_database_too(city: City) -> None:
    from django.db import connections

    from onecard.kernel.clock import SystemClock, to_epoch_us

    account = city.platform.account()
    code = parse_code(city.code(account).text)
    now = SystemClock().now()

    def one(seq: int) -> Result:
        record = CodeRecord(10**6 + seq, seq, 1, code.body.card_no, 1, to_epoch_us(now), 1, code.to_bytes())
        try:
            return admit_records([record], keys=codes.public_keys(), now=now)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(one, range(1, 13)))
    assert sorted(results) == [Result.APPROVED] + [Result.CODE_USED] * 11


def test_a_terminal_that_lost_its_power_has_not_forgotten_a_code(city: City) -> None:
    from onecard.terminal.paycode import CodeMemory

    till, _ = city.tills
    shown = city.code(city.platform.account())
    till.acceptor.pay_offline(shown.text, 100)
    memory = CodeMemory(till.memory.path)
    restarted = CodeAcceptor(till.terminal_id, till.journal, memory, clock=till.clock)
    with pytest.raises(CodeRefused) as used:
        restarted.pay_offline(shown.text, 100)
    assert used.value.result is Result.CODE_USED
    memory.close()
    till.upload()


def test_a_key_that_left_the_list_is_not_believed_any_more(city: City) -> None:
    till, _ = city.tills
    shown = city.code(city.platform.account())
    known = till.memory.keys()
    till.memory.set_keys({})
    with pytest.raises(CodeRefused):
        till.acceptor.pay_offline(shown.text, 100)
    till.memory.set_keys(known)
    till.acceptor.pay_offline(shown.text, 100)
    till.upload()
