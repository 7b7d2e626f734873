"""A short run of what `onecard fuzz` does for as long as wanted."""

import subprocess
import sys

from onecard.gateway import fuzz


def test_three_seconds_of_mutated_messages_find_nothing():
    report = fuzz.run(seconds=3, seed=20260301)
    assert report.finding is None, f"seed {report.seed}: {report.error}: {report.finding.hex()}"
    assert report.inputs > 1000
    assert report.outcomes["iso8583 answered"] > 50
    assert report.outcomes["native answered"] > 50


def test_the_same_seed_gives_the_same_inputs():
    import random

    first, second = random.Random(7), random.Random(7)
    corpus = [bytes(range(64)), b"another message"]
    assert [fuzz.mutate(first, corpus) for _ in range(50)] == [fuzz.mutate(second, corpus) for _ in range(50)]


def test_the_command_reports_what_it_did():
    run = subprocess.run(
        [sys.executable, "-c", "from onecard.cli.main import main; main(['fuzz', '--seconds', '1', '--seed', '5'])"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert "nothing found (seed 5)" in run.stdout
