"""The worked example of docs/settlement.md, to the fen: three days, both settlement modes, fees with remainders, netting."""

import pytest

from onecard.kernel.errors import InvalidInput
from onecard.services.settlement import api
from onecard.services.settlement.models import MerchantSettlement, NettingLine, SheetRow
from tests.settlement.city import ADVICE, COMMIT, HOLD, REFUND, VOID, City


def settle() -> api.SettlementRun:
    run = api.run_settlement(api.day_cut().pk)
    assert (run.state, run.failure) == ("balanced", "")
    return run


def merchant(city: City, run: api.SettlementRun, name: str) -> MerchantSettlement:
    return MerchantSettlement.objects.get(run=run, merchant_id=city.merchants[name].pk)


def fees(row: MerchantSettlement) -> tuple[int, ...]:
    return (
        row.gross_fen,
        row.fee_fen,
        row.carry_out_millifen,
        row.operator_fee_fen,
        row.root_fee_fen,
        row.net_fen,
        row.retained_fen,
    )


def test_three_days_come_out_to_the_fen(city: City) -> None:
    a, b = city.holder("A"), city.holder("B", lane=2)
    pupil = city.holder("C", public=None, unit="school", private=5_000)
    city.pay(a, "canteen", 1050)
    city.pay(b, "canteen", 333)
    from_a = city.pay(a, "shop", 999, op=ADVICE)
    small = city.pay(b, "shop", 150)
    city.follow(city.pay(b, "shop", 250), REFUND, 100)
    city.pay(a, "metro", 5000)
    city.pay(pupil, "school shop", 700, order=2)
    city.pay(pupil, "school shop", 0, op=ADVICE, order=2)

    first = settle()
    assert fees(merchant(city, first, "canteen")) == (1383, 8, 298, 4, 4, 1375, 0)
    assert fees(merchant(city, first, "shop")) == (1299, 9, 897, 2, 7, 1290, 0)
    assert fees(merchant(city, first, "metro")) == (5000, 25, 0, 25, 0, 4975, 0)
    assert fees(merchant(city, first, "school shop")) == (700, 0, 0, 0, 0, 0, 700)

    ids = {code: operator.pk for code, operator in city.operators.items()}
    assert set(NettingLine.objects.filter(run=first).values_list("debtor_id", "creditor_id", "basis", "amount_fen")) == {
        (ids["B"], ids["A"], "purchases", 333),
        (ids["A"], ids["B"], "purchases", 999),
        (ids["A"], ids["root"], "purchases", 5000),
        (ids["A"], ids["root"], "fees", 4),
        (ids["B"], ids["root"], "fees", 7),
    }
    assert {code: city.balance(11, ids[code]) for code in ids} == {"root": -5011, "A": 5670, "B": -659, "C": 0}
    assert {code: city.balance(8, ids[code]) for code in ids} == {"root": 4975, "A": 1375, "B": 1290, "C": 0}
    assert {code: city.balance(4, ids[code]) for code in ids} == {"root": 36, "A": 4, "B": 2, "C": 0}
    assert city.balance(2, city.units["school"].pk) == 700
    assert [city.balance(1, m.pk) for m in city.merchants.values()] == [0, 0, 0, 0]

    city.pay(a, "canteen", 117)
    city.follow(small, REFUND, 150)
    second = settle()
    assert fees(merchant(city, second, "canteen")) == (117, 1, 0, 0, 1, 116, 0)
    assert fees(merchant(city, second, "shop")) == (-150, 0, 447, 0, 0, -150, 0)

    city.follow(from_a, REFUND, 999)
    third = settle()
    assert fees(merchant(city, third, "shop")) == (-999, -3, 450, -1, -2, -996, 0)
    assert city.balance(8, ids["B"]) == 1290 - 150 - 996
    assert city.balance(1, city.merchants["shop"].pk) == 0


def test_every_operators_own_books_are_whole(city: City) -> None:
    """What stands for an operator's float, debts, holders, merchants, fees and netting is zero together, also for the root."""
    a, b = city.holder("A", public=10_000), city.holder("B", public=300, lane=2)
    city.pay(a, "canteen", 1234)
    city.pay(a, "shop", 777)
    city.pay(b, "metro", 500, op=ADVICE)  # 200 more than there is: a debt
    city.top_up(b, 1000)
    city.pay(b, "canteen", 89, op=ADVICE)
    settle()
    for code, operator in city.operators.items():
        purses = city.rows(
            "SELECT coalesce(sum(p.balance_fen), 0)::bigint FROM ledger.purse p JOIN ledger.account a USING (account_no)"
            " WHERE a.operator_id = %s",
            operator.pk,
        )[0][0]
        books = sum(city.balance(kind, operator.pk) for kind in (4, 5, 6, 7, 8, 11))
        assert purses + books == 0, code


def test_kinds_are_counted_where_they_belong(city: City) -> None:
    holder = city.holder("A", public=2_000)
    city.follow(city.pay(holder, "canteen", 500, op=HOLD), COMMIT, 320)
    city.follow(city.pay(holder, "canteen", 40), VOID, 0)
    city.reverse(city.pay(holder, "canteen", 60))
    city.follow(city.pay(holder, "canteen", 200), REFUND, 30)
    city.pay(holder, "canteen", 0, op=ADVICE)
    city.pay(holder, "canteen", 2_000, op=ADVICE)  # 1510 in the purse, 490 owed: two legs, one transaction
    city.top_up(holder, 1_000)  # 490 repaid, 510 into the purse
    run = settle()

    total = SheetRow.objects.get(run=run, level=2, business_date=None)
    assert (total.transaction_count, total.zero_count) == (9, 1)
    assert (total.purchase_count, total.purchase_fen) == (4, 620)
    assert (total.advice_count, total.advice_fen, total.debt_fen) == (2, 1510, 490)
    assert (total.void_count, total.void_fen, total.reversal_count, total.reversal_fen) == (1, -40, 1, -60)
    assert (total.refund_count, total.refund_fen, total.gross_fen) == (1, -30, 2490)
    assert (
        MerchantSettlement.objects.get(run=run).item_count == 3
    )  # commit, refunded purchase, advice; the rest was undone or free

    operator = SheetRow.objects.get(run=run, level=4, party_id=city.operators["A"].pk, business_date=None)
    assert (operator.topup_count, operator.topup_fen, operator.debt_made_fen, operator.debt_repaid_fen) == (1, 1000, 490, 490)


def test_independent_money_stays_and_a_strangers_debt_is_owed_across(city: City) -> None:
    """C's pupil owes C's own shop inside C; A's holder without a purse there owes it through netting, and pays the fee."""
    pupil = city.holder("C", public=None, unit="school", private=100)
    city.pay(pupil, "school shop", 250, op=ADVICE, order=2)
    stranger = city.holder("A", public=100)
    city.pay(stranger, "school shop", 1_000, op=ADVICE, order=2)
    run = settle()
    row = merchant(city, run, "school shop")
    assert (row.retained_fen, row.platform_fen, row.fee_fen, row.net_fen) == (250, 1000, 10, 990)
    assert list(NettingLine.objects.filter(run=run, basis="purchases").values_list("debtor_id", "creditor_id", "amount_fen")) == [
        (city.operators["A"].pk, city.operators["C"].pk, 1000)
    ]


def test_private_money_of_a_unified_operator_goes_over_the_platform(city: City) -> None:
    worker = city.holder("A", public=0, unit="works", private=1_000)
    city.pay(worker, "canteen", 1_000, order=3)
    row = merchant(city, settle(), "canteen")
    assert (row.platform_fen, row.retained_fen, row.fee_fen, row.net_fen) == (1000, 0, 6, 994)


def test_a_merchant_outside_the_directory_is_shown_and_kept(city: City) -> None:
    holder = city.holder("A")
    city.pay(holder, "canteen", 500)
    city.merchants["canteen"].delete()
    run = settle()
    row = MerchantSettlement.objects.get(run=run)
    assert (row.operator_id, row.gross_fen, row.fee_fen, row.net_fen) == (city.operators["root"].pk, 500, 0, 500)
    assert SheetRow.objects.get(run=run, level=2, business_date=None).name == "不在目录 Not in the directory"


def test_a_share_outside_the_thousand_is_refused(city: City) -> None:
    with pytest.raises(InvalidInput):
        api.set_fee_share(city.operators["A"].pk, 1001)


def test_a_commit_that_came_up_after_its_holds_end_is_cleared_like_a_purchase(city: City) -> None:
    """Once as a commit in time, once late from the purse, once late and wholly owed: the same gross, items and fees."""
    figures = []
    for late, spent in ((False, 0), (True, 0), (True, 3_000)):
        holder = city.holder("A", public=3_000)
        hold = city.expired_hold(holder, "shop", 2_000) if late else city.pay(holder, "shop", 2_000, op=HOLD)
        if spent:
            city.pay(holder, "canteen", spent)
        city.follow(hold, COMMIT, 1_350)
        row = merchant(city, settle(), "shop")
        figures.append((row.gross_fen, row.item_count, row.fee_fen * 1000 + row.carry_out_millifen - row.carry_in_millifen))
    assert figures == [(1_350, 1, 1_350 * 3 + 2_000)] * 3
