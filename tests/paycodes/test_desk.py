"""Held payments end by two people: posted once under the terminal's own key, or refused with a reason; the database holds it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, transaction

from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.kernel.numbers import QR_ISSUER, build_card_no
from onecard.protocol.paycode import parse_code
from onecard.services.actors import Actor
from onecard.services.paycodes import api as codes
from onecard.services.paycodes.errors import AlreadySettled, NotPostable, SamePerson
from onecard.services.paycodes.models import HeldDecision, HeldPayment, PayCodeUse
from onecard.terminal.journal import JournalRecord
from tests.paycodes.conftest import OPENING_FEN, City, Till
from tests.paycodes.test_end_to_end import by_hand

DESK = frozenset({"paycodes.held", "paycodes.decide", "paycodes.approve"})
ANNA, BORIS = Actor("anna", DESK), Actor("boris", DESK)


def used_twice(city: City, amount: int = 800) -> tuple[Till, JournalRecord, HeldPayment, int]:
    """A payment whose code another till has used: the till, its record, what was kept, and the account."""
    first, second = city.tills
    account = city.platform.account()
    shown = city.code(account)
    for till in (first, second):
        till.acceptor.pay_offline(shown.text, amount)
    second.upload()
    (paid,) = first.upload()
    assert paid.code == Result.CODE_USED
    return first, paid, HeldPayment.objects.get(terminal_id=paid.terminal_id, terminal_seq=paid.terminal_seq), account


def without_code(city: City, amount: int, card_no: int = 0) -> tuple[Till, JournalRecord, HeldPayment]:
    till = city.tills[0]
    card_no = card_no or city.code(city.platform.account()).card_no
    record = replace(by_hand(till, b"", amount, card_no=card_no, op=Operation.ADVICE), pay_code=b"")
    (answer,) = till.send(record)
    assert answer.code == Result.CODE_INVALID
    return till, record, HeldPayment.objects.get(terminal_id=till.terminal_id, terminal_seq=record.terminal_seq)


def postings(city: City, record: JournalRecord) -> list[tuple[int, int]]:
    return city.platform.execute(
        "SELECT kind, amount_fen FROM ledger.transfer WHERE terminal_id = %s AND terminal_seq = %s",
        record.terminal_id, record.terminal_seq,
    )  # fmt: skip


def test_a_payment_is_released_by_two_people_and_posted_once(city: City) -> None:
    till, record, held, account = used_twice(city)
    row = next(row for row in codes.held_payments(actor=ANNA) if row.payment == held)
    assert (row.reason.en, row.proposed, row.age < timedelta(minutes=5)) == ("Payment code used before", None, True)
    decision = codes.propose_held(held.pk, "release", actor=ANNA, reason="顾客确认两次消费")
    assert [one.pk for one in codes.open_held_decisions(actor=BORIS)] == [decision.pk]
    with pytest.raises(SamePerson):
        codes.approve_held(decision.pk, actor=ANNA)
    assert (city.platform.balance(account), postings(city, record)) == (OPENING_FEN - 800, [])
    codes.approve_held(decision.pk, actor=BORIS)
    held.refresh_from_db()
    assert (held.state, held.decision_id, held.transfer_id is not None) == ("posted", decision.pk, True)
    assert (city.platform.balance(account), postings(city, record)) == (OPENING_FEN - 1_600, [(2, 800)])
    for _ in range(2):  # the till asks again: its record stands, and is not posted again
        (answer,) = till.send(record)
        assert (answer.code, answer.transfer_id) == (0, held.transfer_id)
    with pytest.raises(AlreadySettled):
        codes.approve_held(decision.pk, actor=BORIS)
    with pytest.raises(AlreadySettled):
        codes.propose_held(held.pk, "refuse", actor=BORIS, reason="x")
    assert city.platform.balance(account) == OPENING_FEN - 1_600


def test_a_payment_is_refused_with_a_reason_and_stays_in_the_list(city: City) -> None:
    till, record, held = without_code(city, 77)
    for wrong in (" ", ""):
        with pytest.raises(InvalidInput):
            codes.propose_held(held.pk, "refuse", actor=ANNA, reason=wrong)
    with pytest.raises(InvalidInput):
        codes.propose_held(held.pk, "forget", actor=ANNA, reason="x")
    codes.approve_held(codes.propose_held(held.pk, "refuse", actor=ANNA, reason="商户承担").pk, actor=BORIS)
    (answer,) = till.send(record)
    assert (answer.code, postings(city, record)) == (Result.CODE_INVALID, [])
    assert held.pk not in [row.payment.pk for row in codes.held_payments(actor=ANNA)]
    kept = next(row.payment for row in codes.held_payments(actor=ANNA, state="refused") if row.payment.pk == held.pk)
    assert kept.decision is not None
    assert (kept.decision.reason, kept.decision.requested_by, kept.decision.decided_by) == ("商户承担", "anna", "boris")


def test_a_proposal_is_turned_down_or_taken_back_and_made_again(city: City) -> None:
    _, _, held = without_code(city, 78)
    first = codes.propose_held(held.pk, "release", actor=ANNA, reason="a")
    with pytest.raises(AlreadySettled):
        codes.propose_held(held.pk, "refuse", actor=BORIS, reason="b")
    codes.reject_held(first.pk, actor=BORIS)
    codes.reject_held(codes.propose_held(held.pk, "release", actor=ANNA, reason="c").pk, actor=ANNA)
    codes.approve_held(codes.propose_held(held.pk, "release", actor=BORIS, reason="d").pk, actor=ANNA)
    assert [d.approved for d in HeldDecision.objects.filter(held=held).order_by("id")] == [False, False, True]


def test_the_database_refuses_the_same_person_and_every_other_way_out(city: City) -> None:
    _, _, held = without_code(city, 79)
    decision = codes.propose_held(held.pk, "release", actor=ANNA, reason="a")
    table = "UPDATE paycodes_helddecision SET approved = true, decided_at = now(), decided_by = 'anna' WHERE id = %s"
    held_table = "UPDATE paycodes_heldpayment SET"
    for sql in (
        table,
        f"{held_table} state = 'refused', settled_at = now(), decision_id = {decision.pk} WHERE id = {held.pk} AND %s > 0",
        f"{held_table} state = 'noted', settled_at = now() WHERE id = {held.pk} AND %s > 0",
        f"{held_table} amount_fen = 1 WHERE id = {held.pk} AND %s > 0",
        f"DELETE FROM paycodes_heldpayment WHERE id = {held.pk} AND %s > 0",
        "DELETE FROM paycodes_helddecision WHERE id = %s",
    ):
        with pytest.raises(psycopg.IntegrityError):
            city.platform.execute(sql, decision.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        HeldDecision.objects.filter(pk=decision.pk).update(approved=True, decided_at=decision.requested_at, decided_by="anna")
    codes.approve_held(decision.pk, actor=BORIS)
    with pytest.raises(psycopg.IntegrityError):
        city.platform.execute("UPDATE paycodes_helddecision SET outcome = 'refuse' WHERE id = %s", decision.pk)
    with pytest.raises(psycopg.IntegrityError):
        city.platform.execute("UPDATE paycodes_heldpayment SET settled_at = now() WHERE id = %s", held.pk)


def test_what_the_ledger_cannot_take_stays_open(city: City) -> None:
    stranger = build_card_no(issuer=QR_ISSUER, lane=1, serial=999_999_999)
    _, record, held = without_code(city, 80, stranger)
    decision = codes.propose_held(held.pk, "release", actor=ANNA, reason="a")
    with pytest.raises(NotPostable) as refused:
        codes.approve_held(decision.pk, actor=BORIS)
    held.refresh_from_db()
    decision.refresh_from_db()
    assert (refused.value.result, held.state, decision.approved, postings(city, record)) == (
        Result.UNKNOWN_CARD,
        "open",
        None,
        [],
    )
    codes.reject_held(decision.pk, actor=BORIS)
    codes.approve_held(codes.propose_held(held.pk, "refuse", actor=ANNA, reason="无此卡").pk, actor=BORIS)


def test_a_code_that_came_late_is_used_up_by_its_release(city: City) -> None:
    late, other = city.tills
    account = city.platform.account()
    shown = city.code(account)
    code = parse_code(shown.text)
    other.acceptor.pay_offline(shown.text, 300)  # in time, but it has not come home
    late.clock.advance(timedelta(minutes=5))
    record = by_hand(late, code.to_bytes(), 200, op=Operation.ADVICE)
    assert [answer.code for answer in late.send(record)] == [Result.CODE_EXPIRED]
    held = HeldPayment.objects.get(terminal_id=late.terminal_id, terminal_seq=record.terminal_seq)
    codes.approve_held(codes.propose_held(held.pk, "release", actor=ANNA, reason="时钟慢").pk, actor=BORIS)
    assert PayCodeUse.objects.get(pk=code.body.code_id).terminal_seq == record.terminal_seq
    (second,) = other.upload()
    assert (second.code, city.platform.balance(account)) == (Result.CODE_USED, OPENING_FEN - 200)


def test_two_approvals_at_the_same_moment_post_once(city: City) -> None:
    from django.db import connections

    _, record, held, account = used_twice(city, 100)
    decision = codes.propose_held(held.pk, "release", actor=ANNA, reason="a")

    def approve(number: int) -> bool:
        try:
            codes.approve_held(decision.pk, actor=Actor(f"person {number}", DESK))
        except RuleViolated:
            return False
        else:
            return True
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(approve, range(4))) == [False, False, False, True]
    assert (city.platform.balance(account), postings(city, record)) == (OPENING_FEN - 200, [(2, 100)])


def test_who_may_and_who_sees_what(city: City) -> None:
    _, _, held = without_code(city, 81)
    elsewhere = Actor("elsewhere", DESK, frozenset({4711}))
    assert codes.held_payments(actor=elsewhere) == [] and codes.held_figure(actor=elsewhere).count == 0
    assert codes.held_figure(actor=ANNA).count >= 1
    for call in (
        lambda: codes.held_payments(actor=Actor("nobody")),
        lambda: codes.propose_held(held.pk, "refuse", actor=Actor("nobody"), reason="x"),
        lambda: codes.propose_held(held.pk, "refuse", actor=elsewhere, reason="x"),
    ):
        with pytest.raises(Forbidden):
            call()
    decision = codes.propose_held(held.pk, "refuse", actor=ANNA, reason="x")
    for call in (
        lambda: codes.approve_held(decision.pk, actor=Actor("clerk", frozenset({"paycodes.decide"}))),
        lambda: codes.approve_held(decision.pk, actor=elsewhere),
        lambda: codes.reject_held(decision.pk, actor=Actor("clerk", frozenset({"paycodes.decide"}))),
    ):
        with pytest.raises(Forbidden):
            call()
    with pytest.raises(NotFound):
        codes.approve_held(10**9, actor=BORIS)
    with pytest.raises(NotFound):
        codes.propose_held(10**9, "refuse", actor=ANNA, reason="x")
    assert codes.held_payments(actor=ANNA, min_age=timedelta(hours=1)) == []
    assert [row.payment.pk for row in codes.held_payments(actor=ANNA, card_no=held.card_no)] == [held.pk]
    assert {row.payment.result for row in codes.held_payments(actor=ANNA, result=Result.CODE_USED, state=None)} == {
        Result.CODE_USED
    }


def test_an_accounts_codes_and_uses_are_told_together(city: City) -> None:
    till = city.tills[0]
    account = city.platform.account()
    first, second = city.code(account), city.code(account)
    till.acceptor.pay_online(first.text, 450)
    till.upload()
    seen = {code.code_id: code for code in codes.codes_of(account, actor=Actor.system("test"))}
    used, unused = seen[parse_code(first.text).body.code_id], seen[parse_code(second.text).body.code_id]
    assert (used.amount_fen, used.terminal_id, used.offline, used.result) == (450, till.terminal_id, False, Result.APPROVED)
    assert (unused.used_at, unused.result, unused.expires_at) == (None, None, second.expires_at)
    with pytest.raises(NotFound):
        codes.codes_of(1, actor=Actor.system("test"))
    with pytest.raises(Forbidden):
        codes.codes_of(account, actor=ANNA)


def test_qr_cards_and_they_alone_have_the_qr_prefix(city: City) -> None:
    from onecard.ledger.codes import Medium
    from onecard.services.purses import api as purses

    account = city.platform.account()
    for card_no, medium in (
        (build_card_no(issuer=8800, lane=1, serial=900_001), Medium.QR),
        (build_card_no(issuer=QR_ISSUER, lane=1, serial=900_001), Medium.CPU),
    ):
        with pytest.raises(RuleViolated, match=str(QR_ISSUER)), transaction.atomic():
            purses.add_card(card_no, account, medium=medium)
        row = purses.AccountRow(account + 10**6, card_no, city.platform.operator, city.platform.card_type, medium=medium.value)
        with pytest.raises(psycopg.errors.CheckViolation):
            purses.open_accounts([row])
    purses.add_card(build_card_no(issuer=QR_ISSUER, lane=1, serial=900_001), account, medium=Medium.QR)
