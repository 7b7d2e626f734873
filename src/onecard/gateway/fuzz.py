"""Random bytes against the decoders: valid messages of both protocols, mutated, cut into pieces and fed to whole sessions.

A session may answer, refuse or close; anything else that happens (an exception, an answer that is not a frame, the fast path and
pyiso8583 in disagreement) is a finding. A run is repeated by its seed.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from onecard.gateway.drivers.base import Session
from onecard.gateway.drivers.iso8583.driver import IsoDriver
from onecard.gateway.drivers.native.driver import NativeDriver
from onecard.gateway.fuzzcorpus import TERMINAL, iso_messages, native_frames
from onecard.gateway.fuzzports import FRONT_END, LINE, services
from onecard.kernel.codes import Result
from onecard.protocol.devicechecks import check_enrol
from onecard.protocol.framing import add_prefix
from onecard.protocol.iso8583 import fast
from onecard.protocol.iso8583.codec import encode, parse_request_generally
from onecard.protocol.iso8583.messages import IsoFormatError
from onecard.protocol.mac import UnionPayMac
from onecard.protocol.native import NativeViolationError, build_frame, parse_device_frame
from onecard.protocol.proto.device_pb2 import (
    DeviceFrame,
    Enrol,
    Hello,
    PlatformFrame,
    Tasks,
)

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
    targets = [_IsoTarget(rng), _NativeTarget(rng), _NativeTarget(rng), _EnrolTarget(rng)]
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


class _Target:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.services = services(rng)

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
        self.corpus = [encode(fields, _MAC) for fields in iso_messages()]

    def make(self) -> bytes:
        body = mutate(self.rng, self.corpus)
        if self.rng.random() < 0.5 and len(body) > 21:
            body = body[:-8] + _MAC.compute(body[11:-8])
        stream = add_prefix(body[:65_535], prefix_bytes=2)
        return stream if self.rng.random() < 0.9 else mutate(self.rng, [stream])

    def feed(self, data: bytes) -> str:
        self._compare_ways(data[2:])
        self.driver.shared.keys.put(TERMINAL, b"\x11\x22\x33\x44\x55\x66\x77\x88")
        wire = _Wire(2)
        session = self.driver.open_session(wire, LINE, self.services)
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
        self.corpus = [frame.SerializeToString() for frame in native_frames()]

    def make(self) -> bytes:
        body = mutate(self.rng, self.corpus)
        stream = add_prefix(body, prefix_bytes=4)
        if self.rng.random() < 0.1:
            stream = mutate(self.rng, [stream])
        return _HELLO + stream if self.rng.random() < 0.9 else stream

    def feed(self, data: bytes) -> str:
        wire = _Wire(4)
        line = self.rng.choice((LINE, FRONT_END))
        session = self.driver.open_session(wire, line, self.services)
        outcome = "native " + self.feed_in_pieces(session, wire, data)
        session.tell(PlatformFrame(tasks=Tasks()))
        session.closed()
        return outcome


class _EnrolTarget(_Target):
    """What strangers may say: the frame and its checks, as the enrolment port runs them."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        enrol = Enrol(
            submit_id=1, code="ABCD-EFGH-JKLM-NPQR", csr_pem=b"-----BEGIN CERTIFICATE REQUEST-----", hosts=["fep.local"]
        )
        self.corpus = [DeviceFrame(enrol=enrol).SerializeToString()]

    def make(self) -> bytes:
        return mutate(self.rng, self.corpus)

    def feed(self, data: bytes) -> str:
        try:
            frame = parse_device_frame(data)
            if frame.WhichOneof("body") != "enrol":
                return "enrol closed"
            check_enrol(frame.enrol)
        except NativeViolationError:
            return "enrol closed"
        return "enrol answered"


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
