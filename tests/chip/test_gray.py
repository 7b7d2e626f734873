"""Gray records: resolved by the chip's other records as standards 4.3 has it, whatever comes first; else left to two people."""

import itertools

import pytest

from onecard.kernel.codes import Result
from onecard.services import worker
from onecard.services.chip import api, gray
from onecard.services.chip.models import CounterHole, HeldRecord
from tests.chip.kit import Kit


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
