from onecard.services.cards import api
from tests.cards.conftest import City, DESK


def test_an_issued_card_is_paid_for_and_out_of_stock(city: City) -> None:
    card = city.issue(city.holder(), top_up_fen=5000)
    assert city.balance(card) == 5000
    assert city.money() == {"funding": -7500, "deposit": 2000, "fee_income": 500, "debt": 0}
    assert city.status(card) == (1, set())
    assert city.place_of(1_000_000) == "issued"


def test_quick(city):
    card = city.issue(city.holder(), top_up_fen=5000)
    op = lambda o, **k: api.operate(card, o, actor=DESK, clock=city.clock, details=api.Details(**k))
    op("report_lost")
    op("lift")
    op("freeze")
    op("unfreeze")
    before = city.money()
    e = op("return")
    print(e.cash_fen, e.money, city.money())
    city.audit()
    u = api.undo(e.pk, actor=DESK, reason="x", clock=city.clock)
    assert city.money() == before and city.balance(card) == 5000 and u.cash_fen == -e.cash_fen
    city.audit()
    op("report_lost")
    acc = api.Card.objects.get(pk=card).account_no
    e = op("replace", new_card=city.new_card(acc)[0])
    city.audit()
    api.undo(e.pk, actor=DESK, reason="x", clock=city.clock)
