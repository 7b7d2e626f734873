"""The city that `onecard bench clear` settles: eight operators, and a day of records posted through `ledger.post_batch`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import psycopg

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.ledger.posting import PostingColumns, post_sync

LANES = (0, 1, 2, 3)
_OPERATORS, _UNITS, _MERCHANTS, _TERMINALS, _ACCOUNTS = 8, 25, 4, 4, 40_000
_BATCH = 1_000
_CAP = 10_000_000
_DATE_ZERO = datetime(2000, 1, 1, tzinfo=UTC).date()


@dataclass(frozen=True, slots=True)
class _Shop:
    merchant_id: int
    unit_id: int


@dataclass(slots=True)
class BenchCity:
    merchants: list[_Shop] = field(default_factory=list)
    cards: dict[int, list[int]] = field(default_factory=dict)

    @property
    def terminals(self) -> int:
        return len(self.merchants) * _TERMINALS


def build(owner_dsn: str, random: Random) -> BenchCity:
    """Root and its operators, units with merchants, and accounts with money in the public purse, spread over the lanes."""
    from onecard.services.operators import api

    city = BenchCity()
    root = api.create_operator("0", "根", parent_id=None, holder_cap=_CAP)
    card_type = api.create_card_type("0", "普通")
    operators = [api.create_operator(str(n), f"运营{n}", parent_id=root.pk, holder_cap=_CAP) for n in range(1, _OPERATORS + 1)]
    for operator in operators:
        for n in range(_UNITS):
            unit = api.create_unit(operator.pk, f"{operator.pk}-{n}", name=f"单位{n}", purse_order=api.PurseOrder.PUBLIC)
            for m in range(_MERCHANTS):
                made = api.create_merchant(
                    f"商户{n}-{m}", unit_id=unit.pk, fee_per_mille=random.randint(0, 12), fee_per_item_fen=m % 2
                )
                city.merchants.append(_Shop(made.pk, unit.pk))
    ids = [operator.pk for operator in operators]
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        open_accounts(connection, _accounts(city, ids, card_type.pk))
    return city


def _accounts(city: BenchCity, operators: list[int], card_type: int) -> Iterator[AccountRow]:
    for serial in range(1, _ACCOUNTS + 1):
        lane = LANES[serial % len(LANES)]
        card = build_card_no(issuer=1001, lane=lane, serial=serial)
        city.cards.setdefault(lane, []).append(card)
        yield AccountRow(
            account_no=build_account_no(lane=lane, serial=serial),
            card_no=card,
            operator_id=operators[serial % len(operators)],
            card_type_id=card_type,
            public_fen=100_000_000,
        )


def post_all(owner_dsn: str, city: BenchCity, count: int, progress: Callable[[int], None]) -> None:
    """Post `count` purchases and offline advices, a lane a batch; a tenth of them of the days before."""
    random = Random(count)  # noqa: S311 (the same day every time)
    seqs = [0] * (city.terminals + 1)
    now = datetime.now(UTC)
    today = (business_date(now) - _DATE_ZERO).days
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        for batch in range(count // _BATCH):
            lane = LANES[batch % len(LANES)]
            cards = random.sample(city.cards[lane], _BATCH)
            answers = post_sync(connection, lane, _columns(city, cards, seqs, random, at_us=to_epoch_us(now), today=today))
            assert not any(answers.code), "refused"
            progress((batch + 1) * _BATCH)


def _columns(city: BenchCity, cards: list[int], seqs: list[int], random: Random, *, at_us: int, today: int) -> PostingColumns:
    columns = PostingColumns()
    for _ in cards:
        place = random.randrange(city.terminals)
        shop = city.merchants[place // _TERMINALS]
        seqs[place] += 1
        late = random.random() < 0.1
        columns.op.append(2 if late else 1)
        columns.terminal.append(1_000_000 + place)
        columns.seq.append(seqs[place])
        columns.merchant.append(100_000_000 + shop.merchant_id)
        columns.unit.append(shop.unit_id)
        columns.amount.append(random.randrange(0 if late else 1, 5_000))
        columns.business_date.append(today - (random.randrange(1, 4) if late else 0))
    size = len(cards)
    columns.card = cards
    columns.purse_order = [1] * size
    columns.occurred_us = [at_us] * size
    columns.meal = columns.orig_terminal = columns.orig_seq = columns.precheck = [0] * size
    return columns
