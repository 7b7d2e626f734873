"""What there is to read: pages by key, and nobody sees beyond the operators they are bound to (N3)."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from onecard.consoles.centre.roles import Role
from onecard.services.operators.api import allow_card_type
from onecard.services.people.api import NewHolder, create_holders
from tests.httpapi.conftest import BASE
from tests.settlement.city import City


def _all(client: Client, path: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = client.get(f"{BASE}{path}", {**query, **after}).json()
        rows += page["items"]
        if page["next"] is None:
            return rows
        assert len(page["items"]) == query.get("limit", 50)
        after = {"after": page["next"]}


def test_pages_by_key_give_every_row_once(city: City, program: Callable[..., Client]) -> None:
    made = create_holders(city.operators["A"].pk, [NewHolder(f"人{n}") for n in range(7)])
    client = program()
    for limit in (1, 3, 7, 8):
        assert [row["id"] for row in _all(client, "/holders", limit=limit)] == sorted(made)
    assert client.get(f"{BASE}/holders", {"limit": 201}).status_code == 422


def test_a_program_of_one_operator_sees_that_one_alone(city: City, program: Callable[..., Client]) -> None:
    a, root = city.operators["A"].pk, city.operators["root"].pk
    create_holders(a, [NewHolder("甲")])
    create_holders(root, [NewHolder("乙")])
    own, other = city.holder("A"), city.holder("root")
    client = program(Role.FINANCE, operators=[a])
    assert client.get(f"{BASE}/me").json()["operators"] == [a]
    assert [row["id"] for row in _all(client, "/operators")] == [a]
    assert [row["code"] for row in _all(client, "/units")] == ["works"]
    assert [row["name"] for row in _all(client, "/merchants")] == ["canteen"]
    assert [row["name"] for row in _all(client, "/holders")] == ["甲"]
    assert [row["account_no"] for row in _all(client, "/accounts")] == [own.account_no]
    assert _all(client, "/accounts", operator_id=root) == []
    for path in (f"/operators/{root}", f"/operators/{root}/card-types", f"/accounts/{other.account_no}"):
        answer = client.get(f"{BASE}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), path
    whole = client.get(f"{BASE}/accounts/{own.account_no}").json()
    assert whole["purses"] == [{"unit_id": 0, "balance_fen": 1_000_000}]
    assert [card["card_no"] for card in whole["cards"]] == [own.card_no]


def test_the_card_types_of_an_operator_say_who_issues(city: City, program: Callable[..., Client]) -> None:
    allow_card_type(city.operators["A"].pk, city.card_type.pk, issuing_mode="local")
    answer = program().get(f"{BASE}/operators/{city.operators['A'].pk}/card-types")
    assert answer.json() == [{"card_type_id": city.card_type.pk, "issuing_mode": "local"}]
