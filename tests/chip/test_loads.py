"""Loads: debited once, the same MAC2 again, settled by what the chip proves, in doubt with an age, settled by people."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction

from onecard.kernel.codes import Result
from onecard.kernel.errors import Forbidden, NotFound, RuleViolated, Unavailable
from onecard.ledger.accounts import BookKind, book_id
from onecard.services.actors import Actor
from onecard.services.chip import api
from onecard.services.chip.choices import Outcome, Subject
from onecard.services.chip.models import CardState, Load, LoadDoubt
from onecard.services.chip.steps import LoadRequest, Step
from tests.chip.kit import INDEPENDENT, SAM, Chip, Kit, Sam

ANNE, BILL = Actor("anne", frozenset({"*"})), Actor("bill", frozenset({"*"}))


def doubts(chip: Chip) -> list[str]:
    return [row.doubt.kind for row in api.load_doubts(actor=ANNE, card_no=chip.card_no)]


def decide(doubt: LoadDoubt, outcome: Outcome) -> None:
    proposed = api.propose(Subject.DOUBT, doubt.pk, outcome, actor=ANNE, reason="核对卡片")
    api.approve(proposed.pk, actor=BILL)


def the_doubt(chip: Chip) -> LoadDoubt:
    (row,) = api.load_doubts(actor=ANNE, card_no=chip.card_no)
    return row.doubt


@pytest.mark.parametrize("algorithm", [0, 4])
def test_a_load_debits_the_account_and_is_confirmed_by_its_tac(kit: Kit, algorithm: int) -> None:
    chip = kit.chip(1_000, algorithm=algorithm)
    request = chip.initialize_load(400)
    reply = kit.load(request)
    assert (reply.code, reply.balance_fen) == (0, 600)
    assert doubts(chip) == ["taken"], "until the chip has confirmed nobody knows"
    done = kit.load(chip.credit(request, reply))
    assert (done.code, done.transfer_id) == (0, reply.transfer_id)
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (600, 400, [])
    state = CardState.objects.get(pk=chip.card_no)
    assert (state.next_online, state.expected_fen) == (1, 400)


def test_a_repeated_request_gets_the_same_mac2_and_debits_once(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    first = kit.load(request)
    assert kit.load(request) == first
    confirm = chip.credit(request, first)
    assert kit.load(confirm) == kit.load(confirm)
    assert kit.load(request) == first, "also when it is over"
    assert (kit.purse(chip), Load.objects.count()) == (600, 1)
    assert kit.load(replace(request, amount_fen=401)).code == Result.KEY_CONFLICT


def test_a_chip_that_does_not_prove_itself_is_told_nothing(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    for wrong in (
        replace(request, mac1=request.mac1 ^ 1), replace(request, online_counter=1), replace(request, old_balance_fen=1),
        replace(request, amount_fen=5_000),
    ):  # fmt: skip
        assert kit.load(wrong) == (Result.MAC1_WRONG, 0, 0, 0, 0)
    assert kit.load(replace(request, key_version=2)).code == Result.KEY_VERSION
    assert (kit.purse(chip), Load.objects.count(), kit.load(request).code) == (1_000, 0, 0)


@pytest.mark.parametrize(
    ("chip", "amount", "code"),
    [
        ({"public_fen": 100}, 101, Result.INSUFFICIENT_FUNDS),
        ({"operator": INDEPENDENT}, 1, Result.PURSE_NOT_ALLOWED),
        ({}, 100_001, Result.LIMIT_BALANCE),
    ],
)
def test_a_load_that_is_refused_leaves_nothing(kit: Kit, chip: dict[str, int], amount: int, code: Result) -> None:
    made = kit.chip(**chip)
    before = kit.purse(made)
    assert kit.load(made.initialize_load(amount)).code == code
    assert (kit.purse(made), kit.shadow(made), Load.objects.count(), doubts(made)) == (before, 0, 0, [])


def test_a_lost_card_and_a_blocked_sam_are_refused(kit: Kit) -> None:
    chip = kit.chip()
    kit.execute("SELECT ledger.set_card_status(%s, 2)", chip.card_no)
    assert kit.load(chip.initialize_load(1)).code == Result.CARD_LOST
    kit.sams[SAM] = Sam(kit.sams[SAM].terminal_id, in_order=False)
    assert kit.load(chip.initialize_load(1)).code == Result.SAM_BLOCKED


@pytest.mark.parametrize("change", [{"transaction_type": 6}, {"step": 9}, {"amount_fen": 0}, {"online_counter": 70_000}])
def test_a_load_out_of_its_ranges_is_no_load(kit: Kit, change: dict[str, int]) -> None:
    assert kit.load(replace(kit.chip().initialize_load(1), **change)).code == Result.FORMAT


def test_the_next_load_finds_that_the_one_before_was_written(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    chip.credit(request, kit.load(request))  # its CONFIRM never arrives
    chip.balance -= 150  # and the chip has paid since
    request = chip.initialize_load(100)
    reply = kit.load(request)
    assert reply.code == 0
    assert kit.load(chip.credit(request, reply)).code == 0
    assert list(Load.objects.order_by("id").values_list("state", flat=True)) == ["written", "confirmed"]
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (500, 500, [])


def test_the_next_load_finds_that_the_one_before_was_not_written_and_gives_back(kit: Kit) -> None:
    chip = kit.chip(400)
    kit.load(chip.initialize_load(400))  # the card was pulled
    request = chip.initialize_load(300)
    reply = kit.load(request)
    assert (reply.code, reply.balance_fen) == (0, 100), "what it paid with was the money that came back"
    assert sorted(Load.objects.values_list("amount_fen", "state")) == [(300, "taken"), (400, "undone")]
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (100, 300, ["taken"])


def test_not_written_gives_the_money_back_against_a_later_proof(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    kit.load(request)
    assert kit.load(replace(request, step=Step.NOT_WRITTEN)).code == Result.MAC1_WRONG, "the same answer proves nothing later"
    later = chip.initialize_load(400, step=Step.NOT_WRITTEN, seq=request.terminal_seq)
    assert kit.load(replace(later, mac1=later.mac1 ^ 1)).code == Result.MAC1_WRONG
    assert kit.purse(chip) == 600
    first = kit.load(later)
    assert (first.code, first.balance_fen) == (0, 1_000)
    assert kit.load(later) == first
    assert kit.load(request).code == Result.REVERSED
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (1_000, 0, [])


def test_not_written_of_a_load_that_was_written_keeps_the_money(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    chip.credit(request, kit.load(request))
    later = chip.initialize_load(400, step=Step.NOT_WRITTEN, seq=request.terminal_seq)
    assert kit.load(later).code == Result.ORIGINAL_MISMATCH
    assert (Load.objects.get().state, kit.purse(chip), doubts(chip)) == ("written", 600, [])


def test_steps_of_a_load_that_never_was_find_nothing(kit: Kit) -> None:
    chip = kit.chip()
    request = chip.initialize_load(1)
    assert kit.load(replace(request, step=Step.CONFIRM)).code == Result.NO_ORIGINAL
    assert kit.load(replace(request, step=Step.NOT_WRITTEN)).code == Result.NO_ORIGINAL


def test_a_wrong_tac_is_a_doubt_until_the_chip_proves_the_load(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    confirm = chip.credit(request, kit.load(request))
    assert kit.load(replace(confirm, tac=confirm.tac ^ 1)).code == Result.TAC_WRONG
    assert sorted(doubts(chip)) == ["tac_wrong", "taken"]
    assert kit.load(confirm).code == 0
    assert (doubts(chip), Load.objects.get().state) == ([], "confirmed")


def test_a_load_that_was_given_back_and_is_written_after_all_is_seen(kit: Kit) -> None:
    """A terminal that lies: it tells of an earlier INITIALIZE as if it had come later."""
    chip = kit.chip(1_000)
    stale = chip.initialize_load(400, step=Step.NOT_WRITTEN)
    request = chip.initialize_load(400, seq=stale.terminal_seq)
    confirm = chip.credit(request, kit.load(request))
    assert kit.load(stale).code == 0
    assert (kit.purse(chip), chip.balance) == (1_000, 400), "the money is in both places"
    assert kit.load(confirm).code == Result.LOAD_IN_DOUBT
    assert doubts(chip) == ["given_back"]
    assert kit.load(chip.initialize_load(100)).code == Result.LOAD_IN_DOUBT, "no further load before this is settled"
    decide(the_doubt(chip), Outcome.CHARGE)
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (600, 400, [])
    assert kit.load(chip.initialize_load(100)).code == 0


def test_the_next_load_sees_it_too_and_the_operator_may_bear_it(kit: Kit) -> None:
    chip = kit.chip(400)
    stale = chip.initialize_load(400, step=Step.NOT_WRITTEN)
    request = chip.initialize_load(400, seq=stale.terminal_seq)
    chip.credit(request, kit.load(request))
    kit.load(stale)
    kit.execute("UPDATE ledger.purse SET floor_fen = 0 WHERE account_no = %s", chip.account_no)
    assert kit.load(chip.initialize_load(100)).code == Result.LOAD_IN_DOUBT
    assert doubts(chip) == ["given_back"]
    decide(the_doubt(chip), Outcome.WAIVE)
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (400, 400, [])
    assert kit.load(chip.initialize_load(100)).code == 0


def test_a_counter_that_nothing_explains_stops_loads_until_people_have_looked(kit: Kit) -> None:
    chip = kit.chip(balance=100)
    chip.online += 3
    assert kit.load(chip.initialize_load(100)).code == Result.LOAD_IN_DOUBT
    assert doubts(chip) == ["unexplained"]
    assert kit.load(chip.initialize_load(100)).code == Result.LOAD_IN_DOUBT
    decide(the_doubt(chip), Outcome.CLOSE)
    request = chip.initialize_load(100)
    assert kit.load(chip.credit(request, kit.load(request))).code == 0


def test_a_balance_above_what_was_loaded_is_not_explained(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    chip.credit(request, kit.load(request))
    chip.balance += 1
    assert kit.load(chip.initialize_load(100)).code == Result.LOAD_IN_DOUBT
    assert sorted(doubts(chip)) == ["taken", "unexplained"]


@pytest.mark.parametrize(
    ("outcome", "state", "purse", "inside"), [("written", "written", 600, 400), ("not_written", "undone", 1_000, 0)]
)
def test_people_settle_a_load_whose_card_never_came_back(kit: Kit, outcome: Outcome, state: str, purse: int, inside: int) -> None:
    chip = kit.chip(1_000)
    kit.load(chip.initialize_load(400))
    decide(the_doubt(chip), outcome)
    assert (Load.objects.get().state, kit.purse(chip), kit.shadow(chip), doubts(chip)) == (state, purse, inside, [])
    settled = LoadDoubt.objects.get()
    assert settled.decision is not None
    assert (settled.how, settled.decision.requested_by, settled.decision.decided_by) == ("people", "anne", "bill")


def test_one_person_does_not_settle_a_doubt_and_a_decision_is_made_once(kit: Kit) -> None:
    chip = kit.chip(1_000)
    kit.load(chip.initialize_load(400))
    doubt = the_doubt(chip)
    with pytest.raises(RuleViolated):
        proposed = api.propose(Subject.DOUBT, doubt.pk, Outcome.WRITTEN, actor=ANNE, reason="x")
        api.propose(Subject.DOUBT, doubt.pk, Outcome.NOT_WRITTEN, actor=BILL, reason="y")
    with pytest.raises(Forbidden):
        api.approve(proposed.pk, actor=ANNE)
    with pytest.raises(Forbidden):
        api.approve(proposed.pk, actor=Actor("carl", frozenset({"chip.decide"})))
    api.approve(proposed.pk, actor=BILL)
    with pytest.raises(RuleViolated):
        api.approve(proposed.pk, actor=BILL)
    with pytest.raises(RuleViolated):
        api.propose(Subject.DOUBT, doubt.pk, Outcome.WRITTEN, actor=ANNE, reason="x")
    assert kit.purse(chip) == 600


def test_a_locked_vault_takes_no_money(kit: Kit) -> None:
    chip = kit.chip(1_000)
    kit.vault.locked = None
    request = chip.initialize_load(400)
    kit.vault.locked = Unavailable("保险库未打开", "the vault is locked")
    with pytest.raises(Unavailable):
        kit.load(request)
    assert (kit.purse(chip), Load.objects.count()) == (1_000, 0)


def test_the_same_request_at_once_debits_once(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    barrier = Barrier(4)

    def ask(_: int) -> Any:
        try:
            connections["default"].ensure_connection()
            barrier.wait(30)
            return kit.load(request)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        replies = set(threads.map(ask, range(4)))
    assert len(replies) == 1
    assert (kit.purse(chip), Load.objects.count()) == (600, 1)


def given_back(kit: Kit) -> tuple[Chip, LoadRequest]:
    """A chip that was written although people said it was not, and its CONFIRM."""
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    confirm = chip.credit(request, kit.load(request))
    decide(the_doubt(chip), Outcome.NOT_WRITTEN)
    assert (kit.purse(chip), kit.shadow(chip), chip.balance) == (1_000, 0, 400)
    return chip, confirm


def test_a_load_that_was_given_back_is_charged_once_however_often_it_is_confirmed(kit: Kit) -> None:
    chip, confirm = given_back(kit)
    assert (kit.load(confirm).code, doubts(chip)) == (Result.LOAD_IN_DOUBT, ["given_back"])
    decide(the_doubt(chip), Outcome.CHARGE)
    assert (kit.load(confirm).code, doubts(chip)) == (0, []), "the answer to the first was lost"
    assert (kit.purse(chip), kit.shadow(chip), chip.balance) == (600, 400, 400)
    load = Load.objects.get()
    again = {"load": load, "card_no": chip.card_no, "operator_id": 1, "online_counter": 1, "balance_fen": 1, "opened_at": kit.now}
    with pytest.raises(IntegrityError), transaction.atomic():
        LoadDoubt.objects.create(kind="given_back", **again)
    assert kit.load(chip.initialize_load(100)).code == 0


def test_a_late_confirm_of_what_the_counter_told_already_opens_nothing(kit: Kit) -> None:
    chip, confirm = given_back(kit)
    assert kit.load(chip.initialize_load(100)).code == Result.LOAD_IN_DOUBT
    decide(the_doubt(chip), Outcome.WAIVE)
    assert (kit.load(confirm).code, doubts(chip)) == (0, [])
    assert (kit.purse(chip), kit.shadow(chip), chip.balance) == (1_000, 400, 400)
    (paid,) = kit.execute(
        "SELECT debit FROM ledger.transfer WHERE kind = 14 AND card_no = %s AND terminal_id = -5 AND credit < 10^12", chip.card_no
    )
    assert paid == (book_id(BookKind.CHIP_LOSS, chip.operator),), "the operator's loss, and none of its cash"


def test_the_chip_proves_people_wrong_who_said_it_was_not_written(kit: Kit) -> None:
    chip, _ = given_back(kit)
    assert (kit.load(chip.initialize_load(100)).code, doubts(chip)) == (Result.LOAD_IN_DOUBT, ["given_back"])
    decide(the_doubt(chip), Outcome.CHARGE)
    assert (kit.purse(chip), kit.shadow(chip)) == (600, 400)
    assert kit.load(chip.initialize_load(100)).code == 0


def test_the_chip_proves_people_wrong_who_said_it_was_written(kit: Kit) -> None:
    chip = kit.chip(1_000)
    kit.load(chip.initialize_load(400))
    decide(the_doubt(chip), Outcome.WRITTEN)
    assert (kit.load(chip.initialize_load(100)).code, doubts(chip)) == (Result.LOAD_IN_DOUBT, ["unexplained"])
    decide(the_doubt(chip), Outcome.CLOSE)
    assert kit.load(chip.initialize_load(100)).code == 0, "they have looked: the chip is believed"


def test_a_wrong_tac_of_a_load_that_is_over_blocks_nothing(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    kit.load(request)
    assert kit.load(chip.initialize_load(400, step=Step.NOT_WRITTEN, seq=request.terminal_seq)).code == 0
    assert (kit.load(replace(request, step=Step.CONFIRM, tac=1)).code, doubts(chip)) == (Result.TAC_WRONG, [])
    assert kit.load(chip.initialize_load(10)).code == 0


def test_a_doubt_about_a_load_that_is_over_can_be_closed(kit: Kit) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    kit.load(request)
    kit.load(chip.initialize_load(400, step=Step.NOT_WRITTEN, seq=request.terminal_seq))
    doubt = LoadDoubt.objects.create(
        kind="tac_wrong", load=Load.objects.get(), card_no=chip.card_no, operator_id=chip.operator, online_counter=1,
        balance_fen=400, opened_at=kit.now,
    )  # fmt: skip
    assert api.outcomes_for(Subject.DOUBT, doubt.pk) == (Outcome.CLOSE,)
    decide(doubt, Outcome.CLOSE)
    assert (doubts(chip), kit.load(chip.initialize_load(10)).code) == ([], 0)


@pytest.mark.parametrize(("outcome", "purse", "inside"), [(Outcome.WRITTEN, 600, 400), (Outcome.NOT_WRITTEN, 1_000, 0)])
def test_a_confirm_whose_key_version_was_retired_is_left_to_people(kit: Kit, outcome: Outcome, purse: int, inside: int) -> None:
    chip = kit.chip(1_000)
    request = chip.initialize_load(400)
    confirm = chip.credit(request, kit.load(request))

    def retired(*_: object, **__: object) -> bool:
        raise NotFound("无此密钥", "no such key")

    right, kit.vault.tac_ok = kit.vault.tac_ok, retired  # type: ignore[method-assign]
    assert (kit.load(confirm).code, sorted(doubts(chip))) == (Result.TAC_WRONG, ["tac_wrong", "taken"])
    decide(LoadDoubt.objects.get(kind="tac_wrong"), outcome)
    assert (kit.purse(chip), kit.shadow(chip), doubts(chip)) == (purse, inside, [])
    if outcome == Outcome.NOT_WRITTEN:
        assert (kit.load(confirm).code, doubts(chip)) == (Result.TAC_WRONG, []), "nothing is proved, nothing is blocked"
        assert (kit.load(chip.initialize_load(1)).code, doubts(chip)) == (Result.LOAD_IN_DOUBT, ["given_back"]), "the chip tells"
    kit.vault.tac_ok = right  # type: ignore[method-assign]


@pytest.mark.parametrize("change", [{"key_version": 1 << 15}, {"algorithm": 70_000}, {"occurred_at_us": 10**18}])
def test_a_load_whose_key_or_time_has_no_form_is_no_load(kit: Kit, change: dict[str, int]) -> None:
    assert kit.load(replace(kit.chip().initialize_load(1), **change)).code == Result.FORMAT
