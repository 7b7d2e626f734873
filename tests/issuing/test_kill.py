"""C2 for real: the station's process is killed (-9) at a sample of commands, with the card's memory and the keys on disk."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onecard.services.issuing.engine import Outcome
from onecard.services.issuing.models import Job, JobState
from onecard.terminal.card.virtual import VirtualCard
from tests.issuing.conftest import City, make_city, public_data
from tests.issuing.vault import MemoryVault
from tests.support.postgres import TestDatabase

# Spread over the commands of a card: before anything is claimed, first writes, keys, files, around the seal, the last answer.
PLACES = [
    (3, "after"),
    (11, "before"),
    (30, "after"),
    (54, "before"),
    (54, "after"),
    (67, "after"),
]


@pytest.fixture
def city(django_database: TestDatabase, tmp_path: Path) -> City:
    return make_city(django_database, MemoryVault(tmp_path / "vault.json"))


def test_a_killed_station_leaves_a_card_that_the_next_touch_finishes(city: City, tmp_path: Path) -> None:
    batch = city.batch(len(PLACES))
    running = []
    for number, (at, when) in enumerate(PLACES):
        path = tmp_path / f"card-{number}.json"
        city.blank(path)
        words = [sys.executable, "-m", "tests.issuing.station_process", str(path), str(tmp_path / "vault.json")]
        running.append(
            subprocess.Popen(
                [*words, str(batch.pk), str(at), when],
                env=city.database.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, errors
    cards = [VirtualCard.open(tmp_path / f"card-{number}.json") for number in range(len(PLACES))]
    city.check(*cards)
    assert Job.objects.filter(state=JobState.DONE).count() == 0
    assert Job.objects.exclude(state=JobState.QUEUED).count() == len(PLACES) - 1
    for card in cards:
        report = city.touch(card, batch)
        assert report.result is not None, report
        assert report.result.outcome is Outcome.DONE, report
        assert public_data(card) is not None
        city.check(*cards)
    city.audit()
