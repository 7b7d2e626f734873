"""Gray records (灰记录): resolved by what the chip's other records prove (standards 4.3), else left to two people.

- the same purchase came in with its proof: the gray record is that one;
- another purchase used the same counter from the same balance: the gray one never happened;
- the chip's next record (counter + 1) begins with what the gray one would have left: it happened, and is posted;
- the next record begins with the balance before the gray one: nothing happened.

With a load in between the balances say nothing; a counter that two people have posted a record for, or that two kept records fit,
proves nothing for one of them; what the terminal reversed may be settled otherwise: there people decide.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from onecard.kernel.codes import Result
from onecard.kernel.numbers import card_lane
from onecard.ledger import chip as ledger
from onecard.services.chip import counters
from onecard.services.chip.choices import RecordState, SettledBy
from onecard.services.chip.columns import one_column, record_of
from onecard.services.chip.models import HeldRecord, Load, Purchase
from onecard.services.chip.raw import hold_lane, raw
from onecard.services.chip.verify import Judged, find_cards

log = logging.getLogger(__name__)
_SKEW = timedelta(minutes=10)
"""How far terminals' clocks may lie apart before a load's place among the purchases is not believed."""


def resolve(cards: Iterable[int], *, now: datetime) -> int:
    """Settles the open gray records of cards whose lane the caller holds, as far as a rule does; returns how many."""
    rows = HeldRecord.objects.filter(state=RecordState.OPEN, code=Result.GRAY, card_no__in=list(cards))
    settled = 0
    for row in list(rows.order_by("-card_counter", "id")):  # the later one first: it may be what the earlier one waits for
        try:
            with transaction.atomic():
                settled += _resolve_one(row, now)
        except IntegrityError:
            log.warning("gray record %d: its counters were used by another record, people decide", row.pk)
    return settled


def resolve_all(*, now: datetime) -> int:
    """`resolve` for every card that has an open gray record, a lane a transaction."""
    by_lane: dict[int, list[int]] = defaultdict(list)
    found = HeldRecord.objects.filter(state=RecordState.OPEN, code=Result.GRAY).values_list("card_no", flat=True).distinct()
    for card_no in found:
        by_lane[card_lane(card_no)].append(card_no)
    settled = 0
    for lane, cards in sorted(by_lane.items()):
        with transaction.atomic():
            hold_lane(lane)
            settled += resolve(cards, now=now)
    return settled


def answer_at_once(one: Judged) -> None:
    """A gray record that the records before it settled already is answered as posted."""
    row = HeldRecord.objects.get(content=one.record.content())
    if row.state == RecordState.POSTED:
        one.code, one.transfer_id = Result.APPROVED, row.transfer_id or 0


def _resolve_one(row: HeldRecord, now: datetime) -> bool:
    same = Purchase.objects.filter(card_no=row.card_no, card_counter=row.card_counter).order_by("released").first()
    if same is not None:
        return _resolve_by_same(row, same, now)
    after = Purchase.objects.filter(card_no=row.card_no, card_counter=row.card_counter + 1, released=False).first()
    if after is None:
        return False
    if after.balance_before_fen == _left_fen(row):
        if _has_rival(row) or _is_loaded_between(row, after):
            return False
        one = post(row, now=now, released=False)
        posted = one.code == Result.APPROVED
        return posted and settle(row, RecordState.POSTED, SettledBy.RULE, now=now, transfer_id=one.transfer_id)
    if after.balance_before_fen == row.balance_before_fen and not _may_be_hidden_by_a_load(row):
        return settle(row, RecordState.REFUSED, SettledBy.RULE, now=now)
    return False


def _left_fen(row: HeldRecord) -> int:
    return row.balance_before_fen - row.amount_fen


def _resolve_by_same(row: HeldRecord, same: Purchase, now: datetime) -> bool:
    if (same.sam_no, same.sam_seq, same.amount_fen) == (row.sam_no, row.sam_seq, row.amount_fen):
        how = SettledBy.RULE if same.released else SettledBy.PROOF
        return settle(row, RecordState.PROVED, how, now=now, transfer_id=same.transfer_id)
    if same.released or (_was_gray(same) and same.balance_before_fen - same.amount_fen == _left_fen(row)):
        return False  # nothing but the sum says which of the two it was
    if same.balance_before_fen == row.balance_before_fen:
        return settle(row, RecordState.REFUSED, SettledBy.RULE, now=now)
    return False


def _was_gray(purchase: Purchase) -> bool:
    key = {"terminal_id": purchase.terminal_id, "terminal_seq": purchase.terminal_seq}
    return HeldRecord.objects.filter(**key, state=RecordState.POSTED, code=Result.GRAY).exists()


def _has_rival(row: HeldRecord) -> bool:
    """Whether another record that waits fits the same counter and leaves the same balance; not the same sale told twice."""
    others = HeldRecord.objects.filter(state=RecordState.OPEN, card_no=row.card_no, card_counter=row.card_counter)
    fitting = others.filter(balance_before_fen=F("amount_fen") + _left_fen(row))
    return fitting.exclude(terminal_id=row.terminal_id, terminal_seq=row.terminal_seq).exists()


def _is_loaded_between(row: HeldRecord, after: Purchase) -> bool:
    """Whether a load may lie between them: no purchase does, so its chip held what the gray one left, or had not touched."""
    span = (row.occurred_at - _SKEW, after.occurred_at + _SKEW)
    held = (row.balance_before_fen, _left_fen(row))
    return Load.objects.filter(card_no=row.card_no, host_time__range=span, old_balance_fen__in=held).exists()


def _may_be_hidden_by_a_load(row: HeldRecord) -> bool:
    """Whether the chip ever loaded, from what the gray one would have left, what may make up for it: as if nothing had happened.

    The terminal's clock is not asked: how wrong it may be is not known, and a refusal takes money from the merchant.
    """
    return Load.objects.filter(card_no=row.card_no, old_balance_fen=_left_fen(row), amount_fen__lte=row.amount_fen).exists()


def post(row: HeldRecord, *, now: datetime, released: bool) -> Judged:
    """Posts a kept record under its own key, in the caller's transaction with the lane held; its code says what became of it."""
    record = record_of(row)
    one = Judged(record, find_cards([row.card_no]).get(row.card_no))
    columns = ledger.ChipColumns()
    one_column(columns, record, precheck=0, released=released)
    answers = ledger.post_chip(raw(), card_lane(row.card_no), columns)
    one.code, one.balance_fen, one.transfer_id = answers.code[0], answers.balance[0], answers.transfer[0]
    if (
        one.code == Result.APPROVED
        and not Purchase.objects.filter(terminal_id=row.terminal_id, terminal_seq=row.terminal_seq).exists()
    ):
        counters.note_posted([one], now=now, released=released)
        counters.note_sams([one], now=now)
    return one


def settle(row: HeldRecord, state: RecordState, how: SettledBy, *, now: datetime, transfer_id: int | None = None) -> bool:
    """Closes a kept record for good."""
    row.state, row.how, row.settled_at, row.transfer_id = state, how, now, transfer_id
    row.save(update_fields=["state", "how", "settled_at", "transfer_id", "decision"])
    return True
