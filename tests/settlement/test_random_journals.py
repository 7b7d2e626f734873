"""For random days: the sheets of every level, fees with their carries and netting add up to what the journal holds."""

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onecard.services.settlement import api
from onecard.services.settlement.models import MerchantSettlement, NettingLine, SheetRow
from tests.settlement.city import ADVICE, COMMIT, HOLD, PURCHASE, REFUND, VOID, City, Holder, Record

MERCHANTS = ("canteen", "shop", "metro", "school shop")


@dataclass(frozen=True)
class Step:
    holder: int
    merchant: str
    op: int
    amount: int
    then: int  # what follows it at once, 0 nothing
    share: int  # of the amount, per cent


steps = st.builds(
    Step,
    holder=st.integers(0, 3),
    merchant=st.sampled_from(MERCHANTS),
    op=st.sampled_from((PURCHASE, ADVICE, ADVICE, HOLD)),
    amount=st.integers(0, 3_000),
    then=st.sampled_from((0, 0, COMMIT, VOID, REFUND, REFUND, 9)),
    share=st.integers(1, 100),
)


def post(city: City, holders: list[Holder], step: Step) -> None:
    """Post a step as far as the ledger takes it; what it refuses moves nothing."""
    holder = holders[step.holder]
    order = 2 if step.merchant == "school shop" else 1
    try:
        if step.op == HOLD and step.then == VOID:  # its commit comes up after its end, and after something else was bought
            record = city.expired_hold(holder, step.merchant, step.amount, order=order)
            city.pay(holder, step.merchant, step.amount * step.share // 100, op=ADVICE, order=order)
        else:
            record = city.pay(holder, step.merchant, step.amount, op=step.op, order=order)
        follow(city, record, step)
    except AssertionError as refused:
        assert "refused" in str(refused)


def follow(city: City, record: Record, step: Step) -> None:
    part = max(step.amount * step.share // 100, 1)
    if step.then == 9:
        city.reverse(record)
    elif step.op == HOLD:
        city.follow(record, COMMIT, part)
    elif step.then in (VOID, REFUND):
        city.follow(record, step.then, part if step.then == REFUND else 0)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(st.lists(steps, min_size=1, max_size=8), min_size=1, max_size=3))
def test_sheets_equal_the_journal(city: City, days: list[list[Step]]) -> None:
    holders = [
        city.holder("A", public=5_000),
        city.holder("B", public=0, lane=2),
        city.holder("C", public=None, unit="school", private=3_000, lane=3),
        city.holder("root", public=100_000, lane=2),
    ]
    for day in days:
        for step in day:
            post(city, holders, step)
        run = api.run_settlement(api.day_cut().pk)
        assert (run.state, run.failure) == ("balanced", "")
        check_run(city, run)
    check_fees_over_all_runs(city)


def check_run(city: City, run: api.SettlementRun) -> None:
    """By another way than settlement's own statements: merchant by merchant from the journal's rows."""
    rows = city.rows(
        "SELECT t.debit, t.credit, t.amount_fen FROM ledger.transfer t JOIN settlement_settlementwindow w ON w.lane = t.lane"
        " AND t.id > w.from_id AND t.id <= w.through_id WHERE w.run_id = %s AND t.kind < 20",
        run.pk,
    )
    journal: dict[int, int] = {}
    for debit, credit, amount in rows:
        for account, fen in ((debit, -amount), (credit, amount)):
            if account // 100_000_000 == 1:
                journal[account % 100_000_000] = journal.get(account % 100_000_000, 0) + fen
    totals = SheetRow.objects.filter(run=run, business_date=None)
    assert dict(totals.filter(level=2).values_list("party_id", "gross_fen")) == journal
    for level in range(1, 6):
        assert sum(totals.filter(level=level).values_list("gross_fen", flat=True)) == sum(journal.values())
    assert sum(totals.filter(level=4).values_list("position_fen", flat=True)) == 0
    for merchant in city.merchants.values():
        assert city.balance(1, merchant.pk) == 0


def check_fees_over_all_runs(city: City) -> None:
    """Over any number of runs a merchant has paid the exact fee less the thousandths it still carries."""
    for merchant in city.merchants.values():
        rows = list(MerchantSettlement.objects.filter(merchant_id=merchant.pk).order_by("run_id"))
        if rows:
            exact = sum(
                row.platform_fen * merchant.fee_per_mille + row.item_count * merchant.fee_per_item_fen * 1000 for row in rows
            )
            assert sum(row.fee_fen for row in rows) * 1000 + rows[-1].carry_out_millifen == exact
    owed = sum(NettingLine.objects.filter(basis="fees").values_list("amount_fen", flat=True))
    shares = MerchantSettlement.objects.exclude(operator_id=city.operators["root"].pk).values_list("root_fee_fen", flat=True)
    assert owed == sum(shares)
