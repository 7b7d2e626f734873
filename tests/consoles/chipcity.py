"""Chip records for the consoles' tests: a wrong proof, a gray record, a hole and a doubtful load, as the platform takes them."""

from dataclasses import replace
from datetime import UTC, datetime

from onecard.ledger.accounts import BookKind, book_id
from tests.chip.kit import Chip, Kit
from tests.settlement.city import City
from tests.support.postgres import TestDatabase


def trouble(database: TestDatabase, city: City, *, operator: str = "A") -> Chip:
    """A chip with 200 yuan that bought at the metro: once right, once with a wrong proof, once gray, with a record missing."""
    kit = Kit(database, now=datetime.now(UTC))
    shop = book_id(BookKind.MERCHANT, city.merchants["metro"].pk)
    chip = kit.chip(operator=city.operators[operator].pk, balance=20_000)

    def buy(amount: int, *, gray: bool = False, **changes: int) -> None:
        record = chip.buy(amount, gray=gray, merchant=shop, **changes)
        kit.take(record)

    buy(300)
    buy(1250, tac=1)
    chip.buy(400, merchant=shop)  # a record that has not come in yet
    buy(700)
    buy(600, gray=True)  # the last, so that no later record says what became of it
    request = chip.initialize_load(5_000)
    assert kit.load(request).code == 0
    later = replace(chip.initialize_load(5_000), online_counter=chip.online)
    kit.load(later)  # the first one's outcome is not known
    return chip
