"""Whether a record that shows a code may be posted: whose code it is, whether it was good then, and that it serves once.

A code is claimed by its record before that is posted, in a transaction of its own: a record that is repeated finds it is its own.
An offline payment whose code does not hold was made all the same: it is kept for a person, never posted and never lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db import connection, transaction

from onecard.kernel.clock import from_epoch_us, to_epoch_us
from onecard.kernel.codes import Result
from onecard.protocol.paycode import PayCode, PayCodeError, parse_code
from onecard.services.paycodes.choices import HeldState
from onecard.services.paycodes.models import HeldPayment, PayCodeUse
from onecard.services.paycodes.records import CodeRecord

CLOCK_TOLERANCE_S = 60
"""By how much the clock of a terminal or a phone may be wrong."""
_CLAIM = """
INSERT INTO paycodes_paycodeuse (code_id, card_no, terminal_id, terminal_seq, amount_fen, offline, occurred_at, claimed_at)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[], %s::timestamptz[],
                     %s::timestamptz[]) ON CONFLICT DO NOTHING"""
_MAX_CODE_ID = 2**63
_POSTGRES_EPOCH = date(2000, 1, 1)


Claims = Mapping[int, tuple[int, int]]


def admit_records(records: Sequence[CodeRecord], *, keys: Mapping[int, bytes], now: datetime) -> list[Result]:
    """A result for each record, in order: APPROVED may be posted, else it is the answer. `keys`: public ones by number."""
    with transaction.atomic():
        held = _held(records)
        parsed = [_parse(record) for record in records]
        claims = _claims_of(code.body.code_id for code in parsed if code is not None)
        verdicts = [
            held[record.key] if record.key in held else _judge(record, code, claims, keys=keys, now=now)
            for record, code in zip(records, parsed, strict=True)
        ]
        fresh = [verdict is Result.APPROVED and record.key not in held for record, verdict in zip(records, verdicts, strict=True)]
        claims = _claim([(r, c) for r, c, new in zip(records, parsed, fresh, strict=True) if new and c is not None], now)
        for place, (record, code) in enumerate(zip(records, parsed, strict=True)):
            if fresh[place]:
                assert code is not None
                verdicts[place] = _won(record, claims.get(code.body.code_id))
        _hold(records, verdicts, held, claims, parsed=parsed, now=now)
    return verdicts


def _parse(record: CodeRecord) -> PayCode | None:
    try:
        code = parse_code(record.code)
    except PayCodeError:
        return None
    return code if code.body.code_id < _MAX_CODE_ID else None


def _judge(record: CodeRecord, code: PayCode | None, claims: Claims, *, keys: Mapping[int, bytes], now: datetime) -> Result:
    """What the code itself says; APPROVED does not yet say that nobody else has used it."""
    if code is None or code.body.card_no != record.card_no or not code.is_signed(keys):
        return Result.CODE_INVALID
    claimed_by = claims.get(code.body.code_id)
    if claimed_by == record.key:
        return Result.APPROVED  # the same record again, whenever it comes
    fault = _time_fault(record, code, to_epoch_us(now))
    if fault is None and claimed_by is not None:
        fault = Result.CODE_USED
    if fault is None and record.is_offline and record.amount_fen > code.body.offline_limit_fen:
        fault = Result.LIMIT_TRANSACTION
    return fault or Result.APPROVED


def _time_fault(record: CodeRecord, code: PayCode, now_us: int) -> Result | None:
    """On line it happens now, whatever the terminal's clock says; off line it has happened when that says, and not after now."""
    at_us = record.occurred_at_us if record.is_offline else now_us
    if not code.body.accepted_at(at_us // 1_000_000, tolerance_s=CLOCK_TOLERANCE_S):
        return Result.CODE_EXPIRED
    return Result.TIME_IMPLAUSIBLE if at_us > now_us + CLOCK_TOLERANCE_S * 1_000_000 else None


def _won(record: CodeRecord, claimed_by: tuple[int, int] | None) -> Result:
    """None: nobody has the code, so this record has used another one before."""
    if claimed_by is None:
        return Result.CODE_INVALID
    return Result.APPROVED if claimed_by == record.key else Result.CODE_USED


def _held(records: Sequence[CodeRecord]) -> dict[tuple[int, int], Result]:
    """Records that are kept already, with the answer they were given: it does not change, unless two people have released it.

    A released one is APPROVED here: the ledger knows it, and answers what it was posted with.
    """
    terminals = [record.terminal_id for record in records if record.is_offline]
    if not terminals:
        return {}
    wanted = {record.key for record in records}
    sequences = [record.terminal_seq for record in records]
    rows = HeldPayment.objects.filter(terminal_id__in=terminals, terminal_seq__in=sequences)
    found = rows.values_list("terminal_id", "terminal_seq", "result", "state")
    return {
        (terminal, seq): Result.APPROVED if state == HeldState.POSTED else Result(result)
        for terminal, seq, result, state in found
        if (terminal, seq) in wanted
    }


def _claims_of(code_ids: Iterable[int]) -> dict[int, tuple[int, int]]:
    wanted = list(code_ids)
    rows = PayCodeUse.objects.filter(code_id__in=wanted).values_list("code_id", "terminal_id", "terminal_seq")
    return {code_id: (terminal, seq) for code_id, terminal, seq in rows}


def _operators_of(card_numbers: Sequence[int]) -> dict[int, int]:
    """Whose cards they are; one that nobody issued has no operator."""
    if not card_numbers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT card_no, operator_id FROM ledger.card WHERE card_no = ANY (%s)", [list(card_numbers)])
        return dict(cursor.fetchall())


def _claim(wanted: Sequence[tuple[CodeRecord, PayCode]], now: datetime) -> dict[int, tuple[int, int]]:
    """Claim what is free, in the order of the ids so that two batches never wait for each other; gives who has each code."""
    rows = sorted(wanted, key=lambda row: row[1].body.code_id)
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                _CLAIM,
                [
                    [code.body.code_id for _, code in rows],
                    [record.card_no for record, _ in rows],
                    [record.terminal_id for record, _ in rows],
                    [record.terminal_seq for record, _ in rows],
                    [record.amount_fen for record, _ in rows],
                    [record.is_offline for record, _ in rows],
                    [from_epoch_us(record.occurred_at_us) for record, _ in rows],
                    [now] * len(rows),
                ],
            )
    return _claims_of([code.body.code_id for _, code in rows])


def _hold(
    records: Sequence[CodeRecord],
    verdicts: Sequence[Result],
    held: Mapping[tuple[int, int], Result],
    claims: Claims,
    *,
    parsed: Sequence[PayCode | None],
    now: datetime,
) -> None:
    claims = dict(claims) | _claims_of(
        [c.body.code_id for c, v in zip(parsed, verdicts, strict=True) if c and v is Result.CODE_USED]
    )
    rows = []
    keep = [
        verdict is not Result.APPROVED and record.is_offline and record.key not in held
        for record, verdict in zip(records, verdicts, strict=True)
    ]
    operators = _operators_of([record.card_no for record, kept in zip(records, keep, strict=True) if kept])
    for record, verdict, code, kept in zip(records, verdicts, parsed, keep, strict=True):
        if not kept:
            continue
        used_by = claims.get(code.body.code_id) if code is not None and verdict is Result.CODE_USED else None
        rows.append(
            HeldPayment(
                terminal_id=record.terminal_id,
                terminal_seq=record.terminal_seq,
                card_no=record.card_no,
                operator_id=operators.get(record.card_no, 0),
                merchant=record.merchant,
                unit_id=record.unit,
                purse_order=record.purse_order,
                business_date=_POSTGRES_EPOCH + timedelta(days=record.business_date),
                meal=record.meal,
                amount_fen=record.amount_fen,
                occurred_at=from_epoch_us(record.occurred_at_us),
                received_at=now,
                result=verdict.value,
                code=record.code[:200],
                used_by_terminal=used_by[0] if used_by else None,
                used_by_seq=used_by[1] if used_by else None,
            )
        )
    HeldPayment.objects.bulk_create(rows, ignore_conflicts=True)
