"""What is decided of a record before the ledger."""

from datetime import time

import pytest

from onecard.appserver.admit import TerminalPost, has_equal_columns, meal_at, sort_records
from onecard.appserver.calls import (
    BUSINESS_DATE,
    MEAL,
    MERCHANT,
    OCCURRED,
    ORIG_TERMINAL,
    PRECHECK,
    PURSE_ORDER,
    PendingCall,
    Row,
)
from onecard.appserver.dates import DAY_US, DayTable
from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import luhn_digit
from onecard.services.operators.directory import MealSpan
from tests.appserver.rows import NOW_US, POST, card, records

pytestmark = pytest.mark.asyncio


def _sort(*entries: dict[str, int], post: TerminalPost = POST, line_id: int = 7) -> tuple[PendingCall, list[Row], list[Row]]:
    call = PendingCall(len(entries))
    found = sort_records(
        call,
        records(*entries),
        [line_id] * len(entries),
        resolve=lambda terminal: post if terminal == 1 else None,
        days=DayTable(time(23, 0)),
        now_us=NOW_US,
    )
    return call, [row for rows in found.rows_by_lane.values() for row in rows], found.enquiries


async def test_a_record_goes_to_the_lane_of_its_card() -> None:
    call = PendingCall(3)
    found = sort_records(
        call,
        records({"card_no": card(1, 0)}, {"card_no": card(2, 1)}, {"card_no": card(3, 55)}),
        [7, 7, 7],
        resolve=lambda terminal: POST,
        days=DayTable(),
        now_us=NOW_US,
    )
    assert {lane: [row[15] for row in rows] for lane, rows in found.rows_by_lane.items()} == {0: [0], 1: [1], 55: [2]}
    assert call.waiting == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"card_no": 0},
        {"card_no": card(1) + 1},
        {"card_no": -card(1)},
        {"card_no": card(1) * 10},
        {"card_no": 6212_64_000000001_0 + luhn_digit(6212_64_000000001)},
        {"terminal_seq": 0},
        {"amount_fen": -1},
        {"amount_fen": 10**12 + 1},
        {"op": 0},
        {"op": 77},
        {"op": Operation.REVERSAL, "card_no": 0},
    ],
)
async def test_a_malformed_record_is_answered_format_and_goes_no_further(wrong: dict[str, int]) -> None:
    call, rows, _ = _sort(wrong)
    assert (call.codes, rows) == ([Result.FORMAT], [])


async def test_a_stranger_cannot_use_up_another_terminals_sequence() -> None:
    assert _sort({}, line_id=8)[0].codes == [Result.TERMINAL_NOT_ALLOWED]
    assert _sort({"terminal_id": 2})[0].codes == [Result.TERMINAL_NOT_ALLOWED]
    assert _sort({}, line_id=8)[1] == []


async def test_what_the_directory_has_against_it_goes_to_the_ledger_with_the_record() -> None:
    suspended = POST._replace(precheck=int(Result.UNIT_SUSPENDED))
    call, [row], _ = _sort({}, post=suspended)
    assert (row[PRECHECK], call.waiting) == (Result.UNIT_SUSPENDED, 1)


async def test_a_topup_comes_from_the_operators_funding_into_the_public_purse() -> None:
    _, [row], _ = _sort({"op": Operation.TOPUP}, post=POST._replace(unit=12, purse_order=3))
    assert (row[MERCHANT], row[PURSE_ORDER]) == (POST.funding, 1)


async def test_a_refund_means_the_same_terminal_when_it_names_none() -> None:
    _, rows, _ = _sort({"op": Operation.REFUND, "orig_seq": 4}, {"op": Operation.REFUND, "orig_seq": 4, "orig_terminal_id": 9})
    assert [row[ORIG_TERMINAL] for row in rows] == [1, 9]


async def test_the_business_date_follows_the_cut_time_and_a_wrong_clock_is_not_believed() -> None:
    before = {"op": Operation.PURCHASE, "occurred_at_us": NOW_US}
    yesterday = {"op": Operation.ADVICE, "occurred_at_us": NOW_US - 40 * DAY_US}
    wrong = {"op": Operation.PURCHASE, "occurred_at_us": NOW_US - 40 * DAY_US}
    future = {"op": Operation.ADVICE, "occurred_at_us": NOW_US + 40 * DAY_US}
    _, rows, _ = _sort(before, yesterday, wrong, future)
    today = rows[0][BUSINESS_DATE]
    assert [row[BUSINESS_DATE] - today for row in rows] == [0, -40, 0, 0]
    assert [row[OCCURRED] for row in rows] == [NOW_US, NOW_US - 40 * DAY_US, NOW_US - 40 * DAY_US, NOW_US + 40 * DAY_US]


async def test_the_meal_period_is_that_of_the_local_second_also_over_midnight() -> None:
    meals = (MealSpan(1, 6 * 3600, 10 * 3600), MealSpan(2, 22 * 3600, 2 * 3600))
    seconds = (21599, 21600, 35999, 36000, 79200, 86399, 0, 7199, 7200)
    assert [meal_at(meals, second) for second in seconds] == [0, 1, 1, 0, 2, 2, 2, 2, 0]
    local_second = (NOW_US // 1_000_000 + 8 * 3600) % 86400
    meal = MealSpan(5, local_second, local_second + 1)
    _, rows, _ = _sort({}, {"occurred_at_us": NOW_US + 1_000_000}, post=POST._replace(meals=(meal,)))
    assert [row[MEAL] for row in rows] == [5, 0]


async def test_enquiries_are_kept_apart() -> None:
    _, rows, enquiries = _sort({"op": Operation.BALANCE, "amount_fen": 0}, {})
    assert (len(rows), len(enquiries)) == (1, 1)


async def test_columns_of_different_length_are_seen() -> None:
    columns = records({}, {})
    assert has_equal_columns(columns, [7, 7])
    assert not has_equal_columns(columns, [7])
    columns.orig_seq.append(1)
    assert not has_equal_columns(columns, [7, 7])
