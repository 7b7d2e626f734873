"""`onecard replay` through every tier: a small file with bad rows, and the real day where its file is at hand."""

import csv
import gzip
import json
import os
from pathlib import Path

import pytest

from tests.city.conftest import CityHome
from tests.city.test_source import HEADER

_REPOSITORY = Path(__file__).parents[2]
_SHARED = Path(os.environ.get("ONECARD_SHARED_DATA", _REPOSITORY.parent / "shared" / "data"))


def _row(card: int, terminal: int, company: str, *, kind: str = "bus", minute: int = 0, fen: int = 200) -> str:
    return f"C{card},{terminal},{company},{kind},2018-09-01T08:{minute:02d}:00+08:00,{fen},250,0,,,2018-09-01"


ROWS = [
    *(_row(card, 901 + card % 3, "东线公交", minute=card, fen=200 + card) for card in range(30)),
    *(_row(card, 950, "一号地铁", kind="metro_in", minute=card, fen=0) for card in range(5)),
    *(_row(card, 951, "一号地铁", kind="metro_out", minute=card + 20, fen=400) for card in range(5)),
    _row(1, 901, "东线公交", minute=1, fen=201),  # the very same row again is a tap of its own
    _row(7, 960, "一号地铁", kind="metro_out", fen=25_000),  # more than the card holds: a debt
    _row(2, 901, "一号地铁"),  # another company's terminal
    "garbage",
    _row(3, 901, "东线公交", kind="ferry"),
]
BUS = {"rows": 31, "charged_rows": 31, "amount_fen": sum(200 + card for card in range(30)) + 201}
IN, OUT = {"rows": 5, "charged_rows": 0, "amount_fen": 0}, {"rows": 6, "charged_rows": 6, "amount_fen": 27_000}
METRO = {key: IN[key] + OUT[key] for key in IN}
EXPECTED = {
    "rows": 42, "cards": 30, "terminals": 6, "amount_fen": BUS["amount_fen"] + METRO["amount_fen"],
    "by_operator": {"东线公交": BUS, "一号地铁": METRO}, "by_type": {"bus": BUS, "metro_in": IN, "metro_out": OUT},
}  # fmt: skip


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *ROWS]).encode()))
    return path


def _replay(city: CityHome, path: Path, expected: dict[str, object] | None, tmp_path: Path) -> tuple[int, str]:
    words = ["replay", str(path), "--chunk", "4", "--rejects", str(tmp_path / "rejects.csv")]
    if expected is not None:
        (tmp_path / "expected.json").write_text(json.dumps(expected))
        words += ["--expect", str(tmp_path / "expected.json")]
    return city.run(*words)


def test_a_small_file_agrees_its_bad_rows_are_listed_and_a_second_time_posts_nothing(
    city: CityHome, small: Path, tmp_path: Path
) -> None:
    code, said = _replay(city, small, EXPECTED, tmp_path)
    assert code == 0, said
    assert "新入账 newly posted 42" in said
    with (tmp_path / "rejects.csv").open(encoding="utf-8-sig") as stream:
        assert sorted(int(row["line"]) for row in csv.DictReader(stream)) == [44, 45, 46]

    plain = tmp_path / "small.csv"
    plain.write_bytes(gzip.decompress(small.read_bytes()))
    code, said = _replay(city, plain, EXPECTED, tmp_path)
    assert code == 0, said
    assert "answered as a duplicate" in said
    assert city.processes() == []


def test_one_fen_of_difference_fails_and_is_named(city: CityHome, small: Path, tmp_path: Path) -> None:
    wrong = json.loads(json.dumps(EXPECTED))
    wrong["by_type"]["bus"]["amount_fen"] += 1
    code, said = _replay(city, small, wrong, tmp_path)
    assert code == 1
    assert f"by_type.bus.amount_fen: 应为 expected {BUS['amount_fen'] + 1}，实为 found {BUS['amount_fen']}" in said


def test_a_file_that_is_no_list_of_taps_is_refused(city: CityHome, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b,c\n1,2,3\n")
    code, said = _replay(city, path, None, tmp_path)
    assert code == 2
    assert "the header lacks columns" in said


@pytest.mark.skipif(
    not (_SHARED / "shenzhen-2018-09-01.csv.gz").exists(), reason="the real day is not at hand (ONECARD_SHARED_DATA)"
)
def test_the_real_day_agrees_to_the_cent(city: CityHome) -> None:
    day = _SHARED / "shenzhen-2018-09-01"
    code, said = city.run("replay", f"{day}.csv.gz", "--expect", f"{day}.expected.json", timeout_s=240)
    assert code == 0, said
    assert "every figure agrees to the cent" in said
