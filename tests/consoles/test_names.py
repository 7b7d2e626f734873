"""Whose names are shown to whom: on batch pages, and among the operators one is bound to; and the amount told once."""

from collections.abc import Callable
from datetime import UTC, datetime

from django.test import Client

from onecard.consoles.centre.models import StaffAccount
from onecard.consoles.centre.pages.cards import _detail
from onecard.consoles.centre.roles import Role
from onecard.kernel.codes import Text
from onecard.ledger.codes import Medium
from onecard.services.cards.timeline import Entry
from onecard.services.issuing import api as issuing
from onecard.services.people import api as people
from tests.consoles.cardcity import PLATFORM, CardCity, issue


def test_a_batch_page_tells_no_name_to_who_may_not_see_cardholders(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    holder = people.create_holder(card_city.operator, people.NewHolder("欧阳锋"), actor=PLATFORM)
    given = [issuing.Recipient(holder_id=holder.pk)]
    batch = issuing.create(
        issuing.BatchOrder("春", card_city.operator, card_city.card_type, medium=Medium.QR, recipients=given), actor=PLATFORM
    )
    job = issuing.jobs(batch_id=batch.pk).get()
    for role, named in ((Role.VIEWER, False), (Role.CARD_DESK, True)):
        client = signed_in(role)
        for page in (f"/centre/batches/{batch.pk}/", f"/centre/batches/jobs/{job.pk}/"):
            said = client.get(page).content.decode()
            assert (holder.name in said) == named and (named or str(holder.pk) in said), page


def test_a_name_is_looked_up_among_ones_own_operators(card_city: CardCity, signed_in: Callable[..., Client]) -> None:
    other = card_city.city.operators["root"].pk
    people.create_holders(other, [people.NewHolder("欧阳锋") for _ in range(60)])
    holder = people.create_holder(card_city.operator, people.NewHolder("欧阳锋"), actor=PLATFORM)
    card_no, _account = issue(card_city.city, holder_id=holder.pk)
    client = signed_in(Role.CARD_DESK)
    StaffAccount.objects.get().bindings.create(operator_id=card_city.operator)
    assert str(card_no) in client.get("/centre/cards/", {"q": "欧阳锋"}).content.decode()


def test_an_amount_stands_once_on_a_line_of_a_card() -> None:
    now = datetime.now(UTC)
    chip = Entry(
        now, "chip", Text("消费", "purchase"), Text("-1.99，芯片余额 78.01", "-1.99, chip balance 78.01"), amount_fen=-199
    )
    money = Entry(now, "money", Text("押金", "deposit"), Text("20.00", "20.00"), amount_fen=2000)
    assert _detail(chip) in {"芯片余额 78.01", "chip balance 78.01"} and _detail(money) == ""
