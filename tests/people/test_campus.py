"""The cardholders of a real campus (open data, references replaced): two access cards are each held by two people."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from onecard.services.operators import api as operators
from onecard.services.people import api as people
from onecard.services.people.models import Department, Holder
from tests.people.conftest import ACTOR
from tests.services.conftest import Tree

FILE = Path(__file__).parents[3] / "shared" / "data" / "campus-cardholders.csv.gz"


@pytest.fixture
def campus(tmp_path: Path) -> Path:
    if not FILE.exists():
        pytest.skip("the cardholders of the campus (shared/data/campus-cardholders.csv.gz) are not there")
    path = tmp_path / "campus.csv"
    path.write_bytes(gzip.decompress(FILE.read_bytes()))
    return path


def test_everybody_of_a_real_campus_is_loaded_but_the_second_holders_of_two_cards(tree: Tree, campus: Path) -> None:
    lines = campus.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split(",") for line in lines]
    taken = Counter(row[1] for row in rows)
    assert len(rows) == 4_341 and sorted(taken.values())[-3:] == [1, 2, 2]
    operators.update_operator(tree.unified, holder_cap=5_000)
    options = people.LoadOptions(
        operator_id=tree.unified,
        unit_id=tree.unit,
        mode="good",
        make_departments=True,
        mapping={"name": "person_ref", "staff_no": "access_card_ref", "department": "major"},
    )
    job = people.run_load(people.create_job(options, actor=ACTOR, file_name=campus.name).id, campus)
    assert (job.state, job.row_count, job.holder_count, job.bad_count) == ("done", 4_341, 4_339, 2)
    wrong = list(people.problems_of(job.id, actor=ACTOR))
    assert [(p.column, p.code) for p in wrong] == [("access_card_ref", "twice_in_file")] * 2
    assert {rows[p.row_no - 2][1] for p in wrong} == {card for card, times in taken.items() if times == 2}
    majors = {row[3].strip() for row in rows} - {""}
    assert Department.objects.count() == len(majors)
    assert Holder.objects.exclude(department=None).count() == sum(
        1 for n, row in enumerate(rows, start=2) if row[3].strip() and n not in {p.row_no for p in wrong}
    )
