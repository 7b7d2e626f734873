"""Chip purses in the ledger: purchases in any order, loads there and back, unloads; once by key, and the auditor content."""

import itertools
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from threading import Barrier
from typing import Any

import psycopg
import pytest

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.ledger import audit, chip
from onecard.ledger.accounts import BookKind, book_id, is_chip
from onecard.ledger.balances import book_balance, chip_balance, chip_statement
from onecard.ledger.codes import CardStatus, PurseOrder, TransferKind
from onecard.ledger.posting import PostingAnswers
from tests.ledger.town import CANTEEN, FUNDING, INDEPENDENT, MONDAY, NOON, SHOP, TERMINAL, UNIFIED, Person, Town

TRANSIT = book_id(BookKind.CHIP_TRANSIT, UNIFIED)
_sequences = itertools.count(1_000_000)


def columns(*rows: dict[str, int]) -> chip.ChipColumns:
    made = chip.ChipColumns()
    for row in rows:
        made.terminal.append(row.get("terminal", TERMINAL))
        made.seq.append(row["seq"])
        made.card.append(row["card"])
        made.merchant.append(row.get("merchant", SHOP))
        made.purse_order.append(row.get("order", PurseOrder.PUBLIC))
        made.amount.append(row["amount"])
        made.occurred_us.append(row.get("at", to_epoch_us(NOON)))
        made.business_date.append((MONDAY - date(2000, 1, 1)).days)
        made.precheck.append(row.get("precheck", 0))
        made.released.append(row.get("released", 0))
    return made


def record(person: Person | int, amount: int, **fields: int) -> dict[str, int]:
    card = person if isinstance(person, int) else person.card
    return {"seq": next(_sequences), "card": card, "amount": amount, **fields}


def post(town: Town, *rows: dict[str, int], connection: psycopg.Connection[Any] | None = None) -> PostingAnswers:
    return chip.post_chip(connection or town.app, town.lane, columns(*rows))


def load(town: Town, person: Person | int, amount: int, *, seq: int = 0, at: datetime = NOON, **options: Any) -> chip.LoadAnswer:
    card = person if isinstance(person, int) else person.card
    key = (TERMINAL, seq or next(_sequences))
    return chip.load_chip(town.app, key, card, amount_fen=amount, occurred_at=at, business_date=MONDAY, **options)


def inside(town: Town, person: Person) -> int:
    found = chip_balance(town.app, person.card)
    return found.balance_fen if found else 0


def test_a_chip_purchase_debits_the_chip_and_credits_the_merchant(town: Town) -> None:
    person = town.person(0)
    before = book_balance(town.app, SHOP)
    row = record(person, 300)
    answers = post(town, row)
    assert (answers.code, answers.balance, answers.field) == ([0], [-300], [0]), (
        "the chip is authoritative: below zero is allowed"
    )
    assert town.legs(row["seq"]) == [(TransferKind.CHIP_PURCHASE, person.card, SHOP, 300, -300)]
    assert book_balance(town.app, SHOP) == before + 300
    assert is_chip(person.card)
    assert not is_chip(person.public)


def test_several_records_of_one_chip_in_one_batch_form_one_chain(town: Town) -> None:
    person, other = town.person(), town.person()
    rows = [record(person, 1), record(other, 10), record(person, 0), record(person, 100)]
    answers = post(town, *rows)
    assert (answers.code, answers.balance) == ([0] * 4, [-1, -10, -1, -101]), "a tap without a charge is a record too"
    lines = chip_statement(town.app, person.card)
    assert [(line.amount_fen, line.balance_fen, line.counterpart) for line in lines] == [
        (-100, -101, SHOP),
        (0, -1, SHOP),
        (-1, -1, SHOP),
    ]
    assert [line.amount_fen for line in chip_statement(town.app, person.card, limit=2, before_id=lines[0].transfer_id)] == [0, -1]


def test_the_same_record_is_posted_once_and_answered_as_before(town: Town) -> None:
    person = town.person()
    row = record(person, 300)
    first = post(town, row)
    post(town, record(person, 50))
    assert post(town, row) == first
    assert inside(town, person) == -350


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 301}, ConflictField.AMOUNT),
        ({"at": to_epoch_us(NOON) + 1_000_000}, ConflictField.OCCURRED_AT),
        ({"merchant": CANTEEN}, ConflictField.MERCHANT),
    ],
)
def test_a_key_used_for_other_content_is_refused_naming_the_field(
    town: Town, change: dict[str, int], field: ConflictField
) -> None:
    person = town.person()
    row = record(person, 300)
    post(town, row)
    answers = post(town, {**row, **change})
    assert (answers.code, answers.field, answers.balance, answers.transfer) == ([Result.KEY_CONFLICT], [field], [0], [0])
    assert inside(town, person) == -300


def test_a_key_of_another_card_or_operation_is_refused(town: Town) -> None:
    person, other = town.person(), town.person()
    row = record(person, 300)
    post(town, row)
    assert post(town, {**row, "card": other.card}).field == [ConflictField.CARD_NO]
    assert town.post(Operation.PURCHASE, person, 300, seq=row["seq"]).field is ConflictField.OPERATION
    town.post(Operation.PURCHASE, person, 300)
    assert post(town, record(person, 300, seq=town.last_seq)).field == [ConflictField.OPERATION]


def test_what_is_refused_leaves_no_key_so_that_a_release_can_post_it(town: Town) -> None:
    person = town.person()
    row = record(person, 300, precheck=Result.TAC_WRONG)
    everything = town.everything()
    assert post(town, row).code == [Result.TAC_WRONG]
    assert town.everything() == everything
    assert post(town, {**row, "precheck": 0}).code == [Result.APPROVED]


def test_the_smallest_reason_is_given(town: Town) -> None:
    own, unknown = town.person(operator=INDEPENDENT), 9999009999999994
    rows = [
        record(own, 1), record(unknown, 1), record(town.person(), 1, order=PurseOrder.PRIVATE),
        record(own, 1, precheck=Result.MERCHANT_CLOSED), record(own, 1, precheck=Result.TAC_WRONG),
        record(unknown, 1, precheck=Result.TAC_WRONG), record(unknown, 1, precheck=Result.MERCHANT_CLOSED),
        record(town.person(), -1),
    ]  # fmt: skip
    assert post(town, *rows).code == [40, 30, 40, 21, 40, 30, 21, 41]


def test_a_release_overrides_p2_and_nothing_else(town: Town) -> None:
    own = town.person(operator=INDEPENDENT)
    rows = [record(own, 1, released=1), record(9999009999999994, 1, released=1)]
    assert post(town, *rows).code == [Result.APPROVED, Result.UNKNOWN_CARD]


@pytest.mark.parametrize("status", list(CardStatus))
def test_no_standing_of_the_card_refuses_what_the_chip_has_done(town: Town, status: CardStatus) -> None:
    assert post(town, record(town.person(status=status), 5)).code == [Result.APPROVED]


def test_no_message_undoes_what_a_chip_has_done(town: Town) -> None:
    person = town.person()
    row = record(person, 300)
    post(town, row)
    assert town.post(Operation.REVERSAL, person, 300, seq=row["seq"]).code == Result.ORIGINAL_MISMATCH
    assert town.post(Operation.REFUND, person, 300, orig=row["seq"]).code == Result.ORIGINAL_MISMATCH
    assert town.post(Operation.VOID, person, 300, orig=row["seq"]).code == Result.ORIGINAL_MISMATCH
    assert inside(town, person) == -300


def test_a_record_whose_reversal_came_first_is_refused_as_reversed(town: Town) -> None:
    person = town.person()
    row = record(person, 300)
    town.post(Operation.REVERSAL, person, 300, seq=row["seq"])
    assert post(town, row).code == [Result.REVERSED]


def test_a_load_moves_money_from_the_public_purse_to_the_chip(town: Town) -> None:
    person = town.person(1_000)
    answer = load(town, person, 400)
    assert (answer.code, answer.balance_fen) == (0, 600)
    assert (town.balance(person), inside(town, person)) == (600, 400)
    assert book_balance(town.app, TRANSIT) == 0
    assert [line.kind for line in chip_statement(town.app, person.card)] == [TransferKind.CHIP_LOAD]


def test_a_load_is_once_and_another_amount_under_its_key_is_refused(town: Town) -> None:
    person = town.person(1_000)
    first = load(town, person, 400, seq=77)
    assert load(town, person, 400, seq=77) == first
    assert load(town, person, 500, seq=77)[0::3] == (Result.KEY_CONFLICT, ConflictField.AMOUNT)
    assert (town.balance(person), inside(town, person)) == (600, 400)


def test_a_load_asks_for_funds_standing_and_settlement_mode(town: Town) -> None:
    def code(person: Person | int, amount: int = 100) -> int:
        return load(town, person, amount).code

    assert code(9999009999999994) == Result.UNKNOWN_CARD
    assert code(town.person(status=CardStatus.STOCK)) == Result.CARD_NOT_ACTIVE
    assert code(town.person(status=CardStatus.LOST)) == Result.CARD_LOST
    assert code(town.person(status=CardStatus.FROZEN)) == Result.CARD_FROZEN
    assert code(town.person(status=CardStatus.EXPIRED)) == Result.CARD_EXPIRED
    assert code(town.person(operator=INDEPENDENT)) == Result.PURSE_NOT_ALLOWED
    assert code(town.person(None, 500)) == Result.PURSE_NOT_ALLOWED
    assert code(town.person(), 0) == Result.AMOUNT_INVALID
    assert code(town.person(100), 101) == Result.INSUFFICIENT_FUNDS
    denied = town.person(0)
    town.post(Operation.ADVICE, denied, 5)
    assert code(denied) == Result.CARD_DENIED


def test_a_load_is_undone_once_and_gives_back_where_it_took(town: Town) -> None:
    person = town.person(1_000)
    load(town, person, 400, seq=78)

    def undo() -> chip.LoadAnswer:
        return chip.undo_chip_load(town.app, (TERMINAL, 78), person.card, occurred_at=NOON, business_date=MONDAY)

    first = undo()
    assert (first.code, first.balance_fen) == (0, 1_000)
    assert undo() == first
    assert (town.balance(person), inside(town, person), book_balance(town.app, TRANSIT)) == (1_000, 0, 0)
    assert load(town, person, 400, seq=78).code == Result.REVERSED


def test_only_a_load_that_took_money_can_be_undone(town: Town) -> None:
    person, other = town.person(10), town.person()
    load(town, person, 400, seq=79)
    purchase = record(person, 5)
    post(town, purchase)

    def undo(seq: int, card: int) -> int:
        return chip.undo_chip_load(town.app, (TERMINAL, seq), card, occurred_at=NOON, business_date=MONDAY).code

    assert undo(79, person.card) == Result.NO_ORIGINAL
    assert undo(80, person.card) == Result.NO_ORIGINAL
    assert undo(purchase["seq"], person.card) == Result.ORIGINAL_MISMATCH
    load(town, other, 1, seq=81)
    assert undo(81, person.card) == Result.ORIGINAL_MISMATCH


def test_a_load_may_be_paid_from_a_book(town: Town) -> None:
    person = town.person(0, status=CardStatus.LOST)
    assert load(town, person, 400, payer=FUNDING).code == 0
    assert (town.balance(person), inside(town, person)) == (0, 400)


def test_an_unload_gives_back_what_is_inside_and_no_more(town: Town) -> None:
    person = town.person(1_000)
    load(town, person, 400)
    post(town, record(person, 150))

    def unload(seq: int, amount: int | None) -> chip.LoadAnswer:
        return chip.unload_chip(town.app, (TERMINAL, seq), person.card, amount_fen=amount, occurred_at=NOON, business_date=MONDAY)

    assert unload(900, 251).code == Result.INSUFFICIENT_FUNDS
    first = unload(901, None)
    assert (first.code, first.amount_fen, first.balance_fen) == (0, 250, 850)
    assert unload(901, None) == first
    assert unload(901, 249).code == Result.KEY_CONFLICT
    assert (town.balance(person), inside(town, person)) == (850, 0)
    again = unload(902, None)
    assert (again.code, again.transfer_id, again.amount_fen) == (0, 0, 0), "nothing inside is nothing to do"
    post(town, record(person, 1))
    assert unload(903, None).code == Result.INSUFFICIENT_FUNDS, "below zero there is a record missing"


def test_a_chip_purse_is_opened_once_and_only_for_a_card(town: Town) -> None:
    person = town.person()
    chip.open_chip_purse(town.app, person.card)
    post(town, record(person, 1))
    chip.open_chip_purse(town.app, person.card)
    assert inside(town, person) == -1
    with pytest.raises(psycopg.errors.NoDataFound):
        chip.open_chip_purse(town.app, 9999009999999994)


def test_the_application_cannot_write_chip_purses(town: Town) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        town.app.execute("UPDATE ledger.chip_purse SET balance_fen = 1")


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_records_ends_at_the_same_balance(town: Town, seed: int) -> None:
    rng = random.Random(seed)
    people = [town.person(100_000) for _ in range(4)]
    steps: list[Any] = [record(rng.choice(people), rng.randrange(0, 500)) for _ in range(40)]
    loads = [(rng.choice(people), rng.randrange(1, 900), next(_sequences), rng.random() < 0.3) for _ in range(12)]
    expected = {p.card: 0 for p in people}
    for row in steps:
        expected[row["card"]] -= row["amount"]
    for person, amount, _, undone in loads:
        expected[person.card] += 0 if undone else amount
    work = [row for row in steps for _ in range(rng.choice((1, 1, 2)))] + [item for item in loads for _ in range(2)]
    rng.shuffle(work)
    while work:
        item = work.pop()
        if isinstance(item, dict):
            batch = {row["seq"]: row for row in [item, *(w for w in work[-6:] if isinstance(w, dict))]}
            assert post(town, *batch.values()).code == [0] * len(batch)
        else:
            person, amount, seq, undone = item
            load(town, person, amount, seq=seq)
            if undone:
                chip.undo_chip_load(town.app, (TERMINAL, seq), person.card, occurred_at=NOON, business_date=MONDAY)
    assert {p.card: inside(town, p) for p in people} == expected
    assert [town.balance(p) for p in people] == [
        100_000 - sum(a for q, a, _, undone in loads if q is p and not undone) for p in people
    ]


def test_records_loads_and_purchases_at_once_lose_nothing(town: Town) -> None:
    person = town.person(10_000)
    rows = [record(person, 7) for _ in range(30)]
    barrier = Barrier(5)

    def chips(part: Sequence[dict[str, int]]) -> None:
        with psycopg.connect(town.database.app_dsn, autocommit=True) as connection:
            barrier.wait(20)
            for start in range(0, len(part), 3):
                assert set(post(town, *part[start : start + 3], connection=connection).code) == {0}

    def loads() -> None:
        with psycopg.connect(town.database.app_dsn, autocommit=True) as connection:
            barrier.wait(20)
            for _ in range(10):
                key = (TERMINAL, next(_sequences))
                chip.load_chip(connection, key, person.card, amount_fen=100, occurred_at=NOON, business_date=MONDAY)

    with ThreadPoolExecutor(5) as pool:
        jobs = [
            pool.submit(chips, rows),
            pool.submit(chips, rows),
            pool.submit(chips, rows[::-1]),
            pool.submit(loads),
            pool.submit(loads),
        ]
        for job in jobs:
            job.result(60)
    assert (town.balance(person), inside(town, person)) == (8_000, 2_000 - 210)


@pytest.mark.parametrize(
    ("damage", "number"),
    [
        ("UPDATE ledger.chip_purse SET balance_fen = balance_fen + 1", "A2"),
        ("UPDATE ledger.chip_purse SET seq = seq + 1", "A14"),
        ("UPDATE ledger.chip_purse SET account_no = account_no + 1", "A15"),
    ],
)
def test_the_auditor_sees_a_chip_purse_that_was_changed_by_hand(own_town: Town, damage: str, number: str) -> None:
    person = own_town.person(1_000)
    load(own_town, person, 400)
    post(own_town, record(person, 30))
    assert audit.run(own_town.app).ok
    own_town.admin.execute(damage)
    assert number in [check.number for check in audit.run(own_town.app).failures]
