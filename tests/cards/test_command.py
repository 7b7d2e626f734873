"""`onecard cards stock` and `onecard cards life`: what a person types does what the api does, and says so in both languages."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onecard.cli.cards_stock import life, stock
from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.services.cards import api
from tests.cards.conftest import City


@pytest.fixture
def city(town: City, monkeypatch: pytest.MonkeyPatch) -> City:
    monkeypatch.setenv("ONECARD_DATABASE", town.database.owner_dsn)
    return town


@pytest.fixture
def run(city: City) -> Callable[..., str]:
    def run(app: object, *words: str) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)  # type: ignore[arg-type]
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_cards_go_from_the_order_to_the_units_shelf(city: City, run: Callable[..., str]) -> None:
    order = re.search(r"\d+", run(stock, "order", "卡厂", "CAMPUS:1000"))
    assert order
    run(stock, "receive", "卡厂", "CAMPUS:1-600", "--order", order[0])
    run(stock, "hand-over", "centre", "operator:A", "CAMPUS:1-100")
    run(stock, "hand-over", "operator:A", "unit:SCHOOL", "CAMPUS:1-10", "CAMPUS:20")
    run(stock, "return", "operator:A", "centre", "CAMPUS:91-100")
    run(stock, "scrap", "unit:SCHOOL", "CAMPUS:20", "--reason", "折断")
    assert {(level.place.kind, level.quantity) for level in api.levels().filter(card_type=city.local)} == {
        ("centre", 510),
        ("operator", 79),
        ("unit", 10),
        ("scrapped", 1),
    }
    assert "510" in run(stock, "list")
    assert run(stock, "list", "operator:A").split()[1:] == ["11", "-", "19", "(9)", "CAMPUS", "21", "-", "90", "(70)"]
    assert "✗" not in run(stock, "check")


def test_a_card_is_operated_on_and_its_life_told(city: City, run: Callable[..., str]) -> None:
    card = city.issue(city.holder(), top_up_fen=5000)
    assert "report_lost" in run(life, "show", card)
    run(life, "operate", card, "report_lost", "--reason", "丢失")
    blank = city.blank()
    replaced = run(life, "operate", card, "replace", "--serial", blank)
    assert "15.00" in replaced
    event = re.search(r"event (\d+)", replaced)
    assert event
    assert "15.00" in run(life, "undo", event[1], "--reason", "误操作")
    told = run(life, "timeline", card)
    places = [told.index(word) for word in ("receipt", "claim", "report lost", "replace", "undo")]
    assert places == sorted(places)
    assert "丢失" in told


@pytest.mark.parametrize(
    "words",
    [
        ("receive", "卡厂", "CITY"),
        ("receive", "卡厂", "NONE:1-2"),
        ("receive", "卡厂", "CITY:a-b"),
        ("hand-over", "cellar", "centre", "CITY:1"),
    ],
)
def test_words_that_say_nothing_are_refused(city: City, run: Callable[..., str], words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        run(stock, *words)


def test_a_refusal_names_the_rule(city: City, run: Callable[..., str]) -> None:
    run(stock, "receive", "卡厂", "CITY:2001-2010")
    with pytest.raises(RuleViolated, match="O2"):
        run(stock, "hand-over", "centre", "operator:A", "CITY:2001-2010")


def test_the_page_holds_the_table_that_the_code_runs_from() -> None:
    from onecard.services.cards import lifepage

    page = Path(__file__).parents[2] / "docs" / "cards.md"
    text = page.read_text(encoding="utf-8")
    assert lifepage.put(text) == text, "onecard cards life table --write docs/cards.md"
    assert CliRunner().invoke(life, ["table"]).output.strip() == lifepage.render().strip()
    with pytest.raises(ValueError, match="lacks"):
        lifepage.put("no marks")
