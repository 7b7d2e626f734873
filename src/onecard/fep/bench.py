"""`onecard bench fep`: installed size, memory with 64 terminals, and decisions made off line with the journal on the disk.

A real front-end process without a line, terminals on real TLS connections from this one. Latency is what a terminal sees: from
its question to its answer, which leaves after the journal's fsync; the plain fsync of the same disk stands beside it.
"""

import asyncio
import json as jsonlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

import onecard
from onecard.fep.bench_home import BenchHome, make_home
from onecard.kernel.codes import Operation, Result
from onecard.kernel.errors import InvalidInput, Unavailable
from onecard.protocol.proto.records_pb2 import Records
from onecard.terminal.native import NativeClient

TERMINALS = 64
MEMORY_LIMIT_MB, P99_LIMIT_MS = 150, 20
_PACE_PER_S = 50.0
"""A unit at lunch: 64 terminals, each a tap in 1.3 s."""


def run(
    *,
    json: bool = False,
    quick: bool = False,
    folder: Annotated[
        Path | None, typer.Option(help="放流水的磁盘 A folder on the disk to measure; default: the temporary one.")
    ] = None,
) -> None:
    """前置机：安装大小、内存、脱机决定 Installed size, memory and offline decisions of a front-end."""
    seconds = 3 if quick else 10
    sizes = installed_sizes()
    _say(f"installed: {sum(sizes.values()) / 1e6:.1f} MB ({', '.join(f'{n} {s / 1e6:.1f}' for n, s in _largest(sizes))} …)")
    with tempfile.TemporaryDirectory(prefix="onecard-bench-fep-", dir=folder) as made:
        fsync_ms = _fsync(Path(made), 50 if quick else 200)
        _say(f"fsync of 4 KB on this disk: p50 {fsync_ms[0]:.2f} ms, p99 {fsync_ms[1]:.2f} ms")
        home = make_home(Path(made), terminals=TERMINALS, seed=1)
        with _front_end(home) as (pid, port):
            figures = asyncio.run(_measure(home, pid, port, seconds))
    figures |= {"installed_mb": round(sum(sizes.values()) / 1e6, 1), "fsync_p50_ms": round(fsync_ms[0], 2)}
    figures |= {"fsync_p99_ms": round(fsync_ms[1], 2)}
    for name, limit in (("memory_mb", MEMORY_LIMIT_MB), ("paced_p99_ms", P99_LIMIT_MS)):
        _say(f"{name} {figures[name]} (limit {limit}): {'ok' if figures[name] < limit else 'NOT MET'}")
    if json:
        _say(jsonlib.dumps(figures))


def installed_sizes() -> dict[str, int]:
    """Bytes of every distribution of requirements/fep.lock that this system needs, and of the package itself, sources only."""
    lock = Path(onecard.__file__).parents[2] / "requirements" / "fep.lock"
    if not lock.is_file():
        raise InvalidInput(f"没有 {lock}：请在源码目录中测量", f"there is no {lock}: measure in a checkout")
    package = Path(onecard.__file__).parent
    sizes = {"onecard": _bytes(path for path in package.rglob("*") if path.is_file())}
    for name in re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.M):
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:
            continue  # of another operating system
        sizes[name] = _bytes(Path(str(file.locate())) for file in files)
    return sizes


async def _measure(home: BenchHome, pid: int, port: int, seconds: int) -> dict[str, Any]:
    clients = [NativeClient("127.0.0.1", port, identity) for identity in home.terminals.values()]
    sellers = [_Seller(client, number, home.cards) for client, number in zip(clients, home.terminals, strict=True)]
    try:
        for client in clients:
            await client.connect()
        await asyncio.gather(*(seller.buy() for seller in sellers))
        idle_mb = _resident_mb(pid)
        _say(f"memory with {len(clients)} terminals: {idle_mb:.1f} MB resident")
        paced = await _phase(sellers, seconds, pause_s=len(sellers) / _PACE_PER_S)
        _say(f"{_PACE_PER_S:.0f} taps a second: {paced['rate']}/s, p50 {paced['p50_ms']} ms, p99 {paced['p99_ms']} ms")
        full = await _phase(sellers, seconds, pause_s=0.0)
        _say(f"back to back: {full['rate']} decisions/s, p50 {full['p50_ms']} ms, p99 {full['p99_ms']} ms")
        peak_mb = _resident_mb(pid)
        _say(f"memory afterwards: {peak_mb:.1f} MB resident, {full['decisions'] + paced['decisions']} records in the journal")
    finally:
        for client in clients:
            await client.close()
    return {
        "terminals": len(clients),
        "memory_mb": round(max(idle_mb, peak_mb), 1),
        "paced_p50_ms": paced["p50_ms"],
        "paced_p99_ms": paced["p99_ms"],
        "decisions_per_s": full["rate"],
        "full_p99_ms": full["p99_ms"],
    }


class _Seller:
    """One terminal; every purchase must be approved, or the figure would be of something else."""

    def __init__(self, client: NativeClient, number: int, cards: list[int]) -> None:
        self._client = client
        self._number = number
        self._cards = cards
        self._numbers = count(1)

    async def buy(self) -> float:
        """Seconds from question to answer."""
        seq = next(self._numbers)
        card = self._cards[(self._number * 7919 + seq) % len(self._cards)]
        records = Records(
            op=[int(Operation.PURCHASE)], terminal_id=[self._number], terminal_seq=[seq], card_no=[card], amount_fen=[100],
            occurred_at_us=[time.time_ns() // 1000], orig_terminal_id=[0], orig_seq=[0],
        )  # fmt: skip
        began = time.perf_counter()
        answers = await self._client.submit(records)
        taken = time.perf_counter() - began
        if answers.code[0] != Result.APPROVED:
            raise Unavailable(f"前置机拒绝：{answers.code[0]}", f"the front-end answered {answers.code[0]}")
        return taken


async def _phase(sellers: list[_Seller], seconds: int, *, pause_s: float) -> dict[str, Any]:
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def sell(seller: _Seller, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while time.perf_counter() < end:
            taken.append(await seller.buy())
            if pause_s:
                await asyncio.sleep(max(0.0, pause_s - taken[-1]))

    await asyncio.gather(*(sell(seller, pause_s * place / len(sellers)) for place, seller in enumerate(sellers)))
    return {
        "decisions": len(taken),
        "rate": round(len(taken) / seconds),
        "p50_ms": _percentile(taken, 0.5),
        "p99_ms": _percentile(taken, 0.99),
    }


@contextmanager
def _front_end(home: BenchHome) -> Iterator[tuple[int, int]]:
    """A real front-end without a line; its process and its native port."""
    port = _free_port()
    words = ["serve", "fep", "--home", str(home.folder), "--gateway", "127.0.0.1:9", "--listen", "127.0.0.1", "--iso-port", "0"]
    words += ["--native-port", str(port), "--metrics-port", "0", "--workstation-port", "0"]
    log = home.folder / "fep.log"
    with log.open("wb") as said:
        process = subprocess.Popen([sys.executable, "-m", "onecard", *words], stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + 30
        while "is open" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("前置机未启动", f"the front-end did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


def _fsync(folder: Path, times: int) -> tuple[float, float]:
    taken = []
    handle = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)
    for _ in range(times):
        began = time.perf_counter()
        os.write(handle, bytes(4096))
        os.fsync(handle)
        taken.append(time.perf_counter() - began)
    os.close(handle)
    return _percentile(taken, 0.5), _percentile(taken, 0.99)


def _resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None, "Linux only"
    return int(found[1]) / 1000


def _percentile(taken: list[float], share: float) -> float:
    ordered = sorted(taken)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)


def _bytes(paths: Iterator[Path] | Any) -> int:
    return sum(path.stat().st_size for path in paths if "__pycache__" not in path.parts and path.is_file())


def _largest(sizes: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(sizes.items(), key=lambda item: -item[1])[:4]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _say(text: str) -> None:
    print(text, flush=True)
