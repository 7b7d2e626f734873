"""Takes chip records in: judged, posted, kept in quarantine or as gray, a lane a transaction. Each gets a definite answer.

Posting, counters, holes and what is kept are one transaction under the lane's lock: a record that was answered stands somewhere.
Whatever cannot be known (vault locked, database away) is raised, nothing is written, and the terminal sends it again.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg
from django.db import IntegrityError, OperationalError, connection, transaction

from onecard.kernel.clock import from_epoch_us
from onecard.kernel.codes import Result
from onecard.kernel.numbers import card_lane
from onecard.ledger import chip as ledger
from onecard.services.chip import counters, gray
from onecard.services.chip.choices import Reason
from onecard.services.chip.columns import date_of, one_column
from onecard.services.chip.models import HeldRecord
from onecard.services.chip.parameters import parameter
from onecard.services.chip.raw import hold_lane, raw
from onecard.services.chip.records import ChipRecord
from onecard.services.chip.verify import CODES, Checks, Judged, judge

_ATTEMPTS = 5
_BY_CODE = {int(CODES[reason]): reason for reason in (Reason.KEY_CONFLICT, Reason.REVERSED, Reason.MERCHANT, Reason.PURSE)}
_REPEATABLE = (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class Taken(NamedTuple):
    """The answer to a record: Result, the chip purse's balance, the transfer, ConflictField."""

    code: int
    balance_fen: int
    transfer_id: int
    conflict_field: int


def take_in(records: Sequence[ChipRecord], *, checks: Checks, now: datetime | None = None) -> list[Taken]:
    """Answers in the order of the records. Raises Unavailable where the vault is locked: then nothing was written.

    Every record may be repeated, whatever became of the call.
    """
    now = now or datetime.now(UTC)
    figures = parameter()
    answers: dict[int, Taken] = {}
    first: dict[tuple[int, int], int] = {}
    turns: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, record in enumerate(records):
        if not record.has_form():
            answers[place] = Taken(Result.FORMAT, 0, 0, 0)
            continue
        # A key that stands twice in one call is taken in turns, so that the second one meets the first one's answer.
        turn = first[record.key] = first.get(record.key, -1) + 1
        turns[turn][card_lane(record.card_no)].append(place)
    formed = [place for place in range(len(records)) if place not in answers]
    judged = dict(zip(formed, judge([records[place] for place in formed], checks=checks, figures=figures, now=now), strict=True))
    for turn in sorted(turns):
        for lane, places in sorted(turns[turn].items()):
            batch = [judged[place] for place in places]
            _post_lane(lane, batch, max_jump=figures.max_counter_jump, now=now)
            for place, one in zip(places, batch, strict=True):
                answers[place] = Taken(one.code, one.balance_fen, one.transfer_id, one.conflict_field)
    # After the lanes, and for repeated records too: where this was cut off, sending them again makes it good.
    with transaction.atomic():
        counters.note_sams((one for one in judged.values() if one.code == Result.APPROVED), now=now)
    return [answers[place] for place in range(len(records))]


def _post_lane(lane: int, batch: Sequence[Judged], *, max_jump: int, now: datetime) -> None:
    """One lane's records in one transaction; repeated where another lane used the same key or SAM sequence at that moment."""
    kept = [set(one.reasons) for one in batch]
    for attempt in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                _in_transaction(lane, batch, max_jump=max_jump, now=now)
            return
        except (psycopg.Error, IntegrityError, OperationalError) as error:
            cause = error if isinstance(error, psycopg.Error) else error.__cause__
            if attempt == _ATTEMPTS - 1 or not isinstance(cause, _REPEATABLE):
                raise
            for one, reasons in zip(batch, kept, strict=True):
                one.reasons = set(reasons)


def _in_transaction(lane: int, batch: Sequence[Judged], *, max_jump: int, now: datetime) -> None:
    hold_lane(lane)
    held = _held_before(batch)
    fresh = [one for one in batch if not _answer_again(one, held)]
    if not fresh:
        return
    chips = counters.read_chips([one.record for one in fresh])
    for one in fresh:
        counters.compare(one, chips, max_jump=max_jump)
    posted = _post(lane, fresh)
    counters.note_posted(posted, now=now)
    _keep([one for one in fresh if one.code != Result.APPROVED and one.record.content() not in held])
    gray.resolve({one.record.card_no for one in fresh}, now=now)
    for one in fresh:
        if one.code == Result.GRAY:
            gray.answer_at_once(one)


def _held_before(batch: Sequence[Judged]) -> dict[bytes, HeldRecord]:
    rows = HeldRecord.objects.filter(content__in=[one.record.content() for one in batch])
    return {bytes(row.content): row for row in rows}


def _answer_again(one: Judged, held: dict[bytes, HeldRecord]) -> bool:
    """A content that was kept before gets the answer it got, or that it was posted since."""
    row = held.get(one.record.content())
    if row is None:
        return False
    one.code, one.conflict_field = row.code, row.conflict_field
    if row.state == "posted":
        one.code, one.transfer_id, one.conflict_field = Result.APPROVED, row.transfer_id or 0, 0
    return True


def _post(lane: int, fresh: Sequence[Judged]) -> list[Judged]:
    """One call of the ledger; sets the answers, and returns what was posted just now."""
    columns = ledger.ChipColumns()
    known = _known_keys(fresh)
    for one in fresh:
        one_column(columns, one.record, precheck=one.weigh(), released=False)
    answers = ledger.post_chip(raw(), lane, columns)
    posted = []
    for one, code, balance, transfer, field in zip(
        fresh, answers.code, answers.balance, answers.transfer, answers.field, strict=True
    ):
        one.code, one.balance_fen, one.transfer_id, one.conflict_field = code, balance, transfer, field
        if code == Result.APPROVED and one.record.key not in known:
            posted.append(one)
        elif code in _BY_CODE:
            one.reasons.add(_BY_CODE[code])
    return posted


def _known_keys(fresh: Sequence[Judged]) -> set[tuple[int, int]]:
    """Keys that the ledger has already: their records are repetitions, nothing new."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT k.terminal_id, k.terminal_seq FROM unnest(%s::bigint[], %s::bigint[]) i(terminal, seq)"
            "  JOIN ledger.posting_key k ON k.terminal_id = i.terminal AND k.terminal_seq = i.seq AND k.phase = 0",
            [[one.record.terminal_id for one in fresh], [one.record.terminal_seq for one in fresh]],
        )
        return set(cursor.fetchall())


def _keep(refused: Sequence[Judged]) -> None:
    """Whatever was not posted stands in a row from now on."""
    HeldRecord.objects.bulk_create(_row(one) for one in refused)


def _row(one: Judged) -> HeldRecord:
    record = one.record
    return HeldRecord(
        content=record.content(), terminal_id=record.terminal_id, terminal_seq=record.terminal_seq, card_no=record.card_no,
        amount_fen=record.amount_fen, occurred_at=from_epoch_us(record.occurred_at_us), card_counter=record.card_counter,
        balance_before_fen=record.balance_before_fen, sam_no=record.sam_no, sam_seq=record.sam_seq,
        transaction_type=record.transaction_type, key_version=record.key_version, algorithm=record.algorithm, tac=record.tac,
        gray=record.gray, merchant=record.merchant, purse_order=record.purse_order,
        business_date=date_of(record.business_date), operator_id=one.card.operator_id if one.card else 0, code=one.code,
        conflict_field=one.conflict_field, reasons=",".join(sorted(one.reasons)),
    )  # fmt: skip
