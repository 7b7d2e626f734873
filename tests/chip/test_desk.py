"""The desk: released or refused by two people, never by one; what is released is posted under its own key."""

import pytest
from django.db import IntegrityError, transaction

from onecard.kernel.codes import Result
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.ledger.accounts import BookKind, book_id
from onecard.services.actors import Actor
from onecard.services.chip import api
from onecard.services.chip.choices import Outcome, Subject
from onecard.services.chip.models import CounterHole, Decision, HeldRecord, LoadDoubt, Purchase
from tests.chip.kit import INDEPENDENT, UNIFIED, Chip, Kit

ANNE, BILL = Actor("anne", frozenset({"*"})), Actor("bill", frozenset({"*"}))


def held() -> HeldRecord:
    return HeldRecord.objects.get()


def decide(outcome: Outcome, pk: int | None = None, subject: Subject = Subject.RECORD) -> None:
    proposed = api.propose(subject, pk or held().pk, outcome, actor=ANNE, reason="与商户核对")
    api.approve(proposed.pk, actor=BILL)


def test_what_two_people_release_is_posted_under_its_own_key(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(300, tac=1)
    kit.take(record)
    assert api.outcomes_for(Subject.RECORD, held().pk) == (Outcome.RELEASE, Outcome.REFUSE)
    decide(Outcome.RELEASE)
    row = held()
    assert (row.state, row.how, kit.shadow(chip)) == ("posted", "people", 700)
    assert kit.codes(record) == [0]
    purchase = Purchase.objects.get()
    assert (purchase.released, purchase.transfer_id, purchase.terminal_seq) == (True, row.transfer_id, record.terminal_seq)
    assert api.outcomes_for(Subject.RECORD, row.pk) == ()


def test_what_two_people_refuse_moves_nothing_and_stays(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    record = chip.buy(300, tac=1)
    kit.take(record)
    decide(Outcome.REFUSE)
    assert (held().state, kit.shadow(chip), kit.codes(record)) == ("refused", 1_000, [Result.TAC_WRONG])


def test_one_person_alone_cannot_and_the_database_says_so_too(kit: Kit) -> None:
    kit.take(kit.chip(balance=1_000).buy(300, tac=1))
    proposed = api.propose(Subject.RECORD, held().pk, Outcome.RELEASE, actor=ANNE, reason="核对")
    with pytest.raises(Forbidden):
        api.approve(proposed.pk, actor=ANNE)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.filter(pk=proposed.pk).update(approved=True, decided_by="anne", decided_at=kit.now)
    with pytest.raises(IntegrityError), transaction.atomic():
        HeldRecord.objects.update(state="posted", how="people", settled_at=kit.now, transfer_id=1, decision=proposed.pk)
    assert held().state == "open"


def test_a_proposal_is_rejected_or_taken_back_and_another_may_follow(kit: Kit) -> None:
    kit.take(kit.chip(balance=1_000).buy(300, tac=1))
    pk = held().pk
    first = api.propose(Subject.RECORD, pk, Outcome.RELEASE, actor=ANNE, reason="核对")
    assert [row.proposed for row in api.quarantine(actor=ANNE)] == [first]
    assert api.open_decisions(actor=BILL) == [first]
    with pytest.raises(Forbidden):
        api.reject(first.pk, actor=Actor("carl", frozenset({"chip.decide"})))
    api.reject(first.pk, actor=BILL)
    second = api.propose(Subject.RECORD, pk, Outcome.REFUSE, actor=BILL, reason="商户撤回")
    api.reject(second.pk, actor=Actor("bill", frozenset({"chip.decide"})))
    assert (held().state, api.open_decisions(actor=ANNE)) == ("open", [])
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.filter(pk=first.pk).update(reason="其他")


def test_what_makes_no_sense_is_refused(kit: Kit) -> None:
    kit.take(kit.chip(balance=1_000).buy(300, tac=1))
    pk = held().pk
    with pytest.raises(InvalidInput):
        api.propose(Subject.RECORD, pk, Outcome.RELEASE, actor=ANNE, reason="  ")
    with pytest.raises(InvalidInput):
        api.propose(Subject.RECORD, pk, Outcome.WAIVE, actor=ANNE, reason="核对")
    with pytest.raises(NotFound):
        api.propose(Subject.DOUBT, pk + 1, Outcome.CLOSE, actor=ANNE, reason="核对")
    with pytest.raises(Forbidden):
        api.propose(Subject.RECORD, pk, Outcome.RELEASE, actor=Actor("x", frozenset({"chip.view"})), reason="核对")


def test_a_release_overrides_p2_but_not_an_unknown_card_or_a_used_key(kit: Kit) -> None:
    own = kit.chip(operator=INDEPENDENT)
    own.balance = 100
    kit.take(own.buy(10))
    decide(Outcome.RELEASE)
    assert kit.shadow(own) == -10
    chip = kit.chip(balance=1_000)
    right = chip.buy(5)
    kit.take(right)
    kit.take(chip.buy(6, terminal_seq=right.terminal_seq))
    row = HeldRecord.objects.get(state="open")
    with pytest.raises(RuleViolated):
        decide(Outcome.RELEASE, row.pk)
    assert HeldRecord.objects.get(pk=row.pk).state == "open", "the approval went back with it"
    assert api.open_decisions(actor=ANNE)[0].approved is None


def test_a_released_record_settles_a_gray_one_that_waited_for_it(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    gray, after = chip.buy(300, gray=True), chip.buy(50, sam_no=77)
    assert kit.codes(gray, after) == [Result.GRAY, Result.SAM_BLOCKED]
    row = HeldRecord.objects.get(code=Result.SAM_BLOCKED)
    decide(Outcome.RELEASE, row.pk)
    assert kit.shadow(chip) == 950, "a released record proves nothing about others"
    decide(Outcome.RELEASE, HeldRecord.objects.get(code=Result.GRAY).pk)
    assert kit.shadow(chip) == chip.balance == 650


def test_a_hole_is_closed_by_two_people(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    chip.buy(1)
    kit.take(chip.buy(1))
    hole = CounterHole.objects.get()
    assert [text.en for text in api.counters_complete(chip.card_no)] == ["1 offline records are missing"]
    decide(Outcome.CLOSE, hole.pk, Subject.HOLE)
    assert api.counters_complete(chip.card_no) == []
    assert api.holes(actor=ANNE, filled=True)[0].hole.how == "people"


def test_an_operators_people_see_and_decide_their_own_only(kit: Kit) -> None:
    own, other = kit.chip(balance=1_000), kit.chip(operator=INDEPENDENT)
    other.balance = 100
    kit.take(own.buy(1, tac=1), other.buy(1))
    clerk = Actor("clerk", frozenset({"chip.view", "chip.decide", "chip.approve"}), frozenset({UNIFIED}))
    rows = api.quarantine(actor=clerk)
    assert [row.record.card_no for row in rows] == [own.card_no]
    assert api.overview(actor=clerk).quarantine.count == 1
    assert api.overview(actor=ANNE).quarantine.count == 2
    foreign = HeldRecord.objects.get(card_no=other.card_no)
    with pytest.raises(Forbidden):
        api.propose(Subject.RECORD, foreign.pk, Outcome.REFUSE, actor=clerk, reason="核对")


def test_lists_are_filtered_and_paged(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(*(chip.buy(1, tac=1) for _ in range(5)), chip.buy(1, sam_no=77), chip.buy(1, gray=True))
    assert len(api.quarantine(actor=ANNE)) == 6
    assert len(api.quarantine(actor=ANNE, code=Result.TAC_WRONG)) == 5
    assert len(api.quarantine(actor=ANNE, reason="sam")) == 1
    first = api.quarantine(actor=ANNE, limit=4)
    rest = api.quarantine(actor=ANNE, limit=4, before_id=first[-1].record.pk)
    assert len({row.record.pk for row in first + rest}) == 6
    assert [row.record.gray for row in api.gray_records(actor=ANNE, card_no=chip.card_no)] == [True]
    assert api.quarantine(actor=ANNE, terminal_id=1) == []


def test_parameters_are_kept_in_range(kit: Kit) -> None:
    assert api.set_limits(actor=ANNE, max_counter_jump=5).max_counter_jump == 5
    chip = kit.chip(balance=1_000)
    assert kit.codes(chip.buy(1, card_counter=6)) == [Result.COUNTER_IMPOSSIBLE]
    with pytest.raises(InvalidInput):
        api.set_limits(actor=ANNE, max_counter_jump=0)
    with pytest.raises(InvalidInput):
        api.set_limits(actor=ANNE, no_such_figure=1)
    with pytest.raises(Forbidden):
        api.set_limits(actor=Actor("x"), max_counter_jump=5)


def below_zero(kit: Kit) -> Chip:
    """A chip that was paid out before its last purchase came in."""
    chip = kit.chip(1_000, balance=500)
    late = chip.buy(300)
    kit.execute("SELECT ledger.unload_chip(-3, %s, %s, NULL, now(), current_date)", chip.card_no, chip.card_no)
    assert kit.codes(late) == [0]
    assert (kit.shadow(chip), kit.purse(chip)) == (-300, 1_000)
    return chip


def book(kit: Kit, kind: BookKind) -> int:
    return int(
        kit.execute(
            "SELECT coalesce(sum(CASE WHEN credit = %s THEN amount_fen ELSE -amount_fen END), 0) FROM ledger.transfer"
            " WHERE %s IN (debit, credit)",
            *[book_id(kind, UNIFIED)] * 2,
        )[0][0]
    )


def test_two_people_write_off_what_a_chip_lacks_as_the_operators_loss(kit: Kit) -> None:
    chip = below_zero(kit)
    lost, funding = book(kit, BookKind.CHIP_LOSS), book(kit, BookKind.FUNDING)
    (row,) = [row for row in api.below_zero(actor=ANNE) if row.card_no == chip.card_no]
    assert (row.missing_fen, row.operator_id, row.proposed) == (300, UNIFIED, None)
    assert api.outcomes_for(Subject.CHIP, chip.card_no) == (Outcome.WRITE_OFF,)
    proposed = api.propose(Subject.CHIP, chip.card_no, Outcome.WRITE_OFF, actor=ANNE, reason="卡已退")
    assert proposed.amount_fen == 300
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.filter(pk=proposed.pk).update(amount_fen=1)
    with pytest.raises(Forbidden):
        api.approve(proposed.pk, actor=ANNE)
    api.approve(proposed.pk, actor=BILL)
    assert (kit.shadow(chip), kit.purse(chip)) == (0, 1_000)
    assert (book(kit, BookKind.CHIP_LOSS) - lost, book(kit, BookKind.FUNDING) - funding) == (-300, 0)
    assert (api.outcomes_for(Subject.CHIP, chip.card_no), api.counters_complete(chip.card_no)) == ((), [])
    with pytest.raises(RuleViolated):
        decide(Outcome.WRITE_OFF, chip.card_no, Subject.CHIP)


def test_a_write_off_is_of_the_sum_that_was_proposed_and_of_no_chip_in_doubt(kit: Kit) -> None:
    chip = below_zero(kit)
    proposed = api.propose(Subject.CHIP, chip.card_no, Outcome.WRITE_OFF, actor=ANNE, reason="卡已退")
    kit.take(chip.buy(50))
    with pytest.raises(RuleViolated):
        api.approve(proposed.pk, actor=BILL)
    api.reject(proposed.pk, actor=ANNE)
    kit.load(chip.initialize_load(1))
    with pytest.raises(RuleViolated, match="in doubt"):
        decide(Outcome.WRITE_OFF, chip.card_no, Subject.CHIP)
    decide(Outcome.NOT_WRITTEN, LoadDoubt.objects.get(settled_at__isnull=True).pk, Subject.DOUBT)
    decide(Outcome.WRITE_OFF, chip.card_no, Subject.CHIP)
    assert kit.shadow(chip) == 0


def test_a_chip_at_zero_or_above_is_not_written_off(kit: Kit) -> None:
    chip = kit.chip(balance=1_000)
    kit.take(chip.buy(1))
    with pytest.raises(RuleViolated):
        decide(Outcome.WRITE_OFF, chip.card_no, Subject.CHIP)
    with pytest.raises(NotFound):
        api.outcomes_for(Subject.CHIP, 1)
    clerk = Actor("clerk", frozenset({"chip.view"}), frozenset({INDEPENDENT}))
    assert [row for row in api.below_zero(actor=clerk) if row.operator_id != INDEPENDENT] == []
