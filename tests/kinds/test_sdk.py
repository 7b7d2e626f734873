"""The example of docs/terminal-sdk.md is run as it stands there."""

import re
from pathlib import Path

from onecard.kernel.codes import Operation
from onecard.protocol.parameters import parse_parameters, read_values
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.tariff import parse_tariff
from tests.gateway.harness import House
from tests.kinds.bench import TARIFF, card

PAGE = Path(__file__).parents[2] / "docs" / "terminal-sdk.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


async def test_the_turnstile_of_the_guide_sells_passages(house: House, enrolled):
    line = enrolled(house.list_line(1))
    (line / "state").mkdir()
    journal = DeviceJournal(line / "state" / "terminal.db")
    journal.store_data("tariff", TARIFF, version=1)
    journal.close()
    await house.start()
    example: dict = {}
    exec(compile(blocks("python")[0], str(PAGE), "exec"), example)
    turnstile = await example["run"](line, "127.0.0.1", house.port("native"), [card(1), card(2)])
    assert turnstile.passages == 2
    assert [(r["op"], r["terminal_seq"], r["amount_fen"]) for r in house.app.records] == [
        (Operation.PURCHASE, 1, 250), (Operation.PURCHASE, 2, 250),
    ]  # fmt: skip


def test_the_files_of_the_guide_are_what_terminals_read():
    tariff, parameters = (block.encode() for block in blocks("json"))
    assert parse_tariff(tariff).menu[1].fen == 100
    read = read_values(parse_parameters(parameters).values_of(71) or {})
    assert read.offline is not None and (read.offline.total_fen, read.notes_fen) == (2_000_000, (1000, 5000, 10_000))


def test_the_example_stays_about_forty_lines():
    assert len(blocks("python")[0].splitlines()) <= 45
