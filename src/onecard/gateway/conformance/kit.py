"""`onecard driver check`: a driver with its own simulator, through the real gateway, before a platform that counts.

Order: what lies in the folder, then one exchange in every hostile shape, then a thousand transactions. A step that raises has
failed, with the error as its reason; a step that needs what the machine lacks is not run, and then the driver has not passed.
"""

import asyncio
import contextlib
import secrets
import selectors
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onecard.gateway.attached import AttachedPorts, Attachment
from onecard.gateway.conformance.grade import judge
from onecard.gateway.conformance.hostile import Faults, cut_line, feed_line, hostile_line
from onecard.gateway.conformance.peer import Peer, PortFacts, Receipt, Seat, Terminal
from onecard.gateway.conformance.platform import KitAuthority, KitPlatform
from onecard.gateway.conformance.report import Outcome, Report, Step
from onecard.gateway.conformance.vectors import run_malformed, run_vectors
from onecard.gateway.drivers.base import PortSettings
from onecard.gateway.drivers.loader import Found
from onecard.gateway.gateway import Gateway
from onecard.gateway.settings import GatewaySettings
from onecard.kernel.codes import Operation
from onecard.kernel.errors import Unavailable
from onecard.protocol.proto import app_pb2 as app

_LINE, _FIRST_TERMINAL, _TERMINALS, _CARD = 1, 9001, 4, 1000010000000017
_INPUTS = 20_000
_STEP_S = 300.0
_IMAGE_BYTES = 4096
_CUTS = 40
"""Places in an exchange where a port's wire is cut: every byte would take minutes at a bus's pace."""

Sum = tuple[int, int, int]
"""Terminal, operation, fen."""


class Kit:
    """One run; `run` gives the report. `project` is where a manifest's test files are found from."""

    def __init__(
        self,
        found: Found,
        *,
        project: Path,
        transactions: int = 1000,
        seed: int = 1,
        settle_s: float = 20.0,
        inputs: int = _INPUTS,
    ) -> None:
        """`settle_s`: how long journals may take to deliver before a difference is one; `inputs`: spoilt ones for the codec."""
        self._inputs = inputs
        self._found = found
        self._project = project
        self._transactions = transactions
        manifest = found.manifest
        self._is_port = manifest.is_port
        self._settle_s = settle_s
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.report = Report(manifest.name, manifest.maker, found.source, manifest.grade.name.lower(), made_at, seed)

    async def run(self) -> Report:
        """All steps, those after a failed one included."""
        await self._step("grade", "等级", "the grade that is claimed is earned", self._grade)
        await self._step("vectors", "向量", "vectors in both directions", self._vectors)
        await self._step("malformed", "畸形输入", "malformed input to the codec", self._malformed)
        with tempfile.TemporaryDirectory(prefix="onecard-driver-") as folder:
            self._folder = Path(folder)
            await self._open()
            try:
                await self._live()
            finally:
                await self._close()
        return self.report

    async def _live(self) -> None:
        if not self._is_port:
            await self._step("hostile", "会话畸形输入", "malformed input to the session", self._hostile)
        if not await self._step("peer", "模拟器", "the simulator connects and sells once", self._start_peer):
            return
        await self._step("disconnect", "断线", "disconnects inside an exchange", self._disconnect)
        await self._step("slow", "慢速对端", "a slow peer: byte by byte on a line, late with every answer on a port", self._slow)
        await self._step("duplicate", "重复", "what is sent twice is posted once", self._duplicate)
        await self._step("volume", "千笔交易", f"{self._transactions} transactions, each exactly once", self._volume)
        if "upgrade" in self._found.manifest.capabilities:
            await self._step("upgrade", "升级", "a file arrives whole at the device", self._upgrade)

    async def _step(self, name: str, zh: str, en: str, work: Callable[[], Awaitable[Faults]]) -> bool:
        since = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_STEP_S):
                faults = await work()
            outcome = Outcome.FAILED if faults else Outcome.PASSED
        except Unavailable as lacking:
            outcome, faults = Outcome.NOT_RUN, [lacking.en]
        except Exception as error:
            outcome, faults = Outcome.FAILED, [f"{type(error).__name__}: {error}"]
        self.report.steps.append(
            Step(name, zh, en, outcome, tuple(faults[:10]), round(asyncio.get_running_loop().time() - since, 1))
        )
        return outcome is Outcome.PASSED

    # what lies in the folder

    async def _grade(self) -> Faults:
        earned, missing = judge(self._found, project=self._project)
        self.report.earned = earned.name.lower()
        return missing if earned < self._found.manifest.grade else []

    async def _vectors(self) -> Faults:
        return run_vectors(self._found.module("codec"), self._found.manifest.vectors())

    async def _malformed(self) -> Faults:
        vectors = self._found.manifest.vectors()
        return run_malformed(self._found.module("codec"), vectors, inputs=self._inputs, seed=self.report.seed)

    # the real gateway and its platform

    async def _open(self) -> None:
        self._authority = KitAuthority(self._folder)
        self._authority.issue("gateway")
        identity, fingerprint = self._authority.issue("line")
        self._fingerprint = fingerprint
        numbers = range(_FIRST_TERMINAL, _FIRST_TERMINAL + _TERMINALS)
        terminals = tuple(Terminal(terminal_id=n, tid=f"{n:08d}", mid=f"{n:015d}") for n in numbers)
        listed = [app.LineTerminal(terminal_id=t.terminal_id, tid=t.tid, mid=t.mid) for t in terminals]
        line = app.Line(line_id=_LINE, certificate_sha256=fingerprint, kind=app.FRONT_END, name="kit", terminals=listed)
        master_key, mac_key = secrets.token_bytes(16), secrets.token_bytes(8)
        self._platform = KitPlatform(line, master_key=master_key, mac_key=mac_key)
        address = f"unix:{self._folder}/app.sock"
        await self._platform.start(address)
        settings = GatewaySettings(
            name="kit", apps=(address,), tls_dir=self._folder, host="127.0.0.1", metrics_port=0, drain_s=0.5
        )
        self._driver: Any = self._found.make()
        self._gateway = Gateway(settings, {} if self._is_port else {self._driver: 0})
        await self._gateway.start()
        self._seat = Seat(
            folder=self._folder, terminals=terminals, card_no=_CARD, seed=self.report.seed,
            port=self._gateway.ports.get(self._driver.name, 0), identity=identity, master_key=master_key, mac_key=mac_key,
        )  # fmt: skip
        self._peer: Peer | None = None
        self._ports: AttachedPorts | None = None

    async def _close(self) -> None:
        if self._peer is not None:
            await self._peer.stop()
        if self._ports is not None:
            await self._ports.stop()
        await self._gateway.stop()
        await self._platform.stop()

    async def _start_peer(self) -> Faults:
        self._peer = self._found.module("simulator").open_peer(self._seat)
        facts = await self._peer.start()
        self._facts = facts
        if self._is_port:
            self._attach(facts)
        return await self._sell(1)

    def _attach(self, facts: PortFacts) -> None:
        settings = PortSettings(
            name="kit", driver=self._driver.name, transport=facts.transport, terminals=facts.terminals,
            state_dir=self._folder / "state", options=facts.options,
        )  # fmt: skip
        self._ports = AttachedPorts(self._gateway, [Attachment(settings, self._fingerprint, self._driver)])
        self._ports.start()

    # money

    async def _sell(self, count: int) -> Faults:
        """So many sales, and what they left behind."""
        assert self._peer is not None
        before = Counter(self._stood())
        receipts = await self._peer.sell(count)
        faults = [] if len(receipts) == count else [f"{len(receipts)} of {count} transactions have a receipt"]
        return faults + await self._balanced(receipts, before)

    async def _balanced(self, receipts: list[Receipt], before: Counter[Sum], *, at_most: int = 0) -> Faults:
        """Receipts and platform agree, at the latest when journals are delivered. `at_most`: sales without a receipt."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settle_s
        while (faults := self._differences(receipts, before, at_most)) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return faults

    def _differences(self, receipts: list[Receipt], before: Counter[Sum], at_most: int) -> Faults:
        stood = Counter(self._stood()) - before
        due = Counter((r.terminal_id, int(r.op), r.amount_fen) for r in receipts if r.amount_fen)
        lost, more = due - stood, stood - due
        faults = [f"lost: terminal {t}, {Operation(op).name} of {fen} fen, {n} times" for (t, op, fen), n in lost.items()]
        if more.total() > at_most:
            faults += [
                f"too much: terminal {t}, {Operation(op).name} of {fen} fen, {n} times" for (t, op, fen), n in more.items()
            ]
        if self._platform.conflicts:
            faults.append(f"{self._platform.conflicts} records under a sequence number that was used with other content")
        posted = {(key[0], key[1]) for key in self._platform.records if not key[2]}
        faults += [
            f"receipt {r.terminal_seq} was never posted"
            for r in receipts
            if r.terminal_seq and (r.terminal_id, r.terminal_seq) not in posted
        ]
        return faults

    def _stood(self) -> list[Sum]:
        """What moved money for good: holds do not, their ends do."""
        still = (Operation.HOLD, Operation.RELEASE, Operation.BALANCE)
        return [(terminal, op, fen) for terminal, _, op, fen in self._platform.taken() if op not in still]

    # hostile lines

    async def _hostile(self) -> Faults:
        exchange = self._exchange(1)
        faults = await hostile_line(
            self._driver, self._gateway, _LINE, exchange, seed=self.report.seed, inputs=self._inputs // 10
        )
        # Spoilt exchanges may have been whole records of other content: those are refused, and then done with.
        while self._gateway.uplink.waiting or self._gateway.uplink.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._platform.conflicts = 0
        return faults

    async def _disconnect(self) -> Faults:
        if self._is_port:
            return await self._cut_port()
        faults = await cut_line(self._driver, self._gateway, _LINE, self._exchange(2))
        return faults + await self._sell(1)

    async def _cut_port(self) -> Faults:
        peer: Any = self._peer
        size = max(1, await peer.exchange_bytes())
        faults: Faults = []
        for at in range(0, size, max(1, size // _CUTS)):
            before = Counter(self._stood())
            await peer.cut(at)
            receipts = await peer.sell(1)
            # A sale whose confirmation was cut off stands without a receipt: the device could not show it.
            faults += [f"cut at byte {at}: {fault}" for fault in await self._balanced(receipts, before, at_most=1)]
            if len(faults) > 5:
                break
        return faults

    async def _slow(self) -> Faults:
        if self._is_port:
            peer: Any = self._peer
            await peer.slow(is_slow=True)
            try:
                return await self._sell(1)
            finally:
                await peer.slow(is_slow=False)
        before = len(self._platform.records)
        answers = await feed_line(self._driver, self._gateway, _LINE, self._exchange(3), step=1)
        if len(self._platform.records) != before + 1 or not answers:
            return [f"byte by byte: {len(self._platform.records) - before} records, {len(answers)} bytes of answers"]
        return []

    async def _duplicate(self) -> Faults:
        assert self._peer is not None
        before = self._platform.conflicts
        if not self._is_port:
            exchange = self._exchange(4)
            first = await feed_line(self._driver, self._gateway, _LINE, exchange, step=len(exchange))
            count = len(self._platform.records)
            second = await feed_line(self._driver, self._gateway, _LINE, exchange, step=len(exchange))
            if len(self._platform.records) != count or bool(first) != bool(second):
                return ["the same exchange a second time was another record, or was not answered"]
        stood = Counter(self._stood())
        await self._peer.repeat()
        faults = ["a repetition had other content"] if self._platform.conflicts != before else []
        more = (Counter(self._stood()) - stood).total()
        return [*faults, f"what was repeated was posted {more} times"] if more > 1 else faults

    def _exchange(self, seq: int) -> bytes:
        return bytes(self._found.module("simulator").build_exchange(self._seat, 900_000 + seq))

    async def _volume(self) -> Faults:
        return await self._sell(self._transactions)

    async def _upgrade(self) -> Faults:
        """Broken off in the middle, gone on with, and sold all the while."""
        port: Any = self._ports.ports["kit"] if self._ports is not None else None
        if port is None or not hasattr(port, "upgrade"):
            return ["the capability upgrade is claimed, and the port has no upgrade"]
        peer: Any = self._peer
        artefact = self._folder / "artefact.bin"
        image = secrets.token_bytes(_IMAGE_BYTES)
        artefact.write_bytes(image)
        device = next(iter(self._facts.terminals))
        broken_off = await self._send(port.upgrade(device, artefact, version=1), until=500)
        resumed, faults, held = await asyncio.gather(
            self._send(port.upgrade(device, artefact, version=1), until=1000), self._sell(self._is_port * 4), peer.upgrade(image)
        )
        if held != image:
            faults.append("what the device holds is not what was sent")
        if resumed[:1] < [400] or broken_off != sorted(broken_off) or resumed[-1:] != [1000]:
            faults.append(f"permille {broken_off}, and after the interruption {resumed}: it did not go on where it stopped")
        return faults

    async def _send(self, steps: AsyncGenerator[int, None], *, until: int) -> list[int]:
        """The permille that were told, until there are so many."""
        told: list[int] = []
        async with contextlib.aclosing(steps):
            async for permille in steps:
                told.append(permille)
                if permille >= until:
                    break
        return told


def check(found: Found, *, project: Path, transactions: int = 1000, seed: int = 1) -> Report:
    """Run the kit over a driver."""
    # A finer clock than epoll's: simulated buses keep their pace by timers, which a millisecond each would slow by half.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        return runner.run(Kit(found, project=project, transactions=transactions, seed=seed).run())
