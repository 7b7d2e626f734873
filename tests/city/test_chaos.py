"""A short chaos run with real processes, and the check that would notice if money went astray."""

import os
from pathlib import Path

import pytest

from onecard.city.chaos_check import _differences
from onecard.city.receipts import Receipt, Receipts, read_receipts
from tests.city.conftest import CityHome

SEED = 20181101
SECONDS = 60 if os.environ.get("ONECARD_TEST_ALL") == "1" else 15


@pytest.mark.parametrize(("seconds", "words"), [(SECONDS, ()), (15, ("--relay",))], ids=["by packets", "by connections"])
def test_killed_processes_and_a_stormy_line_lose_nothing_and_double_nothing(
    city: CityHome, seconds: int, words: tuple[str, ...]
) -> None:
    code, said = city.run("city", "chaos", "--seed", str(SEED), "--seconds", str(seconds), *words, timeout_s=280)
    assert code == 0, said
    assert f"seed {SEED}" in said
    assert "PURCHASE paid" in said
    assert "ADVICE paid" in said


@pytest.mark.parametrize(
    ("verdict", "posted", "finding"),
    [
        ("paid", (500, 1), None),
        ("paid", (0, 0), "due 500 fen, in the journal 0"),
        ("paid", (1000, 2), "charged 2 times"),
        ("reversed", (0, 1), None),
        ("reversed", (500, 1), "due 0 fen, in the journal 500"),
        ("refused", (500, 1), "due 0 fen"),
        ("given back", (-500, 0), None),
        (None, (500, 1), "no receipt"),
    ],
)
def test_the_check_finds_money_that_is_not_where_the_receipt_says(
    verdict: str | None, posted: tuple[int, int], finding: str | None
) -> None:
    last = {(7, 1): Receipt(7, 1, verdict, 500)} if verdict else {}  # type: ignore[arg-type]
    problems = _differences(last, {(7, 1): posted} if posted != (0, 0) else {})
    assert problems == [] if finding is None else any(finding in line for line in problems)


def test_receipts_are_read_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "receipts.jsonl"
    with Receipts(path) as receipts:
        receipts.add(Receipt(7, 1, "paid", 500, 12))
        receipts.add(Receipt(7, 1, "reversed", 0))
        assert list(read_receipts(path)) == [Receipt(7, 1, "paid", 500, 12), Receipt(7, 1, "reversed", 0)]
