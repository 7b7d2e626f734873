"""Chip purchases in a settlement run: a purchase like any other, with its fee; loads and unloads belong to no merchant."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from onecard.ledger import chip
from onecard.ledger.accounts import BookKind, book_id
from onecard.services.settlement import api
from onecard.services.settlement.models import MerchantSettlement, SheetRow
from tests.settlement.city import DAY, City, Holder
from tests.support.postgres import TestDatabase

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def city(django_database: TestDatabase) -> Iterator[City]:
    made = City(django_database.app_dsn)
    for code in ("root", "A"):
        made.operator(code)
    made.merchant("bus", per_mille=10, per_item=2)
    yield made
    made.close()


def chip_purchase(city: City, holder: Holder, amount: int, *, seq: int) -> None:
    merchant = 100_000_000 + city.merchants["bus"].pk
    columns = chip.ChipColumns(
        [700], [seq], [holder.card_no], [merchant], [1], [amount], [int(AT.timestamp()) * 1_000_000],
        [(DAY - date(2000, 1, 1)).days], [0], [0],
    )  # fmt: skip
    assert chip.post_chip(city.ledger, holder.lane, columns).code == [0]


def test_chip_purchases_are_cleared_with_item_and_fee(city: City) -> None:
    holder = city.holder("A", public=10_000)
    loaded = chip.load_chip(city.ledger, (700, 900), holder.card_no, amount_fen=5_000, occurred_at=AT, business_date=DAY)
    assert loaded.code == 0
    for seq, amount in enumerate((1_000, 0, 500), 1):
        chip_purchase(city, holder, amount, seq=seq)
    city.pay(holder, "bus", 300)
    chip.unload_chip(city.ledger, (700, 901), holder.card_no, amount_fen=None, occurred_at=AT, business_date=DAY)
    run = api.run_settlement(api.day_cut().pk)
    assert (run.state, run.failure) == ("balanced", "")

    row = MerchantSettlement.objects.get(run=run)
    assert (row.gross_fen, row.platform_fen, row.retained_fen, row.item_count) == (1_800, 1_800, 0, 3)
    assert row.fee_fen == 1_800 * 10 // 1_000 + 3 * 2
    total = SheetRow.objects.get(run=run, level=2, business_date=None)
    assert (total.transaction_count, total.zero_count, total.purchase_count, total.purchase_fen) == (4, 1, 4, 1_800)
    platform = SheetRow.objects.get(run=run, level=5, business_date=None)
    assert (platform.gross_fen, platform.topup_fen) == (1_800, 0)


@pytest.mark.parametrize("kind", [BookKind.FUNDING, BookKind.CHIP_LOSS])
def test_a_load_that_the_operator_bears_is_no_top_up(city: City, kind: BookKind) -> None:
    holder, payer = city.holder("A", public=10_000), book_id(kind, city.operators["A"].pk)
    loaded = chip.load_chip(
        city.ledger, (-5, 1), holder.card_no, amount_fen=5_000, occurred_at=AT, business_date=DAY, payer=payer
    )
    assert loaded.code == 0
    chip_purchase(city, holder, 1_000, seq=5)
    run = api.run_settlement(api.day_cut().pk)
    assert (run.state, run.failure) == ("balanced", "")
    rows = SheetRow.objects.filter(run=run, level__in=(4, 5), business_date=None)
    assert {(row.topup_count, row.topup_fen) for row in rows} == {(0, 0)}
