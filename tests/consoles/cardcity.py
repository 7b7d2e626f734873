"""Cards for the consoles' tests: rules, stock in the centre, a card on a holder, made through the services as the platform."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from onecard.kernel.business_day import business_date
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api as cards
from onecard.services.operators.api import allow_card_type
from onecard.services.people import api as people
from onecard.services.people.models import Holder
from tests.settlement.city import City

PLATFORM = Actor.system("test")
FIRST = 10_001


@dataclass(frozen=True)
class CardCity:
    """What was made: the card type, a holder of operator A with a card of it, and the numbers of both."""

    city: City
    card_type: int
    operator: int
    holder: Holder
    card_no: int
    account_no: int


def set_rules(card_type: int, **changes: object) -> None:
    """Rules in force from yesterday: a deposit of 20 yuan, fees of 5 and 15."""
    rules = cards.NewRules(
        media=frozenset(Medium),
        anonymous_allowed=True,
        deposit_fen=2000,
        issue_fee_fen=500,
        replace_fee_fen=1500,
        **changes,  # type: ignore[arg-type]
    )
    cards.set_rules(card_type, business_date(datetime.now(UTC)) - timedelta(days=1), rules=rules, actor=PLATFORM)


def receive(card_type: int, *, first: int = FIRST, count: int = 500) -> None:
    """Blanks in the centre."""
    cards.receive("华卡厂", [cards.Serials(card_type, first, first + count - 1)], actor=PLATFORM)


def issue(city: City, *, operator: str = "A", holder_id: int | None = None, medium: Medium = Medium.QR) -> tuple[int, int]:
    """A card on a new account, with 100 yuan in its purse; a payment code needs no blank. Gives card and account."""
    owner = city.operators[operator].pk
    numbers = cards.new_numbers(owner, medium=medium)
    serial = None
    if medium in (Medium.CPU, Medium.UID):
        serial = cards.claim_for_issue(None, operator_id=owner, card_type_id=city.card_type.pk, actor=PLATFORM).serial
    order = cards.Order(owner, city.card_type.pk, numbers.account_no, holder_id=holder_id, top_up_fen=10_000)
    cards.issue(cards.NewCard(numbers.card_no, medium, serial), order, actor=PLATFORM)
    return numbers.card_no, numbers.account_no


def build(city: City) -> CardCity:
    """The whole of it."""
    card_type, operator = city.card_type.pk, city.operators["A"].pk
    for owner in city.operators.values():
        allow_card_type(owner.pk, card_type)
    set_rules(card_type)
    receive(card_type)
    holder = people.create_holder(operator, people.NewHolder("王小明", phone="13800000001"), actor=PLATFORM)
    card_no, account_no = issue(city, holder_id=holder.pk, medium=Medium.UID)
    return CardCity(city, card_type, operator, holder, card_no, account_no)
