"""`onecard cards` on virtual cards, from a vault to a finished batch."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onecard.cli import main
from onecard.datacenter import prepared
from onecard.datacenter.home import Home
from onecard.services.cards import api as cards
from onecard.services.issuing import api as issuing
from onecard.services.issuing.models import Job, JobState
from onecard.services.keys import api as keys
from onecard.services.keys.api import KdfParameters
from tests.issuing.conftest import DESK, City, make_city
from tests.issuing.vault import MemoryVault
from tests.support.postgres import TestDatabase

FAST = KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def city(django_database: TestDatabase, new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch) -> Iterator[City]:
    home = new_home()
    home.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(home.path))
    monkeypatch.setattr(prepared, "ensure", lambda: None)
    keys.init_demo(home, kdf=FAST)
    made = make_city(django_database, MemoryVault())
    yield made
    keys.close_vault()
    made.audit()


@pytest.fixture
def onecard(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main.main(["cards", *map(str, words)])
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out + shown.err

    return run


@pytest.mark.usefixtures("city")
def test_a_batch_of_virtual_cards_is_made(onecard: Command, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    assert onecard("virtual", folder, "--count", 3) == (0, f"新建 3 张 made 3 cards: {folder}\n")
    code, text = onecard("batch", "create", "新生卡", "--operator", "A", "--type", "CITY", "--count", 2)
    assert (code, text) == (0, "#1  新生卡  2 张 cards\n")
    code, text = onecard("batch", "run", 1, "--virtual", folder)
    assert code == 0
    assert "[2/2]" in text
    assert "完成 done 2/2" in text
    assert "own time a card" in text
    code, text = onecard("recognise", "--virtual", folder)
    assert [row.split()[1] for row in text.splitlines()] == ["issued", "issued", "blank"]
    code, text = onecard("batch", "status")
    assert "finished" in text
    code, text = onecard("job", "steps", Job.objects.first().pk)
    assert "master.key.card_control" in text


@pytest.mark.usefixtures("city")
def test_one_card_is_issued_and_known_afterwards(onecard: Command, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    onecard("virtual", folder, "--count", 1)
    code, text = onecard("issue", "--operator", "A", "--type", "CITY", "--virtual", folder)
    assert code == 0, text
    assert text.startswith("✓")
    code, text = onecard("issue", "--operator", "A", "--type", "CITY", "--virtual", folder)
    assert code == 1
    assert "issued already" in text
    assert sorted(Job.objects.values_list("state", flat=True)) == [JobState.DONE, JobState.ROLLED_BACK]
    assert "issued already" in Job.objects.get(state=JobState.ROLLED_BACK).reason_en
    code, text = onecard("issue", "--operator", "A", "--type", "CITY", "--medium", "uid", "--uid", "04AABBCCDDEEFF")
    assert code == 0, text


@pytest.mark.usefixtures("city")
def test_a_card_is_exchanged_and_a_job_of_the_desk_is_written(onecard: Command, tmp_path: Path) -> None:
    folder = tmp_path / "cards"
    onecard("virtual", folder, "--count", 3)
    first, second, third = sorted(path.name for path in folder.iterdir())
    onecard("issue", "--operator", "A", "--type", "CITY", "--virtual", folder, "--card", first)
    old = Job.objects.get().card_no
    code, text = onecard("issue", "--replaces", old, "--virtual", folder)
    assert (code, "cannot have replace" in text) == (2, True)
    code, text = onecard("issue", "--exchanges", old, "--reason", "损坏", "--virtual", folder, "--card", second)
    assert code == 0, text
    new = Job.objects.get(old_card_no=old)
    assert (new.state, cards.card(old, actor=DESK).state) == (JobState.DONE, "replaced")
    code, text = onecard("life", "operate", new.card_no, "exchange", "--medium", "CPU")
    assert (code, "--exchanges" in text) == (2, True)
    assert new.card_no is not None
    waiting = issuing.create_renewal(issuing.Renewal(new.card_no, issuing.Purpose.EXCHANGE), actor=DESK)
    code, text = onecard("job", "write", waiting.pk, "--virtual", folder, "--card", third)
    assert code == 0, text
    assert cards.card(new.card_no, actor=DESK).state == "replaced"


WRONG = [
    ("issue --replaces 1 --exchanges 2 --virtual /nowhere", "not both"),
    ("issue --replaces 1 --operator A --virtual /nowhere", "of the old card"),
    ("issue --replaces 1 --virtual /nowhere", "no such card"),
    ("issue --operator A --type CITY --waive-fee --virtual /nowhere", "for a replacement"),
    ("issue --operator Z --type CITY --virtual /nowhere", "no such operator: Z"),
    ("issue --operator A --type CITY --virtual /nowhere", "no virtual cards"),
    ("issue --operator A --type CITY --virtual /x --reader y", "not both"),
    ("issue --operator A --type CITY --medium stone", "cpu, sim, uid or qr"),
    ("batch run 7 --virtual /nowhere", "no virtual cards"),
    ("batch pause 7", "no such issuing batch"),
    ("job steps 7", "no such issuing job"),
]


@pytest.mark.usefixtures("city")
def test_what_is_wrong_is_said_in_one_line(onecard: Command) -> None:
    for words, says in WRONG:
        code, text = onecard(*words.split())
        assert code == 2, words
        assert says in text, words
    assert not Job.objects.filter(state=JobState.QUEUED).exists()


def test_stock_and_life_are_groups_of_the_same_command(onecard: Command) -> None:
    for group in ("stock", "life", "batch", "job"):
        code, text = onecard(group, "--help")
        assert code == 0
        assert f"onecard cards {group}" in text
