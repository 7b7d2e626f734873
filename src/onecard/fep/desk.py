"""What the front-end does with a record by itself: decides it or keeps it, and writes that in the same transaction (G3).

A purchase approved here is stored as an ADVICE under the terminal's own number (docs/adr/0071), a hold stays here and its COMMIT
goes up as an ADVICE of the final amount. Runs in the journal's thread; an answer leaves only after the commit.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from onecard.fep import book
from onecard.fep.decide import Purchase, Spent, decide, read_code, spending_key
from onecard.fep.faults import Point, passed
from onecard.fep.lists import Lists
from onecard.fep.records import DECIDED, FACTS, KEPT, Answer, Asked
from onecard.kernel.codes import Operation, Result
from onecard.protocol.lease import Step

_UNAVAILABLE = Answer(Result.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Moment:
    """What holds at the moment of a decision."""

    now_us: int
    lists: Lists
    step: Step
    code_keys: Mapping[int, bytes] = field(default_factory=dict)
    cut_off: Result | None = None
    """Why the platform has cut the line off."""
    takes_sales: bool = True
    """False when the disk is nearly full: what has happened is still kept, nothing new is sold."""


@dataclass(slots=True)
class Effects:
    """What a transaction of the desk has changed; told to the event loop after the commit."""

    queued: dict[int, int] = field(default_factory=dict)
    """Records put into the queue, by terminal."""
    holds: set[int] = field(default_factory=set)
    """Terminals that have a hold here now."""

    def add(self, terminal_id: int) -> None:
        """One record more."""
        self.queued[terminal_id] = self.queued.get(terminal_id, 0) + 1


def serve(
    db: sqlite3.Connection, asked: Asked, moment: Moment, effects: Effects, *, in_doubt: bool, known: Answer | None = None
) -> Answer:
    """Answer one record without the platform. `in_doubt`: it may have posted the record already; `known`: what it answered."""
    first = find_answer(db, asked) or known
    if first is not None:
        return first
    if asked.op in DECIDED:
        answer = _decide(db, asked, moment, effects, in_doubt=in_doubt)
    elif asked.op in KEPT:
        answer = _keep(db, asked, moment, effects)
    else:
        return _UNAVAILABLE
    passed(Point.LOCAL_DECIDED)
    return answer


def find_answer(db: sqlite3.Connection, asked: Asked) -> Answer | None:
    """What was answered here under the record's number; None when nothing was, and for a sale that is another than the first."""
    if asked.op in DECIDED and book.was_reversed(db, asked):
        return Answer(Result.REVERSED)
    first = None if asked.op == Operation.CHIP_PURCHASE else book.find_answer(db, asked)
    if asked.op not in FACTS or (first is not None and first.code != Result.KEY_CONFLICT):
        return first
    # The goods are gone: what goes up under a number used before is posted by the ledger or kept for a person. Of a chip the
    # journal remembers too little to tell two records apart.
    return Answer(Result.APPROVED) if book.is_queued(db, asked) else None


def undo_here(db: sqlite3.Connection, asked: Asked, moment: Moment) -> None:
    """The platform has answered a reversal while its record was being decided here."""
    if not book.is_used(db, asked):
        _give_back(db, asked, moment)
        book.remember(db, asked, Result.APPROVED, moment.now_us)


def _decide(db: sqlite3.Connection, asked: Asked, moment: Moment, effects: Effects, *, in_doubt: bool) -> Answer:
    if asked.op == Operation.HOLD and asked.pay_code:
        return _UNAVAILABLE  # its final amount would come up without the code, which is its only proof
    code = read_code(asked.pay_code) if asked.pay_code else None
    code_id = code.body.code_id.to_bytes(8, "big") if code else b""
    result = _result(db, asked, moment, code_id)
    if result is not Result.APPROVED:
        # What the platform may have approved is not refused in so many words: the terminal reverses it, or asks again.
        return _UNAVAILABLE if in_doubt else Answer(result)
    key = spending_key(asked.card_no, moment.lists.rules, moment.now_us)
    book.spend(db, key, asked.amount_fen, count=1)
    book.see(db, (asked.card_no,))
    if code:
        book.use_code(db, code_id, code.body.expires_at)
    book.remember(db, asked, Result.APPROVED, moment.now_us)
    if asked.op == Operation.HOLD:
        _hold(db, asked, moment, effects, in_doubt=in_doubt)
    else:
        advice = asked._replace(op=int(Operation.ADVICE))
        book.enqueue(db, advice, moment.now_us, due_fen=asked.amount_fen)
        effects.add(asked.terminal_id)
    return Answer(Result.APPROVED)


def _result(db: sqlite3.Connection, asked: Asked, moment: Moment, code_id: bytes) -> Result:
    if moment.cut_off is not None:
        return moment.cut_off
    if not moment.takes_sales:
        return Result.BUSY
    day_fen, day_count, meal_fen = book.spent_by(db, spending_key(asked.card_no, moment.lists.rules, moment.now_us))
    spent = Spent(
        card_day_fen=day_fen,
        card_day_count=day_count,
        card_meal_fen=meal_fen,
        terminal_fen=book.due_of(db, asked.terminal_id, moment.now_us),
        card_seen=book.is_seen(db, asked.card_no),
        code_used=bool(code_id) and book.is_code_used(db, code_id),
    )
    lists = moment.lists
    return decide(
        Purchase(Operation(asked.op), asked.terminal_id, asked.card_no, asked.amount_fen, asked.pay_code),
        rules=lists.rules,
        cards=lists.cards,
        denied=lists.denied,
        spent=spent,
        lease_step=moment.step,
        now_us=moment.now_us,
        code_keys=moment.code_keys,
    )


def _hold(db: sqlite3.Connection, asked: Asked, moment: Moment, effects: Effects, *, in_doubt: bool) -> None:
    book.add_hold(db, asked, moment.now_us)
    effects.holds.add(asked.terminal_id)
    if in_doubt:
        # The platform may hold the money too; nobody would ever give that hold back.
        undo = asked._replace(op=int(Operation.REVERSAL), pay_code=b"")
        book.enqueue(db, undo, moment.now_us)
        effects.add(asked.terminal_id)


def _keep(db: sqlite3.Connection, asked: Asked, moment: Moment, effects: Effects) -> Answer:
    """Facts are never refused for want of a limit: the goods are gone."""
    goes_up: Asked | None = asked
    due_fen = 0
    match asked.op:
        case Operation.COMMIT | Operation.RELEASE:
            hold = book.find_hold(db, *asked.original)
            if hold is not None:
                refusal = _follow_hold(db, asked, hold, moment)
                if refusal is not None:
                    return refusal
                goes_up, due_fen = _advice_of(asked, hold)
        case Operation.REVERSAL:
            goes_up = _give_back(db, asked, moment)
        case Operation.ADVICE:
            book.spend(db, spending_key(asked.card_no, moment.lists.rules, moment.now_us), asked.amount_fen, count=1)
            book.see(db, (asked.card_no,))
            due_fen = asked.amount_fen
    if not book.is_used(db, asked):
        book.remember(db, asked, Result.APPROVED, moment.now_us)
    if goes_up is not None:
        book.enqueue(db, goes_up, moment.now_us, due_fen=due_fen)
        effects.add(asked.terminal_id)
    return Answer(Result.APPROVED)


def _follow_hold(db: sqlite3.Connection, asked: Asked, hold: book.Hold, moment: Moment) -> Answer | None:
    """End a hold given here; an answer when it can't be."""
    if hold.is_ended:
        return Answer(Result.HOLD_CLOSED)
    if hold.card_no != asked.card_no:
        return Answer(Result.ORIGINAL_MISMATCH)
    used_fen = asked.amount_fen if asked.op == Operation.COMMIT else 0
    if used_fen > hold.amount_fen:
        return Answer(Result.AMOUNT_INVALID)
    book.end_hold(db, hold)
    key = spending_key(hold.card_no, moment.lists.rules, hold.given_at_us)
    book.spend(db, key, used_fen - hold.amount_fen, count=0)
    return None


def _advice_of(asked: Asked, hold: book.Hold) -> tuple[Asked | None, int]:
    """What goes up for the end of a hold given here: nothing, or the final amount under the COMMIT's own number."""
    if asked.op == Operation.RELEASE or asked.amount_fen == 0:
        return None, 0
    return asked._replace(op=int(Operation.ADVICE), orig_terminal_id=0, orig_seq=0), asked.amount_fen


def _give_back(db: sqlite3.Connection, asked: Asked, moment: Moment) -> Asked:
    """The reversal of a record that was approved here frees what that had used of the limits; the reversal as it goes up."""
    rules = moment.lists.rules
    hold = book.find_hold(db, asked.terminal_id, asked.terminal_seq)
    if hold is not None:
        if _undoes(asked, hold.card_no, hold.amount_fen):
            if not hold.is_ended:
                book.end_hold(db, hold)
                book.spend(db, spending_key(hold.card_no, rules, hold.given_at_us), -hold.amount_fen, count=-1)
            # As the reversal that may have gone up with the hold: under one key there is one amount.
            return asked._replace(amount_fen=hold.amount_fen)
        return asked
    sale = book.find_sale(db, asked)
    if sale is not None:
        card_no, fen, at_us = sale
        if _undoes(asked, card_no, fen):
            book.spend(db, spending_key(card_no, rules, at_us), -fen, count=-1)
    return asked


def _undoes(reversal: Asked, card_no: int, fen: int) -> bool:
    """As the ledger has it: the same card, and the same amount or none. Anything else undoes nothing."""
    return reversal.card_no == card_no and reversal.amount_fen in (0, fen)
