"""The processes of a measurement: application server, gateway and load generators, and what /proc says of each of them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from onecard.city.bench_town import BenchLine
from onecard.datacenter.home import Home
from onecard.datacenter.postmaster import read_pid_file
from onecard.kernel.errors import Unavailable

_READY_S = 60
_TICKS = os.sysconf("SC_CLK_TCK")


class AtHome(Protocol):
    """What is measured has a home."""

    @property
    def home(self) -> Home: ...


@dataclass(slots=True)
class Roles:
    """The running roles and the ports of the gateway."""

    town: AtHome
    iso_port: int
    native_port: int
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    commands: dict[str, tuple[Sequence[str], Callable[[], bool]]] = field(default_factory=dict)
    """The words of each role and how to tell that it serves, to start it again."""

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time by tier since each began; PostgreSQL's with all its processes."""
        times = {name: cpu_seconds(process.pid) for name, process in self.processes.items()}
        postmaster = read_pid_file(self.town.home.pg_data)
        assert postmaster is not None
        times["postgresql"] = cpu_seconds(postmaster.pid, with_children=True)
        return times

    def resident_kb(self, name: str) -> int:
        """Resident memory of a role."""
        for line in Path(f"/proc/{self.processes[name].pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


@contextmanager
def running_roles(town: AtHome, *, worker: bool = False) -> Iterator[Roles]:
    """The application server and a gateway as processes of their own, with `worker` a worker too; drained at the end."""
    iso, native, metrics = _free_ports(3)
    roles = Roles(town, iso, native)
    socket_path = town.home.run_dir / "app.sock"
    command = [sys.executable, "-m", "onecard", "serve"]
    gateway = ["gateway", "--app", f"unix:{socket_path}", "--tls-dir", str(town.home.tls_dir), "--host", "127.0.0.1"]
    gateway += ["--iso-port", str(iso), "--native-port", str(native), "--metrics-port", str(metrics)]
    try:
        roles.commands["app"] = ([*command, "app"], lambda: _answers(socket.AF_UNIX, str(socket_path)))
        roles.commands["gateway"] = ([*command, *gateway], lambda: _answers(socket.AF_INET, ("127.0.0.1", iso)))
        if worker:
            roles.commands["worker"] = ([*command, "worker"], lambda: True)
        for name in roles.commands:
            start_role(roles, name)
        yield roles
    finally:
        for name in ("worker", "gateway", "app"):
            process = roles.processes.get(name)
            if process is not None:
                process.terminate()
        for process in roles.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


class LoadProcess:
    """A load generator with its lines connected."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def order(self, words: str) -> dict[str, Any]:
        """Sends one order and returns what was measured."""
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Unavailable("负载发生器已退出", f"the load generator has ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def load_process(roles: Roles, plan: dict[str, Any]) -> Iterator[LoadProcess]:
    """A load generator for a plan, connected."""
    file = roles.town.home.path / f"plan-{plan['driver']}-{len(plan['lines'])}.json"
    file.write_text(json.dumps(plan))
    process = subprocess.Popen(
        [sys.executable, "-m", "onecard.city.loadgen", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    roles.processes["load generator"] = process  # type: ignore[assignment]
    try:
        load = LoadProcess(process)
        load.read()
        yield load
        assert process.stdin is not None
        process.stdin.write("quit\n")
        process.stdin.flush()
        process.wait(20)
    finally:
        del roles.processes["load generator"]
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def plan_for(roles: Roles, lines: Sequence[BenchLine], *, driver: str, **more: Any) -> dict[str, Any]:
    """A load generator's plan for some lines of the town."""
    from onecard.services.devices.api import terminal_master_key

    iso = driver == "iso8583"
    return {
        "driver": driver,
        "host": "127.0.0.1",
        "port": roles.iso_port if iso else roles.native_port,
        "ca": str(roles.town.home.tls_dir / "ca.pem"),
        "cards": str(roles.town.home.path / "cards.bin"),
        "lines": [
            {
                "certificate": str(line.certificate),
                "key": str(line.key),
                "terminals": [
                    {"id": number, "tid": tid, "mid": mid, **({"master_key": terminal_master_key(number).hex()} if iso else {})}
                    for number, tid, mid in line.terminals
                ],
            }
            for line in lines
        ],
        **more,
    }


def measured(roles: Roles, load: LoadProcess, order: str) -> tuple[dict[str, Any], dict[str, float]]:
    """One order, and how many processors each tier used while it ran (warm-up included); `others` is the rest of the machine."""
    before, busy_before, begin = roles.cpu_seconds(), _machine_seconds(), time.monotonic()
    result = load.order(order)
    elapsed = time.monotonic() - begin
    after, busy_after = roles.cpu_seconds(), _machine_seconds()
    used = {name: round((after[name] - before[name]) / elapsed, 3) for name in after if name in before}
    used["others"] = round(max((busy_after - busy_before) / elapsed - sum(used.values()), 0.0), 3)
    return result, used


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """User and system time of a process; with its children's, living and waited for."""
    fields = _stat(pid)
    ticks = int(fields[11]) + int(fields[12])
    if with_children:
        ticks += int(fields[13]) + int(fields[14])
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    child = _stat(int(entry.name))
                except OSError:
                    continue
                if int(child[1]) == pid:
                    ticks += int(child[11]) + int(child[12])
    return ticks / _TICKS


def _machine_seconds() -> float:
    """Processor time of the whole machine: all but idle and waiting for disks; what a hypervisor took away counts as used."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def start_role(roles: Roles, name: str) -> None:
    """Start a role by its command and wait until it serves. Raises Unavailable with the end of its log."""
    words, ready = roles.commands[name]
    log = roles.town.home.log_dir / f"{name}.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    roles.processes[name] = process
    deadline = time.monotonic() + _READY_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            end = log.read_text(errors="replace")[-2000:]
            raise Unavailable(f"{name} 未能启动：{end}", f"{name} does not start: {end}")
        time.sleep(0.05)


def _answers(family: socket.AddressFamily, address: Any) -> bool:
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
