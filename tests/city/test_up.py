"""`onecard up` as people use it: start, look, stop, start again; and what is left when it is killed."""

import re
import signal
import time
import urllib.request
from pathlib import Path

import psycopg

from onecard.datacenter import dsn
from tests.city.conftest import CityHome, wait_for_line

UP = ("up", "--port", "0", "--holders", "1000", "--rate", "40")


def _figures(city: CityHome) -> tuple[int, int]:
    """Cardholders, and records made by terminals."""
    with psycopg.connect(dsn.owner_dsn(city.home)) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM people_holder), (SELECT count(*) FROM ledger.posting_key WHERE terminal_id > 0)"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _until_posted(city: CityHome, more_than: int) -> int:
    deadline = time.monotonic() + 60
    while (posted := _figures(city)[1]) <= more_than:
        assert time.monotonic() < deadline, "no traffic"
        time.sleep(0.2)
    return posted


def _page(lines: str) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+/centre/", lines)
    assert match is not None, lines
    with urllib.request.urlopen(match[0], timeout=30) as answer:
        return str(answer.read().decode())


def test_a_city_stops_on_ctrl_c_goes_on_where_it_was_and_leaves_nothing_running_when_killed(city: CityHome) -> None:
    with city.start(*UP) as process:
        said = "".join(wait_for_line(process, "Ctrl-C"))
        assert re.search(r"one-time password \w{16}", said), said
        assert "csrfmiddlewaretoken" in _page(said)
        posted = _until_posted(city, 50)
        code, refusal = city.run("up", "--port", "0", timeout_s=20)
        assert code == 2
        assert f"进程 {process.pid}" in refusal
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "已停止" in rest
    assert city.processes() == []

    with city.start(*UP) as process:
        said = "".join(wait_for_line(process, "Ctrl-C"))
        assert "装载" not in said
        assert "one-time password" not in said
        _until_posted(city, posted + 20)
        process.kill()
        process.wait(10)
        deadline = time.monotonic() + 40
        while city.processes():
            assert time.monotonic() < deadline, city.processes()
            time.sleep(0.1)

    code, said = city.run(*UP, "--no-traffic", "--seconds", "1")
    assert code == 0, said
    assert city.run("db", "start")[0] == 0
    assert _figures(city)[0] == 1030  # 30 of the holders of chip cards have names
    code, said = city.run("ledger", "audit")
    assert code == 0, said
    assert city.run("db", "stop")[0] == 0


def test_holders_of_chip_cards_get_their_cards_at_the_station_and_pay_with_them(city: CityHome) -> None:
    """Issued, loaded on line, debited off line, proved by the TAC and posted: nothing of it by hand."""
    chips = (
        "SELECT (SELECT count(*) FROM issuing_job WHERE state = 'done'),"
        " (SELECT count(*) FROM ledger.transfer WHERE kind = 14), (SELECT count(*) FROM ledger.transfer WHERE kind = 13)"
    )
    with city.start(*UP[:-1], "400") as process:
        wait_for_line(process, "Ctrl-C")
        deadline = time.monotonic() + 240
        while True:
            with psycopg.connect(dsn.owner_dsn(city.home)) as connection:
                issued, loads, purchases = connection.execute(chips).fetchone() or (0, 0, 0)
            if issued >= 10 and loads >= 3 and purchases >= 3:
                break
            assert time.monotonic() < deadline, (issued, loads, purchases)
            time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert city.run("db", "start")[0] == 0
    code, said = city.run("ledger", "audit")
    assert code == 0, said
    assert city.run("db", "stop")[0] == 0


def test_a_taken_port_is_named_before_anything_starts(city: CityHome, tmp_path: Path) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = city.run("up", "--port", str(port), timeout_s=20)
    assert code == 2
    assert str(port) in said
    assert "--port" in said
