"""Exactly once by terminal and sequence (P4): the first answer again, other content refused naming the field, in one batch and across."""

import pytest

from onecard.kernel.codes import ConflictField, Operation, Result
from onecard.ledger.posting import PostingColumns, post_sync
from tests.ledger.town import CANTEEN, MONDAY, Town, later

BUY = Operation.PURCHASE


def test_same_content_gets_the_first_answer_and_moves_nothing(town: Town) -> None:
    someone = town.person(1_000)
    first = town.post(BUY, someone, 300)
    town.post(BUY, someone, 100)
    seq, before = town.last_seq - 1, town.everything()
    assert town.post(BUY, someone, 300, seq=seq) == first
    assert town.everything() == before


def test_a_refusal_is_the_answer_for_good(town: Town) -> None:
    someone = town.person(100)
    first = town.post(BUY, someone, 300)
    seq = town.last_seq
    assert first.code == Result.INSUFFICIENT_FUNDS
    town.post(Operation.TOPUP, someone, 1_000)
    assert town.post(BUY, someone, 300, seq=seq) == first
    assert town.balance(someone) == 1_100


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"op": Operation.HOLD}, ConflictField.OPERATION),
        ({"card": True}, ConflictField.CARD_NO),
        ({"amount": 301}, ConflictField.AMOUNT),
        ({"at": later(days=2)}, ConflictField.OCCURRED_AT),
        ({"merchant": CANTEEN}, ConflictField.MERCHANT),
    ],
)
def test_other_content_under_a_used_key_is_refused_naming_the_field(
    town: Town, change: dict[str, object], field: ConflictField
) -> None:
    someone, other = town.person(1_000), town.person(1_000)
    town.post(BUY, someone, 300)
    seq, before = town.last_seq, town.everything()
    fields = dict(change)
    who = other if fields.pop("card", False) else someone
    answer = town.post(fields.pop("op", BUY), who, fields.pop("amount", 300), seq=seq, **fields)  # type: ignore[arg-type]
    assert (answer.code, answer.field) == (Result.KEY_CONFLICT, field)
    assert (answer.balance, answer.transfer) == (0, 0), "nothing of the other record is told"
    assert town.everything() == before


def test_refund_of_another_original_under_a_used_key_names_the_original(town: Town) -> None:
    someone = town.person(1_000)
    town.post(BUY, someone, 300)
    first = town.last_seq
    town.post(BUY, someone, 300)
    second = town.last_seq
    assert town.post(Operation.REFUND, someone, 10, orig=first).code == Result.APPROVED
    seq = town.last_seq
    assert town.post(Operation.REFUND, someone, 10, orig=first, seq=seq).code == Result.APPROVED
    answer = town.post(Operation.REFUND, someone, 10, orig=second, seq=seq)
    assert (answer.code, answer.field) == (Result.KEY_CONFLICT, ConflictField.ORIGINAL)
    assert town.balance(someone) == 410


def test_online_retry_may_carry_a_new_time_and_an_offline_record_may_not(town: Town) -> None:
    someone = town.person(1_000)
    first = town.post(BUY, someone, 100)
    assert town.post(BUY, someone, 100, seq=town.last_seq, at=later(seconds=40)) == first
    first = town.post(Operation.ADVICE, someone, 100)
    seq = town.last_seq
    assert town.post(Operation.ADVICE, someone, 100, seq=seq) == first
    answer = town.post(Operation.ADVICE, someone, 100, seq=seq, at=later(seconds=40))
    assert (answer.code, answer.field) == (Result.KEY_CONFLICT, ConflictField.OCCURRED_AT)
    assert town.balance(someone) == 800


def test_same_sequence_of_another_terminal_is_another_record(town: Town) -> None:
    someone = town.person(1_000)
    town.post(BUY, someone, 100)
    assert town.post(BUY, someone, 100, seq=town.last_seq, terminal=4712)[:2] == (Result.APPROVED, 800)


def test_rows_of_one_account_and_of_one_key_in_a_batch_are_taken_in_turns(town: Town) -> None:
    one, two = town.person(100), town.person(100)
    second_card = one.card + 10
    town.app.execute("SELECT ledger.add_card(%s, %s)", (second_card, one.account))
    columns = PostingColumns()
    town.add(columns, BUY, one, 60)
    repeated = town.last_seq
    town.add(columns, BUY, two, 10)
    town.add(columns, BUY, second_card, 60)  # the same account by another card: no longer covered
    town.add(columns, BUY, one, 60, seq=repeated)  # a retry in the same batch
    town.add(columns, BUY, two, 99, seq=repeated)  # the key again, for something else
    town.add(columns, BUY, two, 90)
    answers = post_sync(town.app, 0, columns)
    assert answers.code == [
        Result.APPROVED, Result.APPROVED, Result.INSUFFICIENT_FUNDS, Result.APPROVED, Result.KEY_CONFLICT, Result.APPROVED,
    ]  # fmt: skip
    assert answers.balance == [40, 90, 40, 40, 0, 0]
    assert answers.transfer[0] == answers.transfer[3]
    assert (town.balance(one), town.balance(two)) == (40, 0)


def test_a_record_and_its_reversal_in_one_batch_keep_their_order(town: Town) -> None:
    someone, other = town.person(100), town.person(100)
    columns = PostingColumns()
    seq = town.add(columns, BUY, someone, 60)
    town.add(columns, Operation.REVERSAL, someone, 60, seq=seq)
    town.add(columns, Operation.REVERSAL, other, 60)
    late = town.last_seq
    town.add(columns, BUY, other, 60, seq=late)
    answers = post_sync(town.app, 0, columns)
    assert answers.code == [Result.APPROVED, Result.APPROVED, Result.APPROVED, Result.REVERSED]
    assert (town.balance(someone), town.balance(other)) == (100, 100)


def test_answers_come_in_the_order_of_the_records_whatever_they_are(town: Town) -> None:
    columns, expected = PostingColumns(), []
    for n in range(200):
        if n % 3 == 0:
            town.add(columns, BUY, town.person(n), 50)
            expected.append(Result.APPROVED if n >= 50 else Result.INSUFFICIENT_FUNDS)
        elif n % 3 == 1:
            town.add(columns, BUY, 9000_00_888888888_0 + n, 50)
            expected.append(Result.UNKNOWN_CARD)
        else:
            town.add(columns, Operation.TOPUP, town.person(n), 5)
            expected.append(Result.APPROVED)
    assert post_sync(town.app, 0, columns).code == expected


def test_a_batch_of_another_lane_is_refused_whole(town: Town) -> None:
    import psycopg

    here, there = town.person(100), town.person(100, lane=1)
    columns = PostingColumns()
    town.add(columns, BUY, here, 50)
    town.add(columns, BUY, there, 50)
    with pytest.raises(psycopg.errors.AssertFailure, match="account of another lane"):
        post_sync(town.app, 0, columns)
    assert (town.balance(here), town.balance(there)) == (100, 100)


def test_an_empty_batch_has_no_answers(town: Town) -> None:
    assert post_sync(town.app, 0, PostingColumns()).code == []
    row = town.app.execute("SELECT o_code FROM ledger.post_batch(0::smallint" + ", '{}'::bigint[]" * 14 + ")").fetchone()
    assert row == ([],)


def test_keys_outlive_the_months(town: Town) -> None:
    """The key's table is not partitioned by time, so a retry months later still finds the first answer."""
    someone = town.person(1_000)
    first = town.post(Operation.ADVICE, someone, 100, day=MONDAY.replace(month=1), at=later(days=-100))
    partitions = town.app.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger.posting_key'::regclass").fetchone()
    assert partitions == (0,)
    seq = town.last_seq
    assert town.post(Operation.ADVICE, someone, 100, seq=seq, day=MONDAY.replace(month=1), at=later(days=-100)) == first
