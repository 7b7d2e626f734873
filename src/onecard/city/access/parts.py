"""The measurements of the fleet of front-ends, one function each: what is done, and what is read from the processes meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onecard.city.access.tree import Fleet, Say
from onecard.city.bench_run import LoadProcess, Roles, cpu_seconds, start_role
from onecard.datacenter.home import Home

HEARTBEAT_S = 30.0


@contextmanager
def fleet_process(home: Home, fleet: Fleet, *, port: int, heartbeat_s: float = HEARTBEAT_S) -> Iterator[LoadProcess]:
    """The fleet's process with its contexts made, not connected."""
    plan = home.path / "fleet.json"
    ca = str(home.tls_dir / "ca.pem")
    plan.write_text(
        json.dumps({"host": "127.0.0.1", "port": port, "ca": ca, "folder": str(fleet.folder), "heartbeat_s": heartbeat_s})
    )
    words = [sys.executable, "-m", "onecard.city.access.fleet", str(plan)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=_allow_many_files)  # noqa: PLW1509
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


def _allow_many_files() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def machine_note(folder: Path) -> str:
    """The load of the machine before a measurement; others share it."""
    return f"{folder.name}: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
