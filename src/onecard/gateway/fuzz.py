"""Random bytes against the decoders: valid messages of both protocols, mutated, cut into pieces and fed to whole sessions.

A session may answer, refuse or close; anything else that happens (an exception, an answer that is not a frame, the fast path and
pyiso8583 in disagreement) is a finding. A run is repeated by its seed.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from onecard.gateway.admission import AdmittedLine, Seat
from onecard.gateway.drivers.base import CodeDone, ManyDone, OneDone, PlatformPort, Row, Services, Session
from onecard.gateway.drivers.iso8583.driver import IsoDriver
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.metrics import Counters
from onecard.gateway.settings import LineLimits
from onecard.kernel.clock import SystemClock
from onecard.kernel.codes import Operation, Result
from onecard.protocol.framing import add_prefix
from onecard.protocol.iso8583 import fast
from onecard.protocol.iso8583.codec import Fields, encode, parse_request_generally
from onecard.protocol.iso8583.messages import IsoFormatError
from onecard.protocol.mac import UnionPayMac
from onecard.protocol.native import build_frame
from onecard.protocol.proto.device_pb2 import ChipLoadRequest, DeviceEvent, DeviceFrame, Heartbeat, Hello, Submit
from onecard.protocol.proto.records_pb2 import Answers, ChipDetails, ChipLoad, PayCodes, Records

_TID, _MID, _TERMINAL = "00000001", "000000000000001", 1
_MAC = UnionPayMac(b"\x11\x22\x33\x44\x55\x66\x77\x88")
_INTERESTING = (0x00, 0x01, 0x0F, 0x10, 0x7F, 0x80, 0x99, 0x9A, 0xA0, 0xF0, 0xFF)
_HELLO = build_frame(DeviceFrame(hello=Hello(protocol_version=1, maker="fuzz")))


@dataclass(slots=True)
class Report:
    """What a run did. `finding` is the input that broke something, and `error` how."""

    seed: int
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    finding: bytes | None = None
    error: str = ""


def run(*, seconds: float, seed: int, progress: Callable[[Report], None] | None = None) -> Report:
    """Fuzz for so long, or until something is found."""
    return asyncio.run(_run(seconds, seed, progress))


async def _run(seconds: float, seed: int, progress: Callable[[Report], None] | None) -> Report:
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    report = Report(seed)
    targets = [_IsoTarget(rng), _NativeTarget(rng)]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for _ in range(200):
            target = rng.choice(targets)
            data = target.make()
            try:
                report.outcomes[target.feed(data)] += 1
            except Exception as error:
                report.finding, report.error = data, f"{type(target).__name__}: {error!r}"
                return report
            report.inputs += 1
        if progress is not None:
            progress(report)
        await asyncio.sleep(0)
    return report


class _Wire:
    """Takes what a session sends and holds it to be frames."""

    def __init__(self, prefix_bytes: int) -> None:
        self._prefix = prefix_bytes
        self.peer = "fuzz:1"
        self.sent = 0
        self.refused = False

    def send(self, data: bytes) -> None:
        size = int.from_bytes(data[: self._prefix], "big")
        if size != len(data) - self._prefix:
            raise AssertionError("the session sent something that is not a frame")
        self.sent += 1

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass

    def refuse(self, code: Result, reason: str, *, label: str) -> None:
        self.refused = True


class _Uplink:
    """Answers at once, with any result."""

    halted = False

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def submit_one(self, line_id: int, row: Row, done: OneDone) -> Result | None:
        if not all(0 <= value < 2**63 for value in row):
            raise AssertionError(f"a record that does not fit its columns: {row}")
        done(int(self._rng.choice(list(Result))), self._rng.randrange(-(10**6), 10**9), self._rng.randrange(2**61), 0)
        return None

    def submit_many(self, line_id: int, records: Records, *, count: int, done: ManyDone) -> Result | None:
        codes = [int(self._rng.choice(list(Result))) for _ in range(count)]
        if records.HasField("chip") and [records.op[row] for row in records.chip.row] != [Operation.CHIP_PURCHASE] * len(
            records.chip.row
        ):
            raise AssertionError("chip columns that name other records")
        zeros = [0] * count
        done(Answers(code=codes, balance_fen=zeros, transfer_id=zeros, conflict_field=zeros))
        return None


class _Platform:
    """Knows no keys of payment codes; what it is asked is dropped with the session's coroutine."""

    pay_code_keys = None

    def tasks(self, line_id: int) -> None:
        return None

    def line_state(self) -> None:
        return None


class _Reports:
    """Takes everything and stores it at once."""

    def hello(self, line: AdmittedLine, hello: Hello, *, address: str) -> None:
        pass

    def heartbeat(self, line: AdmittedLine, heartbeat: Heartbeat, *, address: str) -> None:
        pass

    def submit_events(self, line_id: int, events: Sequence[DeviceEvent], done: CodeDone) -> Result | None:
        done(Result.APPROVED)
        return None


def _services(rng: random.Random) -> Services:
    def drop(work: Coroutine[Any, Any, None]) -> None:
        work.close()

    return Services(
        uplink=_Uplink(rng),
        platform=cast(PlatformPort, _Platform()),
        reports=_Reports(),
        counters=Counters(),
        clock=SystemClock(),
        limits=LineLimits(),
        spawn=drop,
    )


_LINE = AdmittedLine(
    1, b"", "fuzz", False, None, 0, {_TID + _MID: _TERMINAL}, frozenset([_TERMINAL]), (Seat(_TERMINAL, _TID, _MID, b"", ""),)
)


class _Target:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.services = _services(rng)

    def make(self) -> bytes:
        """The next input."""
        raise NotImplementedError

    def feed(self, data: bytes) -> str:
        """Give it to a new session; what became of it."""
        raise NotImplementedError

    def feed_in_pieces(self, session: Session, wire: _Wire, data: bytes) -> str:
        at = 0
        while at < len(data) and not wire.refused:
            size = self.rng.choice((1, 7, len(data)))
            session.received(data[at : at + size])
            at += size
        return "closed" if wire.refused else "answered" if wire.sent else "partial" if session.is_partial else "silent"


class _IsoTarget(_Target):
    """ISO 8583, with the length prefix and the MAC put right again half of the time, so that mutations get past them."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.driver = IsoDriver()
        self.corpus = [encode(fields, _MAC) for fields in _iso_messages()]

    def make(self) -> bytes:
        body = mutate(self.rng, self.corpus)
        if self.rng.random() < 0.5 and len(body) > 21:
            body = body[:-8] + _MAC.compute(body[11:-8])
        stream = add_prefix(body[:65_535], prefix_bytes=2)
        return stream if self.rng.random() < 0.9 else mutate(self.rng, [stream])

    def feed(self, data: bytes) -> str:
        self._compare_ways(data[2:])
        self.driver.shared.keys.put(_TERMINAL, b"\x11\x22\x33\x44\x55\x66\x77\x88")
        wire = _Wire(2)
        session = self.driver.open_session(wire, _LINE, self.services)
        return "iso8583 " + self.feed_in_pieces(session, wire, data)

    def _compare_ways(self, raw: bytes) -> None:
        quick = fast.parse_purchase(raw)
        if quick is not None and quick != parse_request_generally(raw):
            raise AssertionError("the fast path and pyiso8583 disagree")
        try:
            parse_request_generally(raw)
        except IsoFormatError:
            if quick is not None:
                raise AssertionError("the fast path accepts what pyiso8583 refuses") from None


class _NativeTarget(_Target):
    """The native protocol, after Hello most of the time."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.driver = NativeDriver()
        self.corpus = [frame.SerializeToString() for frame in _native_frames()]

    def make(self) -> bytes:
        body = mutate(self.rng, self.corpus)
        stream = add_prefix(body, prefix_bytes=4)
        if self.rng.random() < 0.1:
            stream = mutate(self.rng, [stream])
        return _HELLO + stream if self.rng.random() < 0.9 else stream

    def feed(self, data: bytes) -> str:
        wire = _Wire(4)
        session = self.driver.open_session(wire, _LINE, self.services)
        return "native " + self.feed_in_pieces(session, wire, data)


def mutate(rng: random.Random, corpus: list[bytes]) -> bytes:
    """One to six changes of a message; unchanged one time in twenty."""
    data = bytearray(rng.choice(corpus))
    if rng.random() < 0.05:
        return bytes(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.randint(1, 16))
        match rng.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(data):
                data[at] = rng.choice(_INTERESTING)
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end]
            case 4:
                data[at:at] = rng.randbytes(rng.randint(1, 32))
            case 5:
                del data[at:]
            case _:
                other = rng.choice(corpus)
                data[at:end] = other[at:end]
    return bytes(data)


def _iso_messages() -> list[Fields]:
    head = {"h": "6000490000603200320501", "11": "000001", "41": _TID, "42": _MID}
    money = head | {
        "2": "1000010000000017",
        "4": "000000000500",
        "12": "120000",
        "13": "0301",
        "22": "072",
        "25": "00",
        "49": "156",
    }
    detail = "1000010000000017" + "000000000500" + "000007" + "0301120000"
    return [
        money | {"t": "0200", "3": "000000", "60": "2200000100060"},
        money | {"t": "0200", "3": "310000", "60": "0100000100060"},
        money | {"t": "0200", "3": "200000", "60": "2300000100060", "61": "000001000001"},
        money | {"t": "0220", "3": "200000", "60": "2500000100060", "61": "0000010000010301"},
        money | {"t": "0400", "3": "000000", "60": "2200000100060", "39": "98"},
        money | {"t": "0200", "3": "000000", "60": "2200000100060", "55": "9F2608AABB", "62": "text", "63": "01"},
        head | {"t": "0320", "48": "07" + detail * 7, "60": "00000001000"},
        head | {"t": "0320", "60": "00000001207"},
        head | {"t": "0500", "48": "0" * 62, "49": "156", "60": "00000001201"},
        head | {"t": "0800", "60": "00000001003", "62": "Sequence No24949100", "63": "123"},
        head | {"t": "0820", "60": "00000001301"},
    ]


def _native_frames() -> list[DeviceFrame]:
    def records(count: int) -> Records:
        return Records(
            op=[int(Operation.ADVICE)] * count,
            terminal_id=[_TERMINAL] * count,
            terminal_seq=list(range(1, count + 1)),
            card_no=[1000010000000017] * count,
            amount_fen=[500] * count,
            occurred_at_us=[1_772_337_600_000_000] * count,
            orig_terminal_id=[0] * count,
            orig_seq=[0] * count,
        )

    chips = records(3)
    chips.op[1:] = [int(Operation.CHIP_PURCHASE)] * 2
    chips.chip.MergeFrom(
        ChipDetails(
            row=[1, 2],
            card_counter=[7, 65_535],
            balance_before_fen=[5000, 2**32 - 1],
            sam_terminal_no=[1, 2**48 - 1],
            sam_seq=[1, 2],
            transaction_type=[6, 9],
            key_version=[1, 255],
            algorithm=[0, 4],
            tac=[0x11223344, 0],
            gray=[False, True],
        )
    )
    chips.pay_codes.MergeFrom(PayCodes(row=[0], code=[b"code"]))
    load = ChipLoad(
        step=ChipLoad.REQUEST, terminal_id=_TERMINAL, terminal_seq=9, card_no=1000010000000017, amount_fen=5000,
        occurred_at_us=1_772_337_600_000_000, transaction_type=2, sam_terminal_no=1, old_balance_fen=100, online_counter=3,
        key_version=1, algorithm=0, random=1, mac1=2,
    )  # fmt: skip
    return [
        DeviceFrame(submit=Submit(submit_id=2, records=chips)),
        DeviceFrame(chip_load=ChipLoadRequest(submit_id=3, load=load)),
        DeviceFrame(submit=Submit(submit_id=1, records=records(1))),
        DeviceFrame(submit=Submit(submit_id=2**63, records=records(30))),
        DeviceFrame(heartbeat=Heartbeat(device_clock_us=1, backlog=2, oldest_unsent_us=3)),
        DeviceFrame(hello=Hello(protocol_version=1, maker="m", model="x", firmware="1")),
    ]
