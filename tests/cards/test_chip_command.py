"""`onecard cards life operate … return` with a chip: typed, read from a card on a reader, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onecard.cli.cards_stock import life
from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.perso import personalise
from onecard.services.cards import api
from onecard.services.operators import api as operators
from onecard.terminal.card.store import FileStore
from onecard.terminal.card.virtual import VirtualCard
from onecard.terminal.reader.local import LocalReader
from tests.card.support import TRANSPORT, card_keys, card_plan
from tests.card.support import run as drive
from tests.cards.conftest import DESK, FIRST_DAY, RULES, City

Give = Callable[..., str]


@pytest.fixture(scope="module")
def chip_type(town: City) -> int:
    made = operators.create_card_type("CHIP", "芯片卡").pk
    operators.allow_card_type(town.operator, made)
    api.set_rules(made, FIRST_DAY, rules=replace(RULES, chip_purse=True), actor=DESK, clock=town.clock)
    return made


@pytest.fixture
def card(town: City, chip_type: int) -> int:
    """20 yuan in the purse, 30 in the chip's account."""
    made = town.issue(town.holder(), card_type=chip_type, top_up_fen=5000)
    town.load(made, 3000)
    return made


@pytest.fixture
def give_back(town: City, monkeypatch: pytest.MonkeyPatch) -> Give:
    monkeypatch.setenv("ONECARD_DATABASE", town.database.owner_dsn)

    def give_back(card: int, *words: object) -> str:
        done = CliRunner().invoke(life, ["operate", str(card), "return", *map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return give_back


def lay_down(folder: Path, name: str, card_no: int) -> None:
    """A personalised virtual card that has never paid and holds nothing."""
    folder.mkdir(exist_ok=True)
    made = VirtualCard.create(FileStore(folder / name), transport_key=TRANSPORT)
    reader, keys = LocalReader(made), card_keys(card_no)
    reader.connect()
    drive(reader, personalise(card_plan(keys, card_no), keys))
    reader.disconnect()


def test_a_return_of_an_unread_chip_says_what_is_left(card: int, give_back: Give) -> None:
    told = give_back(card)
    assert "37.00" in told
    assert "芯片余额 30.00 未退：未读卡" in told and "30.00 of the chip is not paid out: the chip was not read" in told


def test_what_the_desk_typed_pays_the_chip(card: int, give_back: Give) -> None:
    told = give_back(card, "--chip-counter", 0, "--chip-balance", "30")
    assert "67.00" in told and "not paid out" not in told


def test_a_card_on_a_reader_is_read_among_others(town: City, chip_type: int, give_back: Give, tmp_path: Path) -> None:
    card = town.issue(town.holder(), card_type=chip_type, top_up_fen=2000)
    VirtualCard.create(FileStore(tmp_path / "0.card"), transport_key=TRANSPORT)
    for name, number in (("1.card", 1000000000000123), ("2.card", card)):
        lay_down(tmp_path, name, number)
    told = give_back(card, "--virtual", tmp_path)
    assert "37.00" in told and "not paid out" not in told
    assert api.Card.objects.get(pk=card).state == "returned"


def test_a_card_that_holds_other_than_the_platform_says_is_not_paid(card: int, give_back: Give, tmp_path: Path) -> None:
    lay_down(tmp_path, "1.card", card)
    told = give_back(card, "--virtual", tmp_path)
    assert "37.00" in told and "the chip's balance is not the ledger's" in told
    data = api.events(card, actor=DESK).get(operation="return").data
    assert (data["chip_counter"], data["chip_balance_fen"], data["chip_kept_fen"]) == (0, 0, 3000)


def test_another_card_on_the_reader_and_half_a_word_are_refused(card: int, give_back: Give, tmp_path: Path) -> None:
    lay_down(tmp_path, "1.card", 1000000000000123)
    for words in (
        ("--virtual", tmp_path),
        ("--virtual", tmp_path, "--chip-counter", 1),
        ("--virtual", tmp_path, "--reader", "x"),
        ("--chip-counter", 1),
        ("--chip-balance", "1.00"),
        ("--chip-counter", 1, "--chip-balance", "x"),
    ):
        with pytest.raises(InvalidInput):
            give_back(card, *words)
    assert api.Card.objects.get(pk=card).state == "active"
