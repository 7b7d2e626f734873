"""Gray records: resolved by the chip's other records as standards 4.3 has it, whatever comes first; else left to two people."""

import itertools
from dataclasses import replace

import psycopg
import pytest

from onecard.kernel.codes import Result
from onecard.ledger.posting import PostingColumns, post_sync
from onecard.services import worker
from onecard.services.actors import Actor
from onecard.services.chip import api, gray
from onecard.services.chip.choices import Outcome, Subject
from onecard.services.chip.models import CounterHole, HeldRecord
from onecard.services.chip.records import ChipRecord
from tests.chip.kit import DAY, OTHER_SAM, OTHER_TERMINAL, SHOP, Chip, Kit


def states() -> list[tuple[str, str]]:
    return list(HeldRecord.objects.order_by("id").values_list("state", "how"))


def test_a_gray_record_waits_and_is_no_hole(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True)
    assert kit.codes(gray) == [Result.GRAY]
    assert kit.codes(gray) == [Result.GRAY]
    assert (states(), kit.shadow(chip), CounterHole.objects.count()) == ([("open", "")], 1_000, 0)
    assert [text.en for text in api.counters_complete(chip.card_no)] == ["1 records wait for a decision"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_it_happened_when_the_next_record_begins_with_what_it_left(kit: Kit, order: tuple[int, ...]) -> None:
    chip = kit.chip(balance=1_000)
    records = [chip.buy(100), chip.buy(300, gray=True), chip.buy(50)]
    for place in order:
        assert kit.codes(records[place])[0] in (0, Result.GRAY)
    assert (states(), kit.shadow(chip), chip.balance) == ([("posted", "rule")], 550, 550)
    assert not CounterHole.objects.filter(filled_at__isnull=True).exists()
    assert kit.codes(records[1]) == [0], "sent again it is answered as posted"
    assert api.counters_complete(chip.card_no, chip_counter=3, chip_balance_fen=550) == []


def test_that_arrives_after_the_next_record_is_answered_as_posted_at_once(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray, after = chip.buy(300, gray=True), chip.buy(50)
    assert kit.codes(after, gray) == [0, 0]


def test_nothing_happened_when_the_same_counter_was_used_from_the_same_balance(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True, undone=True)
    after = chip.buy(50)
    assert kit.codes(gray, after) == [Result.GRAY, 0]
    assert (states(), kit.shadow(chip)) == ([("refused", "rule")], 950)


def test_nothing_happened_when_the_next_record_begins_with_the_balance_before(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True)
    chip.balance += 300
    assert kit.codes(gray, chip.buy(50)) == [Result.GRAY, 0]
    assert states() == [("refused", "rule")]


def test_its_proof_that_was_fetched_later_takes_its_place(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True)
    assert kit.codes(gray, chip.prove(gray)) == [Result.GRAY, 0]
    assert (states(), kit.shadow(chip)) == ([("proved", "proof")], 700)
    assert kit.codes(chip.buy(10)) == [0]


def test_two_gray_records_in_a_row_are_resolved_from_the_last(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    assert kit.codes(chip.buy(300, gray=True), chip.buy(200, gray=True)) == [Result.GRAY, Result.GRAY]
    assert kit.codes(chip.buy(1)) == [0]
    assert (states(), kit.shadow(chip)) == ([("posted", "rule")] * 2, 499)


def test_with_a_load_in_between_people_decide(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True)
    request = chip.initialize_load(300)
    kit.load(chip.credit(request, kit.load(request)))
    assert kit.codes(gray, chip.buy(50)) == [Result.GRAY, 0]
    assert states() == [("open", "")], "the balances say the same for both"


def test_a_balance_that_fits_neither_is_left_to_people(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True)
    chip.balance += 100
    assert kit.codes(gray, chip.buy(50)) == [Result.GRAY, 0]
    assert states() == [("open", "")]


def test_other_reasons_come_before_gray_and_then_no_rule_posts_it(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True, sam_no=77)
    assert kit.codes(gray, chip.buy(50)) == [Result.SAM_BLOCKED, 0]
    assert (states(), HeldRecord.objects.get().reasons) == ([("open", "")], "gray,sam")


def test_the_worker_resolves_what_was_left(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = kit.chip(balance=1_000)
    gray_record, after = chip.buy(300, gray=True), chip.buy(50)
    kit.take(gray_record)
    with monkeypatch.context() as patch:
        patch.setattr(gray, "resolve", lambda cards, *, now: 0)
        kit.take(after)
    assert states() == [("open", "")]
    worker.resolve_gray_records()
    worker.tell_chip_alarms()
    assert (states(), kit.shadow(chip)) == ([("posted", "rule")], 650)


def decide(row: HeldRecord, outcome: Outcome) -> None:
    proposed = api.propose(Subject.RECORD, row.pk, outcome, actor=Actor("anne", frozenset({"*"})), reason="核对")
    api.approve(proposed.pk, actor=Actor("bill", frozenset({"*"})))


def elsewhere(chip: Chip, amount: int, *, undone: bool = False) -> ChipRecord:
    """A gray purchase at the other terminal."""
    there = {"terminal_id": OTHER_TERMINAL, "sam_no": OTHER_SAM, "sam_seq": next(chip.kit.sam_seqs), "merchant": SHOP + 1}
    return chip.buy(amount, gray=True, undone=undone, **there)


def test_beside_another_sale_that_people_released_no_rule_posts_it(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(chip.buy(200, gray=True, undone=True), elsewhere(chip, 200))
    first, second = HeldRecord.objects.order_by("id")
    decide(first, Outcome.RELEASE)
    assert kit.codes(chip.buy(50)) == [0]
    second.refresh_from_db()
    assert (second.state, kit.shadow(chip), chip.balance) == ("open", 750, 750)


def test_beside_a_doubtful_sale_that_people_released_no_rule_posts_it(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(elsewhere(chip, 200, undone=True), chip.buy(200, tac=1))
    decide(HeldRecord.objects.get(code=Result.TAC_WRONG), Outcome.RELEASE)
    assert kit.codes(chip.buy(50)) == [0]
    assert (HeldRecord.objects.get(code=Result.GRAY).state, kit.shadow(chip), chip.balance) == ("open", 750, 750)


def test_the_same_sale_that_people_released_takes_its_place(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(200, gray=True)
    kit.take(record, replace(record, gray=False, tac=1))
    decide(HeldRecord.objects.get(code=Result.TAC_WRONG), Outcome.RELEASE)
    assert kit.codes(chip.buy(50)) == [0]
    assert (HeldRecord.objects.get(code=Result.GRAY).state, kit.shadow(chip)) == ("proved", 750)


def test_of_two_that_fit_the_rule_posts_neither_and_people_choose(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(chip.buy(200, gray=True, undone=True), elsewhere(chip, 200))
    assert kit.codes(chip.buy(50)) == [0]
    assert (states(), kit.shadow(chip)) == ([("open", ""), ("open", "")], 950)
    decide(HeldRecord.objects.earliest("id"), Outcome.REFUSE)
    worker.resolve_gray_records()
    assert (states(), kit.shadow(chip), chip.balance) == ([("refused", "people"), ("posted", "rule")], 750, 750)


def test_a_second_that_fits_and_comes_when_the_first_is_posted_is_left_to_people(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    never, happened = chip.buy(200, gray=True, undone=True), elsewhere(chip, 200)
    assert kit.codes(never, chip.buy(50)) == [0, 0]
    assert kit.codes(happened) == [Result.GRAY]
    assert states() == [("posted", "rule"), ("open", "")]


def test_of_two_with_other_sums_the_one_that_fits_is_posted(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(chip.buy(300, gray=True, undone=True), elsewhere(chip, 200))
    assert kit.codes(chip.buy(50)) == [0]
    worker.resolve_gray_records()
    assert (states(), kit.shadow(chip)) == ([("refused", "rule"), ("posted", "rule")], 750)


def test_a_load_of_its_sum_hides_it_however_wrong_the_clock_is(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray = chip.buy(300, gray=True)
    request = chip.initialize_load(300)
    kit.load(chip.credit(request, kit.load(request)))
    slow = 20 * 60 * 1_000_000
    gray, after = replace(gray, occurred_at_us=gray.occurred_at_us - slow), chip.buy(50)
    after = chip.prove(replace(after, occurred_at_us=after.occurred_at_us - slow))
    assert kit.codes(gray, after) == [Result.GRAY, 0]
    assert states() == [("open", "")]


def reverse(kit: Kit, record: ChipRecord) -> int:
    """The terminal reverses the record's key."""
    row = PostingColumns()
    values = (9, *record.key, record.card_no, SHOP, 0, 1, record.amount_fen, record.occurred_at_us, DAY, 0, 0, 0, 0)
    for column, value in zip(row.columns(), values, strict=True):
        column.append(value)
    with psycopg.connect(kit.database.app_dsn, autocommit=True) as connection:
        return post_sync(connection, 0, row).code[0]


@pytest.mark.parametrize("gray", [True, False])
def test_what_the_terminal_reversed_two_people_can_still_post(kit: Kit, gray: bool) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(200, gray=True) if gray else chip.buy(200, tac=1)
    kit.take(record)
    assert reverse(kit, record) == 0
    assert kit.codes(chip.buy(50)) == [0]
    row = HeldRecord.objects.get()
    assert (row.state, kit.shadow(chip)) == ("open", 950), "why it was reversed, people find out"
    decide(row, Outcome.RELEASE)
    assert (HeldRecord.objects.get().state, kit.shadow(chip), kit.codes(record)) == ("posted", 750, [0])
    assert reverse(kit, record) == 0, "the same answer as before, and nothing moves"
    assert kit.shadow(chip) == 750


def test_a_proof_that_follows_a_reversal_is_kept_and_can_be_posted(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(200)
    assert (reverse(kit, record), kit.codes(record)) == (0, [Result.REVERSED])
    decide(HeldRecord.objects.get(), Outcome.RELEASE)
    assert kit.shadow(chip) == 800
