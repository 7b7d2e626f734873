"""The measurements of the fleet of front-ends, one function each: what is done, and what is read from the processes meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from onecard.city.access.tree import Fleet, Say
from onecard.city.bench_run import LoadProcess, Roles, cpu_seconds, start_role
from onecard.datacenter.embedded import EmbeddedServer
from onecard.datacenter.home import Home
from onecard.ledger.codes import CardStatus

HEARTBEAT_S = 30.0
_BAR = "SELECT ledger.set_card_status(card, %s) FROM unnest(%s::bigint[]) card"
_DENY_VERSION = "SELECT version FROM offline_denypublication ORDER BY version DESC LIMIT 1"
# A purchase of two purses is one charge: its further legs are linked to the first.
_CHARGED = """
SELECT count(DISTINCT (terminal_id, terminal_seq)), count(*) FILTER (WHERE link_id IS NULL OR link_id = id)
  FROM ledger.transfer WHERE terminal_id = ANY(%s) AND kind IN (1, 2)"""


@contextmanager
def fleet_process(home: Home, fleet: Fleet, *, port: int, heartbeat_s: float = HEARTBEAT_S) -> Iterator[LoadProcess]:
    """The fleet's process with its contexts made, not connected."""
    plan = home.path / "fleet.json"
    ca = str(home.tls_dir / "ca.pem")
    plan.write_text(
        json.dumps({"host": "127.0.0.1", "port": port, "ca": ca, "folder": str(fleet.folder), "heartbeat_s": heartbeat_s})
    )
    words = [sys.executable, "-m", "onecard.city.access.fleet", str(plan)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        load = LoadProcess(process)
        load.read()
        yield load
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def connect(roles: Roles, load: LoadProcess, *, say: Say) -> dict[str, Any]:
    """All lines up from nothing: how long, and the gateway's memory for each."""
    before = roles.resident_kb("gateway")
    found = load.order("connect")
    found["kb_per_line"] = round((roles.resident_kb("gateway") - before) / found["lines"], 1)
    found["gateway_mb"] = round(roles.resident_kb("gateway") / 1024)
    say(
        f"{found['lines']:,} front-ends connected in {found['all_s']} s (half in {found['p50_s']} s), "
        f"{found['kb_per_line']} KB of the gateway each, {found['gateway_mb']} MB in all"
    )
    return found


def hold(roles: Roles, load: LoadProcess, *, seconds: float, say: Say) -> dict[str, Any]:
    """Heartbeats only: what they cost."""
    before, begin = roles.cpu_seconds(), time.monotonic()
    found = load.order(f"hold {seconds}")
    elapsed = time.monotonic() - begin
    found["processors"] = {name: round((spent - before[name]) / elapsed, 3) for name, spent in roles.cpu_seconds().items()}
    shares = ", ".join(f"{name} {used:.2f}" for name, used in found["processors"].items())
    say(f"{found['beats']:,} heartbeats in {seconds:.0f} s, answered in p50 {found['p50_s']} s, p99 {found['p99_s']} s")
    say(f"  processors used: {shares}")
    return found


def restart(roles: Roles, load: LoadProcess, *, say: Say) -> dict[str, Any]:
    """The gateway is killed and started again: how long until all lines are back, and how busy it was."""
    process = roles.processes["gateway"]
    assert load.process.stdin is not None
    load.process.stdin.write("back\n")
    load.process.stdin.flush()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    start_role(roles, "gateway")
    begin, before = time.monotonic(), cpu_seconds(roles.processes["gateway"].pid)
    found = load.read()
    used = (cpu_seconds(roles.processes["gateway"].pid) - before) / (time.monotonic() - begin)
    found["gateway_processors"] = round(used, 3)
    say(f"gateway killed: half back after {found['p50_s']} s, 99 % after {found['p99_s']} s, all after {found['all_s']} s")
    say(f"  the gateway used {used:.2f} processors; on the way: {found['counts']}")
    return found


def admin_dsn(home: Home) -> str:
    """For the yardstick."""
    return EmbeddedServer(home).admin_dsn()


def bar_cards(home: Home, cards: Path, *, every: int) -> None:
    """Every so-manieth card is reported lost: the deny list of a city, before anything is measured."""
    numbers = read_cards(cards)
    with psycopg.connect(EmbeddedServer(home).dsn(user="onecard_owner"), autocommit=True) as connection:
        connection.execute(_BAR, (int(CardStatus.LOST), numbers[::every].tolist()))


def deny(home: Home, load: LoadProcess, cards: Path, *, place: int, say: Say) -> dict[str, Any]:
    """A card is reported lost: how long until the front-ends hold a list with it. Publication by the worker is part of it."""
    card = read_cards(cards)[place + 1]
    with psycopg.connect(EmbeddedServer(home).dsn(user="onecard_app"), autocommit=True) as connection:
        (version,) = connection.execute(_DENY_VERSION).fetchone() or (0,)
        connection.execute("SELECT ledger.set_card_status(%s, %s)", (card, int(CardStatus.LOST)))
    found = load.order(f"deny {version + 1}")
    say(
        f"deny list {version + 1}: half of the front-ends have it after {found['p50_s']} s, 99 % after {found['p99_s']} s, "
        f"all after {found['all_s']} s"
    )
    return found


def catch_up(home: Home, roles: Roles, fleet: Fleet, *, front_ends: int, records: int, say: Say) -> dict[str, Any]:
    """Front-ends with full journals come back at once: records a second until all are acknowledged, and the ledger's proof."""
    plan = home.path / "catchup.json"
    terminals = fleet.terminals[:front_ends]
    plan.write_text(
        json.dumps(
            {
                "host": "127.0.0.1", "port": roles.native_port, "ca": str(home.tls_dir / "ca.pem"), "folder": str(fleet.folder),
                "homes": str(home.path / "catchup"), "terminals": list(terminals), "records": records,
                "cards": str(home.path / "cards.bin"),
            }
        )
    )  # fmt: skip
    words = [sys.executable, "-m", "onecard.city.access.catchup", str(plan)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        load = LoadProcess(process)
        load.read()
        before, begin = roles.cpu_seconds(), time.monotonic()
        found = load.order("go")
        elapsed = time.monotonic() - begin
        found["processors"] = {name: round((spent - before[name]) / elapsed, 3) for name, spent in roles.cpu_seconds().items()}
    found |= _proof(home, terminals, expected=front_ends * records)
    say(f"{found['records']:,} records of {front_ends} front-ends came up in {found['seconds']} s: {found['rate']:,.0f}/s")
    say(f"  lost {found['lost']}, doubled {found['doubled']}, refused {found['refused']}; processors used: {found['processors']}")
    return found


def _proof(home: Home, terminals: Sequence[int], *, expected: int) -> dict[str, int]:
    """What the journal of the data centre has of them, by their keys."""
    with psycopg.connect(EmbeddedServer(home).dsn(user="onecard_owner")) as connection:
        row = connection.execute(_CHARGED, (list(terminals),)).fetchone()
    assert row is not None
    keys, charges = int(row[0]), int(row[1])
    return {"lost": expected - keys, "doubled": charges - keys}


def read_cards(path: Path) -> "array[int]":
    """The card numbers of a measurement."""
    cards = array("q")
    cards.frombytes(path.read_bytes())
    return cards
