"""One ISO 8583 line: sign-on, then messages, each proven by its MAC, each answered.

Order of checks: frame and fields (30, or the line is closed when nothing can be answered), terminal of this line (97), working
key (77 asks to sign on), MAC (A0), then the business. A message sent again gets its first answer again by the exactly-once key,
which is also what a replay achieves: nothing.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import Services, Wire
from onecard.gateway.drivers.iso8583.codec import build_row, build_upload, compare, find_retry
from onecard.gateway.drivers.iso8583.keys import WorkingKeys
from onecard.gateway.errors import PlatformError
from onecard.kernel.codes import Result
from onecard.protocol.framing import FrameBuffer, FrameError, add_prefix
from onecard.protocol.iso8583 import answers as build
from onecard.protocol.iso8583.answers import AnswerClock
from onecard.protocol.iso8583.codec import MAX_FRAME, Fields, decode, parse_request
from onecard.protocol.iso8583.de39 import SIGN_ON_AGAIN, de39_of
from onecard.protocol.iso8583.messages import (
    Balanced,
    Financial,
    IsoFormatError,
    Message,
    Network,
    NetworkKind,
    OfflineUpload,
    Settlement,
    Totals,
)
from onecard.protocol.iso8583.times import MomentCache
from onecard.protocol.mac import UnionPayMac
from onecard.protocol.proto.device_pb2 import PlatformFrame
from onecard.protocol.proto.records_pb2 import Answers

PREFIX_BYTES = 2
WINDOW = 64
"""Messages a line may have unanswered: one for a terminal, more where a concentrator carries many."""
_IDLE_S = 1800.0
_CALL_S = 5.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What all lines of the driver use together."""

    keys: WorkingKeys
    moments: MomentCache
    clock: AnswerClock
    calls: asyncio.Semaphore
    """How many sign-ons and settlements may be under way, so that a city signing on does not bury the application server."""


class IsoSession:
    """A Session (see drivers/base.py)."""

    __slots__ = ("_buffer", "_closed", "_held", "_line", "_loop", "_open", "_services", "_shared", "_strikes", "_wire")

    idle_limit_s = _IDLE_S

    def __init__(self, wire: Wire, line: AdmittedLine, services: Services, shared: Shared) -> None:
        self._wire = wire
        self._line = line
        self._services = services
        self._shared = shared
        self._buffer = FrameBuffer(prefix_bytes=PREFIX_BYTES, max_frame=MAX_FRAME)
        self._open = 0
        self._strikes = 0
        self._held = False
        self._closed = False
        self._loop = asyncio.get_running_loop()

    @property
    def is_partial(self) -> bool:
        return not self._held and self._buffer.pending > 0

    def received(self, data: bytes) -> None:
        self._buffer.feed(data)
        self._drain()

    def line_changed(self, line: AdmittedLine) -> None:
        self._shared.keys.drop(self._line.terminal_ids - line.terminal_ids)
        self._line = line

    def tell(self, frame: PlatformFrame) -> None:
        """ISO 8583 has no message for it."""

    def closed(self) -> None:
        self._closed = True

    def _drain(self) -> None:
        try:
            while not self._closed:
                if self._open >= WINDOW:
                    self._held = True
                    self._wire.hold()
                    return
                frame = self._buffer.next_frame()
                if frame is None:
                    break
                self._take(frame)
        except FrameError as error:
            self._close(str(error))
            return
        if self._held:
            self._held = False
            self._wire.release()

    def _take(self, frame: bytes) -> None:
        self._services.counters.frames["iso8583"] += 1
        try:
            message = parse_request(frame)
        except IsoFormatError as error:
            self._bad_format(error)
            return
        terminal_id = self._line.terminals.get(message.tid + message.mid)
        if terminal_id is None:
            self._refuse(message, de39_of(Result.TERMINAL_NOT_ALLOWED))
            return
        self._services.heard[terminal_id] = self._loop.time()
        if isinstance(message, Network) and message.kind is NetworkKind.SIGN_ON:
            self._open += 1
            self._services.spawn(self._sign_on(message, terminal_id))
            return
        mac = self._shared.keys.get(terminal_id)
        if mac is None:
            self._refuse(message, SIGN_ON_AGAIN)
        elif isinstance(message, Network):
            self._network(message, terminal_id)
        elif not mac.matches(message.maced, message.mac):
            self._services.counters.mac_wrong += 1
            self._refuse(message, de39_of(Result.MAC_WRONG))
        else:
            self._business(message, terminal_id, mac)

    def _business(self, message: Message, terminal_id: int, mac: UnionPayMac) -> None:
        since = self._loop.time()
        try:
            if isinstance(message, Financial):
                row = build_row(message, terminal_id, moments=self._shared.moments, now_us=self._services.now_us())
                self._open += 1
                done = partial(self._answer, message, mac, since)
                refusal = self._services.uplink.submit_one(self._line.line_id, row, done)
                if refusal is not None:
                    done(int(refusal), 0, 0, 0)
            elif isinstance(message, OfflineUpload):
                self._upload(message, terminal_id, mac)
            else:
                assert isinstance(message, Settlement)
                self._open += 1
                self._services.spawn(self._settle(message, terminal_id, mac))
        except IsoFormatError as error:
            self._bad_format(IsoFormatError(str(error), decode(message.raw)), mac)

    def _answer(
        self, message: Financial, mac: UnionPayMac, since: float, code: int, balance_fen: int, transfer_id: int, _: int
    ) -> None:
        services = self._services
        services.counters.results[code] += 1
        services.counters.latency.observe(self._loop.time() - since)
        if not self._closed:
            now = services.clock.now()
            clock = self._shared.clock.at(services.now_us(), now)
            answer = build.build_financial_answer(
                message, code, clock=clock, balance_fen=balance_fen, transfer_id=transfer_id, mac=mac
            )
            self._wire.send(add_prefix(answer, prefix_bytes=PREFIX_BYTES))
        self._settled()

    def _upload(self, message: OfflineUpload, terminal_id: int, mac: UnionPayMac) -> None:
        if not message.details:
            self._send(build.build_upload_answer(message, [], moment=self._moment(), retry=None, mac=mac))
            return
        records = build_upload(message, terminal_id, moments=self._shared.moments, now_us=self._services.now_us())
        self._open += 1
        done = partial(self._uploaded, message, mac)
        count = len(message.details)
        refusal = self._services.uplink.submit_many(self._line.line_id, records, count=count, done=done)
        if refusal is not None:
            done(Answers(code=[int(refusal)] * count))

    def _uploaded(self, message: OfflineUpload, mac: UnionPayMac, answers: Answers) -> None:
        codes = list(answers.code)
        self._services.counters.results.update(codes)
        if not self._closed:
            retry = find_retry(codes)
            self._send(build.build_upload_answer(message, codes, moment=self._moment(), retry=retry, mac=mac))
        self._settled()

    def _network(self, message: Network, terminal_id: int) -> None:
        if message.kind is NetworkKind.SIGN_OFF:
            self._shared.keys.drop([terminal_id])
        self._send(build.build_network_answer(message, moment=self._moment()))

    async def _sign_on(self, message: Network, terminal_id: int) -> None:
        try:
            async with self._shared.calls:
                reply = await self._services.platform.sign_on(self._line.line_id, terminal_id, deadline_s=_CALL_S)
            self._shared.keys.put(terminal_id, reply.mac_key)
            answer = build.build_sign_on_answer(message, moment=self._moment(), batch_no=reply.batch_no, de62=reply.de62)
            self._send(answer)
        except (PlatformError, ValueError):
            self._refuse(message, de39_of(Result.UNAVAILABLE))
        self._settled()

    async def _settle(self, message: Settlement, terminal_id: int, mac: UnionPayMac) -> None:
        platform, result = message.totals, Balanced.ERROR
        try:
            async with self._shared.calls:
                reply = await self._services.platform.totals(
                    self._line.line_id, terminal_id, batch_no=message.batch_no, deadline_s=_CALL_S
                )
            platform = Totals(
                debit_fen=reply.debit_fen,
                debit_count=reply.debit_count,
                credit_fen=reply.credit_fen,
                credit_count=reply.credit_count,
            )
            result = compare(message.totals, platform)
        except PlatformError:
            pass
        self._send(build.build_settlement_answer(message, platform, result, moment=self._moment(), mac=mac))
        self._settled()

    def _settled(self) -> None:
        self._open -= 1
        if self._held and not self._closed:
            self._drain()

    def _bad_format(self, error: IsoFormatError, mac: UnionPayMac | None = None) -> None:
        self._services.counters.results[int(Result.FORMAT)] += 1
        self._strikes += 1
        if error.fields is None or self._strikes >= self._services.limits.strikes:
            self._close(str(error))
        else:
            self._send_refusal(error.fields, de39_of(Result.FORMAT), mac)

    def _refuse(self, message: Message, de39: str) -> None:
        """Without a MAC: either there is no key, or the terminal's is not ours."""
        self._send_refusal(decode(message.raw), de39, None)

    def _send_refusal(self, fields: Fields, de39: str, mac: UnionPayMac | None) -> None:
        try:
            self._send(build.build_refusal(fields, de39, moment=self._moment(), mac=mac))
        except ValueError as error:  # fields that can be read but not written back
            self._close(str(error))

    def _send(self, frame: bytes) -> None:
        if not self._closed:
            self._wire.send(add_prefix(frame, prefix_bytes=PREFIX_BYTES))

    def _moment(self) -> str:
        return self._shared.clock.at(self._services.now_us(), self._services.clock.now()).text

    def _close(self, reason: str) -> None:
        self._closed = True
        self._wire.refuse(Result.FORMAT, reason, label="violation")
