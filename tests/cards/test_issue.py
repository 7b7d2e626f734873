from tests.cards.conftest import DESK, City


def test_an_issued_card_is_paid_for_and_out_of_stock(city: City) -> None:
    card = city.issue(city.holder(), top_up_fen=5000)
    assert city.balance(card) == 5000
    assert city.money() == {"funding": -7500, "deposit": 2000, "fee_income": 500, "debt": 0}
    assert city.status(card) == (1, set())
    assert city.place_of(1_000_000) == "issued"
