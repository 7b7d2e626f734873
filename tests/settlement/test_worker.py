"""The role `worker`: cuts and settles by itself, takes queued tasks, and leaves on SIGTERM."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from onecard.kernel.business_day import business_date
from onecard.kernel.clock import SystemClock
from onecard.services.settlement import api
from onecard.services.settlement.models import Calendar, SettlementRun
from tests.settlement.city import HOLD, City
from tests.support.postgres import TestDatabase

WAIT_S = 40.0


@pytest.fixture
def worker(city: City, django_database: TestDatabase) -> Iterator["subprocess.Popen[str]"]:
    """A worker that finds yesterday still open."""
    Calendar.objects.create(id=1, open_date=business_date(SystemClock().now()) - timedelta(days=1))
    holder = city.holder("A")
    city.pay(holder, "canteen", 1383)
    city.pay(holder, "canteen", 500, op=HOLD)
    program = (
        "import logging, sys; logging.basicConfig(level=logging.INFO, stream=sys.stderr);"
        "from onecard.services.worker import run; run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=django_database.environment, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def until_balanced(number: int) -> SettlementRun:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        run = SettlementRun.objects.filter(pk=number).first()
        if run is not None and run.state not in ("cut", "cleared", "settled"):
            return run
        time.sleep(0.05)
    raise AssertionError("the worker did not settle")


def test_the_worker_cuts_settles_and_leaves_when_told(worker: "subprocess.Popen[str]", city: City) -> None:
    run = until_balanced(1)
    assert (run.state, run.automatic, run.gross_fen) == ("balanced", True, 1383)
    assert Calendar.objects.get().open_date == business_date(SystemClock().now())

    from onecard.services.settlement.tasks import settle_run

    second = api.day_cut()
    settle_run.defer(run_id=second.pk)
    assert until_balanced(second.pk).state == "balanced"

    worker.send_signal(signal.SIGTERM)
    _, log = worker.communicate(timeout=WAIT_S)
    assert worker.returncode == 0, log
    assert "Traceback" not in log, log


def test_every_tick_can_be_made_by_itself(city: City) -> None:
    from onecard.services import worker as role

    city.pay(city.holder("A"), "canteen", 500, op=HOLD)
    for tick in role.TICKS:
        tick.action()


def test_the_day_command_from_cut_to_sheets(city: City, tmp_path: Path) -> None:
    from onecard.cli.day import app

    city.pay(city.holder("A"), "canteen", 1383)
    command = CliRunner()

    def run(*words: str) -> str:
        result = command.invoke(app, list(words))
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    assert "#1" in run("cut")
    assert "已日切" in run("status")
    assert "已平账" in run("settle")
    assert "13.83" in run("settle", "1", "--repeat", "--full-audit")
    assert "已平账" in run("list")
    assert run("sheets", "--format", "xlsx", "--out", str(tmp_path)).strip().endswith(".xlsx")
    assert len(run("sheets", "1", "--out", str(tmp_path)).split()) == len(api.SHEET_TITLES)
