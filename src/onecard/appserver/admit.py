"""What the application server decides of each record before the ledger: form, terminal, line, and whose money it is. No I/O.

Refused here, and not kept under the record's key: FORMAT, and TERMINAL_NOT_ALLOWED for a terminal that is unknown or speaks over
a line that is not its own (else a stranger could use up another terminal's sequence numbers). Everything else, refusals by the
directory included, goes on to the ledger, which keeps the answer for a repetition.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from onecard.appserver.calls import PendingCall, Row
from onecard.appserver.chips import ChipRow
from onecard.appserver.dates import DAY_US, MINUTE_US, DayTable, believable_us
from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import MAX_LANE, is_card_no, luhn_digit
from onecard.protocol.proto.records_pb2 import Records
from onecard.protocol.purse.proofs import TransactionType
from onecard.services.chip.records import ChipRecord

MAX_AMOUNT_FEN = 10**12
_GROUP = 10_000
_LUHN_SUM = tuple(
    sum(int(digit) if place % 2 else (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(digit)] for place, digit in enumerate(f"{group:04d}"))
    for group in range(_GROUP)
)
assert -(_LUHN_SUM[1234] + _LUHN_SUM[5670]) % 10 == luhn_digit(1234567)

_OPERATIONS = frozenset(int(operation) for operation in Operation) - {Operation.CHIP_PURCHASE}
_NAMES_ORIGINAL = frozenset((Operation.COMMIT, Operation.RELEASE, Operation.VOID, Operation.REFUND))
_OFFLINE = frozenset((Operation.ADVICE, Operation.REVERSAL))
_PUBLIC_PURSE_ONLY = 1
_CHIP_TYPES = frozenset((TransactionType.ED_PURCHASE, TransactionType.EP_PURCHASE, TransactionType.COMPOSITE))
_TOP_2, _TOP_4, _TOP_6 = 1 << 16, 1 << 32, 1 << 48


class MealSpan(Protocol):
    """A meal period of a unit."""

    @property
    def no(self) -> int: ...
    def contains(self, second: int) -> bool: ...


class TerminalPost(NamedTuple):
    """What the directory says of a terminal, as the ledger wants it."""

    line_id: int
    merchant: int
    """Book account that a purchase credits."""
    unit: int
    """Unit of the merchant; 0: a public merchant."""
    purse_order: int
    precheck: int
    """`Result` code of the directory; 0: nothing against it. The ledger knows which records come in all the same (O4)."""
    funding: int
    """Book account that a top-up debits."""
    meals: Sequence[MealSpan]


Resolve = Callable[[int], TerminalPost | None]


class Sorted(NamedTuple):
    """Rows of a call, ready for the collector."""

    rows_by_lane: dict[int, list[Row]]
    enquiries: list[Row]
    chips: list[ChipRow]


def has_equal_columns(records: Records, line_ids: Sequence[int]) -> bool:
    """Whether all columns of a batch have one length."""
    size = len(records.op)
    columns = (
        records.terminal_id,
        records.terminal_seq,
        records.card_no,
        records.amount_fen,
        records.occurred_at_us,
        records.orig_terminal_id,
        records.orig_seq,
        line_ids,
    )
    return all(len(column) == size for column in columns)


def meal_at(meals: Sequence[MealSpan], second: int) -> int:
    """Number of the meal period that a second of the local day lies in; 0: none."""
    for meal in meals:
        if meal.contains(second):
            return meal.no
    return 0


def sort_records(
    call: PendingCall,
    records: Records,
    line_ids: Sequence[int],
    *,
    resolve: Resolve,
    days: DayTable,
    now_us: int,
    chip_entries: Mapping[int, int] | None = None,
) -> Sorted:
    """Answers the records that are refused here and returns rows of the others. `chip_entries`: of `chips.chip_entries`.

    One long loop on purpose: this is the only code of the tier that runs once a record, a function call each would double it.
    """
    by_lane: dict[int, list[Row]] = {}
    enquiries: list[Row] = []
    chips: list[ChipRow] = []
    luhn, group = _LUHN_SUM, _GROUP
    earliest, latest = now_us - DAY_US, now_us + DAY_US
    last_terminal, post = 0, None
    columns = zip(
        records.op,
        records.terminal_id,
        records.terminal_seq,
        records.card_no,
        records.amount_fen,
        records.occurred_at_us,
        records.orig_terminal_id,
        records.orig_seq,
        line_ids,
        strict=True,
    )
    for index, (op, terminal, seq, card, amount, occurred, orig_terminal, orig_seq, line_id) in enumerate(columns):
        if terminal != last_terminal:
            last_terminal, post = terminal, resolve(terminal)
        if post is None or post.line_id != line_id:
            call.answer(index, Result.TERMINAL_NOT_ALLOWED)
            continue
        upper, lower = divmod(card, 100_000_000)
        if (
            not 10**7 <= upper < 10**8
            or (luhn[upper // group] + luhn[upper % group] + luhn[lower // group] + luhn[lower % group]) % 10
            or seq <= 0
            or not 0 <= amount <= MAX_AMOUNT_FEN
            or op not in _OPERATIONS
            or upper // 100 % 100 > MAX_LANE
        ):
            # Chip purchases come this way because they are no operation of the lanes: the others are not asked one question more.
            if op == Operation.CHIP_PURCHASE and chip_entries and index in chip_entries and is_card_no(card):
                chip = _chip_record(records, index, chip_entries[index], post=post, days=days, now_us=now_us)
                if chip is not None:
                    chips.append(ChipRow(chip, call, index))
                    continue
            call.answer(index, Result.FORMAT)
            continue
        at = occurred
        if not earliest <= occurred <= latest:
            at = believable_us(occurred, now_us=now_us, offline=op in _OFFLINE)
        business_day, minute = days[at // MINUTE_US]
        _, merchant, unit, purse_order, precheck, funding, meals = post
        if op == 3:
            merchant, unit, purse_order = funding, 0, _PUBLIC_PURSE_ONLY
        if op in _NAMES_ORIGINAL:
            orig_terminal = orig_terminal or terminal
        meal = meal_at(meals, minute * 60 + at // 1_000_000 % 60) if meals else 0
        row = (
            op, terminal, seq, card, merchant, unit, purse_order, amount,
            occurred, business_day, meal, orig_terminal, orig_seq, precheck, call, index,
        )  # fmt: skip
        if op == 10:
            enquiries.append(row)
            continue
        lane = upper // 100 % 100
        rows = by_lane.get(lane)
        if rows is None:
            by_lane[lane] = [row]
        else:
            rows.append(row)
    return Sorted(by_lane, enquiries, chips)


def _chip_record(
    records: Records, index: int, entry: int, *, post: TerminalPost, days: DayTable, now_us: int
) -> ChipRecord | None:
    """The chip record of a row with what the directory says of its terminal; None where a field is not of its size."""
    chip, seq, amount, occurred = (
        records.chip,
        records.terminal_seq[index],
        records.amount_fen[index],
        records.occurred_at_us[index],
    )
    fits = seq > 0 and 0 <= amount < _TOP_4 and occurred >= 0 and occurred % 1_000_000 == 0
    if not (
        fits
        and chip.card_counter[entry] < _TOP_2
        and chip.sam_terminal_no[entry] < _TOP_6
        and chip.transaction_type[entry] in _CHIP_TYPES
    ):
        return None
    at = believable_us(occurred, now_us=now_us, offline=True)
    return ChipRecord(
        terminal_id=records.terminal_id[index], terminal_seq=seq, card_no=records.card_no[index], amount_fen=amount,
        occurred_at_us=occurred, card_counter=chip.card_counter[entry], balance_before_fen=chip.balance_before_fen[entry],
        sam_no=chip.sam_terminal_no[entry], sam_seq=chip.sam_seq[entry], transaction_type=chip.transaction_type[entry],
        key_version=chip.key_version[entry], algorithm=chip.algorithm[entry], tac=chip.tac[entry], gray=chip.gray[entry],
        merchant=post.merchant, purse_order=post.purse_order, business_date=days[at // MINUTE_US][0], precheck=post.precheck,
    )  # fmt: skip
