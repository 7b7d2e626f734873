"""A chip record's way in: verified, posted, or kept with its reason; once, in any order, and nothing lost."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import ConflictField, Result
from onecard.kernel.errors import Unavailable
from onecard.services.chip import parameters
from onecard.services.chip.choices import Reason
from onecard.services.chip.models import CardState, CounterHole, HeldRecord, Purchase, SamState
from tests.chip.kit import INDEPENDENT, OTHER_SAM, OTHER_TERMINAL, SAM, Chip, Kit, Sam


def held() -> list[HeldRecord]:
    return list(HeldRecord.objects.order_by("id"))


def open_holes(kind: str = "card") -> list[tuple[int, int]]:
    return list(CounterHole.objects.filter(kind=kind, filled_at__isnull=True).order_by("first").values_list("first", "last"))


@pytest.mark.parametrize("algorithm", [0, 4])
def test_a_right_record_is_posted_and_moves_the_chip_on(kit: Kit, algorithm: int) -> None:
    chip = kit.chip(balance=1_000, algorithm=algorithm)
    (taken,) = kit.take(chip.buy(300))
    assert (taken.code, taken.balance_fen) == (0, 700)
    assert kit.shadow(chip) == chip.balance == 700
    state = CardState.objects.get(pk=chip.card_no)
    assert (state.next_counter, state.next_online, state.expected_fen) == (1, 1, 700)
    assert SamState.objects.get(pk=SAM).next_seq == 2
    assert not held()


def test_a_record_sent_again_gets_the_first_answer(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(300)
    first = kit.take(record)
    kit.take(chip.buy(100))
    assert kit.take(record) == first
    assert kit.take(record, record) == first * 2
    assert (kit.shadow(chip), Purchase.objects.count(), held()) == (600, 2, [])


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"tac": 1}, Result.TAC_WRONG, Reason.TAC_WRONG),
        ({"key_version": 2}, Result.KEY_VERSION, Reason.KEY_VERSION),
        ({"sam_no": OTHER_SAM}, Result.SAM_BLOCKED, Reason.SAM),
        ({"sam_no": 77}, Result.SAM_BLOCKED, Reason.SAM),
        ({"card_counter": 301}, Result.COUNTER_IMPOSSIBLE, Reason.COUNTER_JUMP),
        ({"balance_before_fen": 299}, Result.AMOUNT_INVALID, Reason.AMOUNT_ABOVE_BALANCE),
        ({"balance_before_fen": 100_001}, Result.LIMIT_BALANCE, Reason.BALANCE_LIMIT),
        ({"purse_order": 2}, Result.PURSE_NOT_ALLOWED, Reason.PURSE),
        ({"precheck": Result.MERCHANT_CLOSED}, Result.MERCHANT_CLOSED, Reason.MERCHANT),
    ],
)
def test_what_cannot_be_believed_is_kept_with_its_reason(kit: Kit, changes: dict[str, Any], code: int, reason: Reason) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(300, **changes)
    (taken,) = kit.take(record)
    assert taken.code == code
    (row,) = held()
    assert (row.code, row.reasons, row.state, row.operator_id) == (code, reason, "open", chip.operator)
    assert (kit.shadow(chip), Purchase.objects.count(), open_holes()) == (1_000, 0, []), "nothing moved, nothing was learned"
    assert kit.take(record) == [taken], "the same content, the same answer"
    assert len(held()) == 1


def test_limits_are_the_card_types_own_where_it_has_some(kit: Kit) -> None:
    from onecard.services.actors import Actor

    chip = kit.chip(balance=1_000)
    parameters.set_type_limits(1, max_amount_fen=200, max_balance_fen=1_000, actor=Actor.system("test"))
    assert kit.codes(chip.buy(201), chip.buy(200)) == [Result.LIMIT_TRANSACTION, 0]
    assert kit.load(chip.initialize_load(402)).code == Result.LIMIT_BALANCE


def test_times_in_the_future_or_too_long_ago_are_kept(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    at = to_epoch_us(kit.now)
    future = chip.buy(1, occurred_at_us=at + 700_000_000)
    old = chip.buy(1, occurred_at_us=at - 91 * 86_400_000_000)
    assert kit.codes(future, old) == [Result.TIME_IMPLAUSIBLE] * 2
    assert [row.reasons for row in held()] == [Reason.TIME_FUTURE, Reason.TIME_OLD]


def test_several_reasons_are_all_written_down_and_the_smallest_is_answered(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    (taken,) = kit.take(chip.buy(300, tac=1, sam_no=77, purse_order=2))
    assert taken.code == Result.PURSE_NOT_ALLOWED
    assert held()[0].reasons.split(",") == sorted([Reason.PURSE, Reason.SAM, Reason.TAC_WRONG])


def test_an_unknown_card_is_kept_and_the_vault_is_not_asked_about_it(kit: Kit) -> None:
    chip = kit.chip()
    stranger = Chip(kit, 0, 9999009999999994, chip.operator, balance=100)
    assert kit.codes(stranger.buy(1)) == [Result.UNKNOWN_CARD]
    assert (kit.vault.asked, held()[0].operator_id) == (0, 0)


def test_a_card_of_an_independent_operator_is_kept(kit: Kit) -> None:
    chip = kit.chip(operator=INDEPENDENT)
    chip.balance = 500
    assert kit.codes(chip.buy(1)) == [Result.PURSE_NOT_ALLOWED]


def test_a_unit_that_has_run_out_does_not_stop_what_is_on_the_device(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    assert kit.codes(chip.buy(1, precheck=Result.UNIT_EXPIRED), chip.buy(1, precheck=Result.UNIT_SUSPENDED)) == [0, 0]


def test_a_blocked_sams_records_are_kept(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(1)
    kit.sams[SAM] = Sam(kit.sams[SAM].terminal_id, in_order=False)
    assert kit.codes(record) == [Result.SAM_BLOCKED]


def test_one_key_with_other_content_is_refused_and_both_contents_stand(kit: Kit) -> None:
    chip, other = kit.chip(balance=1_000), kit.chip(balance=1_000)
    record = chip.buy(300)
    assert kit.codes(record) == [0]
    second = other.buy(200, terminal_seq=record.terminal_seq)
    (taken,) = kit.take(second)
    assert (taken.code, taken.conflict_field) == (Result.KEY_CONFLICT, ConflictField.CARD_NO)
    third = replace(second, amount_fen=201)
    kit.take(third)
    assert [row.reasons.split(",")[0] for row in held()] == [Reason.KEY_CONFLICT, Reason.KEY_CONFLICT]
    assert len({bytes(row.content) for row in held()}) == 2


def test_a_refused_content_does_not_shut_out_the_right_one_under_its_key(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(300)
    assert kit.codes(replace(record, tac=record.tac ^ 1), record) == [Result.TAC_WRONG, 0]
    assert kit.shadow(chip) == 700


def test_records_in_any_order_open_holes_and_fill_them(kit: Kit) -> None:
    chip = kit.chip(balance=10_000)
    records = [chip.buy(10) for _ in range(9)]
    assert kit.codes(records[2]) == [0]
    assert (open_holes(), open_holes("sam")) == ([(0, 1)], []), "what a SAM counted before its first record is no hole"
    assert kit.codes(records[7]) == [0]
    assert (open_holes(), open_holes("sam")) == ([(0, 1), (3, 6)], [(4, 7)])
    assert kit.codes(records[4]) == [0]
    assert (open_holes(), open_holes("sam")) == ([(0, 1), (3, 3), (5, 6)], [(4, 4), (6, 7)])
    assert kit.codes(records[0], records[1], records[3], records[6], records[5], records[8]) == [0] * 6
    assert (open_holes(), open_holes("sam")) == ([], [])
    filled = CounterHole.objects.filter(kind="card", how="proof")
    assert sorted(filled.values_list("first", "last")) == [(n, n) for n in (0, 1, 3, 4, 5, 6)]
    state = CardState.objects.get(pk=chip.card_no)
    assert (state.next_counter, state.expected_fen, kit.shadow(chip)) == (9, 9_910, 9_910)


@pytest.mark.parametrize("seed", range(3))
def test_any_order_doubled_and_cut_into_batches_ends_the_same(kit: Kit, seed: int) -> None:
    rng = random.Random(seed)
    chips = [kit.chip(balance=5_000, lane=n % 3) for n in range(5)]
    records = [rng.choice(chips).buy(rng.randrange(0, 40)) for _ in range(60)]
    queue = records + rng.sample(records, 20)
    rng.shuffle(queue)
    while queue:
        size = rng.randrange(1, 9)
        assert set(kit.codes(*queue[:size])) == {0}
        del queue[:size]
    assert [kit.shadow(chip) for chip in chips] == [chip.balance for chip in chips]
    assert (open_holes(), open_holes("sam"), held()) == ([], [], [])


def test_a_counter_used_by_another_record_is_kept(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    first = chip.buy(100)
    clone = chip.buy(100, card_counter=0, balance_before_fen=1_000)
    assert kit.codes(first, clone) == [0, Result.COUNTER_IMPOSSIBLE]
    assert held()[0].reasons == Reason.COUNTER_USED


def test_a_sam_sequence_used_by_another_record_is_kept(kit: Kit) -> None:
    chip, other = kit.chip(balance=1_000), kit.chip(balance=1_000, lane=1)
    first = chip.buy(100)
    assert kit.codes(first, other.buy(100, sam_seq=first.sam_seq)) == [0, Result.COUNTER_IMPOSSIBLE]
    assert held()[0].reasons == Reason.SAM_SEQ_USED


def test_a_balance_that_does_not_follow_is_kept_and_loads_explain_one_that_rises(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    records = [chip.buy(100), chip.buy(100)]
    request = chip.initialize_load(500)
    reply = kit.load(request)
    chip.credit(request, reply)  # written, not confirmed: it explains the balance all the same
    records += [chip.buy(100)]
    assert kit.codes(*records) == [0, 0, 0]
    chip.balance += 7
    assert kit.codes(chip.buy(100)) == [Result.COUNTER_IMPOSSIBLE]
    assert held()[0].reasons == Reason.BALANCE_CHAIN


def test_a_late_record_has_to_fit_the_one_after_it(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    late, after = chip.buy(100), chip.buy(100)
    assert kit.codes(after) == [0]
    assert kit.codes(replace(late, balance_before_fen=999)) == [Result.COUNTER_IMPOSSIBLE]
    assert kit.codes(late) == [0]


def test_a_locked_vault_is_no_answer_and_nothing_is_written(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(100)
    kit.vault.locked = Unavailable("保险库未打开", "the vault is locked")
    with pytest.raises(Unavailable):
        kit.take(record)
    assert (held(), Purchase.objects.count(), kit.shadow(chip)) == ([], 0, 1_000)
    kit.vault.locked = None
    assert kit.codes(record) == [0]


def test_terminals_at_once_post_everything_once(kit: Kit) -> None:
    kit.sams[OTHER_SAM] = Sam(OTHER_TERMINAL)
    chips = [kit.chip(balance=5_000, lane=n) for n in range(4)]
    records = [chips[n % 4].buy(7) for n in range(80)]
    barrier = Barrier(4)

    def send(number: int) -> set[int]:
        rng = random.Random(number)
        mine = records[:]
        rng.shuffle(mine)
        try:
            connections["default"].ensure_connection()
            barrier.wait(30)
            return {code for start in range(0, len(mine), 9) for code in kit.codes(*mine[start : start + 9])}
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert set().union(*threads.map(send, range(4))) == {0}
    assert [kit.shadow(chip) for chip in chips] == [chip.balance for chip in chips]
    assert (open_holes(), open_holes("sam"), Purchase.objects.count()) == ([], [], 80)


def test_the_database_loses_and_changes_nothing_that_was_kept(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(chip.buy(1), chip.buy(300, tac=1))
    for attempt in (
        HeldRecord.objects.all().delete,
        lambda: HeldRecord.objects.update(amount_fen=1),
        Purchase.objects.all().delete,
        lambda: Purchase.objects.update(amount_fen=1),
        lambda: HeldRecord.objects.update(state="posted", how="rule", settled_at=kit.now),
        lambda: HeldRecord.objects.update(state="refused", how="people", settled_at=kit.now),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            attempt()


def test_ages_are_counted_from_when_a_hole_opened(kit: Kit) -> None:
    from onecard.services.actors import Actor
    from onecard.services.chip import api

    chip = kit.chip(balance=1_000)
    chip.buy(1)
    kit.take(chip.buy(1))
    kit.execute("UPDATE chip_counterhole SET opened_at = now() - interval '100 hours'")
    (row,) = api.holes(actor=Actor.system("test"), min_age=timedelta(hours=99))
    assert (row.hole.first, row.hole.number) == (0, chip.card_no)
    assert row.age > timedelta(hours=99)
    assert api.raise_alarms() == {"holes": 1}


@pytest.mark.parametrize("gray", [True, False])
def test_key_versions_and_times_of_no_form_are_no_records(kit: Kit, gray: bool) -> None:
    chip = kit.chip(balance=1_000)
    plain = chip.buy(1, gray=gray)
    for change in (
        {"algorithm": 70_000}, {"key_version": 2**31 + 5}, {"occurred_at_us": 4 * 10**17}, {"occurred_at_us": 10**18},
        {"occurred_at_us": -1},
    ):  # fmt: skip
        assert kit.codes(replace(plain, **change), plain)[0] == Result.FORMAT
    assert kit.codes(plain) == [Result.GRAY if gray else 0]


def test_a_gray_record_of_no_algorithm_stops_nobody(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    assert kit.codes(chip.buy(200, gray=True, algorithm=7), chip.buy(200, gray=True, key_version=300)) == [Result.KEY_VERSION] * 2
    assert kit.codes(chip.buy(50)) == [0]
    assert kit.shadow(chip) == 950, "no rule posts them"
