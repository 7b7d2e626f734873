"""The process that plays all front-ends of the tree towards one gateway, and answers orders on its standard input.

    python -m onecard.city.access.fleet PLAN.json

It writes one JSON object a line, one for each order:

    connect            every line, as fast as the gateway lets in; when each was welcomed
    hold SECONDS       heartbeats only; how long their answers took
    back               waits until lines break, then until all are welcomed again; when each was, from the first loss on
    deny VERSION       waits until each has fetched the deny list of that version or a newer one; when each had it
    quit

Times are seconds from the order (`back`: from the first loss), as percentiles. The plan names host, port, ca, folder (tree.py)
and heartbeat_s.
"""

import asyncio
import hashlib
import json
import random
import ssl
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from onecard.gateway.main import allow_many_files
from onecard.protocol.framing import FrameBuffer, add_prefix
from onecard.protocol.native import MAX_FRAME, PREFIX_BYTES, PROTOCOL_VERSION
from onecard.protocol.proto.device_pb2 import DataVersion, DeviceFrame, Fetch, Heartbeat, Hello, PlatformFrame
from onecard.terminal.tls import Backoff

_READ_BYTES = 65_536
_SERVER_NAME = "localhost"
_CONNECT_S = 30.0
_PART = 524_288
_CONNECTING_AT_ONCE = 64


class FrontEnd(asyncio.BufferedProtocol):
    """One line: TLS through memory buffers with a read buffer shared by all, as the gateway does it (ADR 0030)."""

    __slots__ = (
        "_backoff",
        "_beat",
        "_beat_at",
        "_context",
        "_fetched",
        "_fleet",
        "_frames",
        "_incoming",
        "_outgoing",
        "_secured",
        "_ssl",
        "_submit",
        "_transport",
        "_wanted",
        "deny_version",
        "is_welcome",
    )

    def __init__(self, fleet: "FleetProcess", context: ssl.SSLContext) -> None:
        self._fleet = fleet
        self._context = context
        self._backoff = Backoff(fleet.rng)
        self._beat: asyncio.TimerHandle | None = None
        self._beat_at = 0.0
        self._wanted: DataVersion | None = None
        self._fetched = b""
        self._submit = 0
        self._transport: asyncio.Transport | None = None
        self.deny_version = 0
        self.is_welcome = False

    async def open(self) -> None:
        """Connect, over and over."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._fleet.connecting:
                self._begin()
                try:
                    await loop.create_connection(lambda: self, self._fleet.host, self._fleet.port)
                    return
                except OSError:
                    self._fleet.counts["connect failed"] += 1
            await self._backoff.wait()

    def _begin(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = self._context.wrap_bio(self._incoming, self._outgoing, server_hostname=_SERVER_NAME)
        self._frames = FrameBuffer(prefix_bytes=PREFIX_BYTES, max_frame=MAX_FRAME)
        self._secured = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._work()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._fleet.shared

    def buffer_updated(self, nbytes: int) -> None:
        self._incoming.write(self._fleet.shared[:nbytes])
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._beat is not None:
            self._beat.cancel()
        was_welcome, self.is_welcome, self._wanted = self.is_welcome, False, None
        self._fleet.lost(was_welcome)
        self._fleet.spawn(self._reopen())

    async def _reopen(self) -> None:
        await self._backoff.wait()
        await self.open()

    def _work(self) -> None:
        try:
            if not self._secured:
                self._ssl.do_handshake()
                self._secured = True
                self._greet()
            while data := self._ssl.read(_READ_BYTES):
                self._frames.feed(data)
                while (raw := self._frames.next_frame()) is not None:
                    self._take(PlatformFrame.FromString(raw))
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fleet.counts[f"tls: {error.reason}"] += 1
            assert self._transport is not None
            self._transport.abort()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())

    def _send(self, frame: DeviceFrame) -> None:
        self._ssl.write(add_prefix(frame.SerializeToString(), prefix_bytes=PREFIX_BYTES))
        self._flush()

    def _greet(self) -> None:
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            maker="One-Card",
            model="fleet",
            firmware="1",
            device_clock_us=time.time_ns() // 1000,
        )
        self._send(DeviceFrame(hello=hello))

    def _take(self, frame: PlatformFrame) -> None:
        body = frame.WhichOneof("body")
        if body == "welcome":
            self.is_welcome = True
            self._backoff.reset()
            self._fleet.welcomed()
            # Each line beats at its own moment of the period.
            self._plan_beat(self._fleet.rng.uniform(0, self._fleet.heartbeat_s))
        elif body == "heartbeat":
            self._fleet.beats.append(time.monotonic() - self._beat_at)
        elif body == "tasks":
            for version in frame.tasks.current:
                if version.name == "deny" and version.version > self.deny_version:
                    self._fetch(version)
        elif body == "fetch":
            self._fetch_part(frame.fetch.code, frame.fetch.total, frame.fetch.data)
        elif body == "closing":
            self._fleet.counts[f"closing {frame.closing.code}"] += 1

    def _plan_beat(self, after_s: float) -> None:
        self._beat = asyncio.get_running_loop().call_later(after_s, self._send_beat)

    def _send_beat(self) -> None:
        self._report()
        self._plan_beat(self._fleet.heartbeat_s)

    def _report(self) -> None:
        """A heartbeat: also at once after a list was taken, as front-ends do (fep/follow.py)."""
        self._beat_at = time.monotonic()
        versions = [DataVersion(name="deny", version=self.deny_version)] if self.deny_version else []
        self._send(DeviceFrame(heartbeat=Heartbeat(device_clock_us=time.time_ns() // 1000, versions=versions)))

    def _fetch(self, version: DataVersion) -> None:
        if self._wanted is not None and self._wanted.version >= version.version:
            return
        self._wanted, self._fetched = version, b""
        self._ask()

    def _ask(self) -> None:
        assert self._wanted is not None
        self._submit += 1
        name = f"targets/deny/{self._wanted.sha256.hex()}.{self._wanted.version}.bin"
        self._send(DeviceFrame(fetch=Fetch(submit_id=self._submit, name=name, offset=len(self._fetched), length=_PART)))

    def _fetch_part(self, code: int, total: int, data: bytes) -> None:
        if self._wanted is None:
            return
        if code:
            self._fleet.counts[f"fetch {code}"] += 1
            self._wanted = None
            return
        self._fetched += data
        if len(self._fetched) < total:
            self._ask()
        elif hashlib.sha256(self._fetched).digest() != self._wanted.sha256:
            self._fleet.counts["wrong hash"] += 1
            self._wanted = None
        else:
            self.deny_version, self._wanted, self._fetched = self._wanted.version, None, b""
            self._fleet.taken()
            self._report()


class FleetProcess:
    """All front-ends of a plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.host: str = plan["host"]
        self.port: int = plan["port"]
        self.heartbeat_s: float = plan["heartbeat_s"]
        self.shared = memoryview(bytearray(_READ_BYTES))
        self.rng = random.Random(1)  # noqa: S311 - a load, not a secret
        self.connecting = asyncio.Semaphore(_CONNECTING_AT_ONCE)
        self.counts: Counter[str] = Counter()
        self.beats: list[float] = []
        self._moved = asyncio.Event()
        self._first_loss = 0.0
        self._welcomes: list[float] = []
        self._takings: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.lines = [FrontEnd(self, context) for context in _contexts(plan)]

    def spawn(self, work: Any) -> None:
        """Run it; nobody waits."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def welcomed(self) -> None:
        self._welcomes.append(time.monotonic())
        self._moved.set()

    def lost(self, was_welcome: bool) -> None:
        self.counts["lost"] += 1
        if was_welcome and not self._first_loss:
            self._first_loss = time.monotonic()
            self._moved.set()

    def taken(self) -> None:
        self._takings.append(time.monotonic())
        self._moved.set()

    async def obey(self, words: list[str]) -> dict[str, Any]:
        """Carry out one order."""
        begin = time.monotonic()
        match words:
            case ["connect"]:
                for line in self.lines:
                    self.spawn(line.open())
                await self._until(lambda: all(line.is_welcome for line in self.lines))
                return self._times(self._welcomes, begin)
            case ["hold", seconds]:
                self.beats.clear()
                await asyncio.sleep(float(seconds))
                return {"beats": len(self.beats), **_percentiles(self.beats)}
            case ["back"]:
                await self._until(lambda: self._first_loss > 0)
                self._welcomes.clear()
                await self._until(lambda: all(line.is_welcome for line in self.lines))
                answer = self._times(self._welcomes, self._first_loss)
                self._first_loss = 0.0
                return answer
            case ["deny", version]:
                await self._until(lambda: all(line.deny_version >= int(version) for line in self.lines))
                return self._times(self._takings, begin)
        raise ValueError(f"unknown order {words}")

    async def _until(self, is_met: Any) -> None:
        """Looks at most ten times a second: with thousands of lines a look costs something."""
        while not is_met():
            self._moved.clear()
            await self._moved.wait()
            await asyncio.sleep(0.1)

    def _times(self, moments: list[float], begin: float) -> dict[str, Any]:
        found = _percentiles([moment - begin for moment in moments[-len(self.lines) :]])
        counts, self.counts = dict(self.counts), Counter()
        moments.clear()
        return {"lines": len(self.lines), "counts": counts, **found}


def _contexts(plan: dict[str, Any]) -> Iterator[ssl.SSLContext]:
    """One for each line: its certificate belongs to it."""
    folder = Path(plan["folder"])
    content = (folder / "certificates.bin").read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        certificate = Path(scratch) / "line.pem"
        at = 0
        while at < len(content):
            (length,) = struct.unpack_from(">I", content, at)
            certificate.write_text(ssl.DER_cert_to_PEM_cert(content[at + 4 : at + 4 + length]))
            at += 4 + length
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_verify_locations(plan["ca"])
            context.load_cert_chain(certificate, folder / "line.key")
            yield context


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {}
    names = {"p50_s": 0.5, "p99_s": 0.99, "all_s": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 3) for name, share in names.items()}


async def _serve(plan: dict[str, Any]) -> None:
    fleet = FleetProcess(plan)
    _say({"lines": len(fleet.lines)})
    loop = asyncio.get_running_loop()
    while words := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        if words[0] == "quit":
            return
        _say(await fleet.obey(words))


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)  # the protocol of this process


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(_serve(json.loads(Path(sys.argv[1]).read_text())))
