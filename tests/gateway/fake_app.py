"""An application server for the gateway's tests: remembers what it is sent and answers as told. Tests only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from onecard.kernel.codes import Result
from onecard.protocol.keys import WorkingKeys, build_de62
from onecard.protocol.proto.app_pb2 import (
    FRONT_END,
    STRAIGHT_TERMINAL,
    AdmissionEvent,
    DeviceReport,
    DeviceReportReply,
    EnrolDeviceCall,
    FetchFileCall,
    GetLeaseCall,
    Line,
    LineReport,
    LineReportReply,
    LineTasks,
    LineTerminal,
    PlatformData,
    PostBatch,
    PostReply,
    SignOnReply,
    SignOnRequest,
    TerminalTotalsReply,
    TerminalTotalsRequest,
    WatchAdmissionRequest,
)
from onecard.protocol.proto.app_pb2_grpc import ApplicationServicer, add_ApplicationServicer_to_server
from onecard.protocol.proto.device_pb2 import DataVersion, Enrolled, FetchReply, LeaseReply
from onecard.protocol.proto.records_pb2 import Answers

MASTER_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MAC_KEY = bytes.fromhex("1122334455667788")


class FakeApplication(ApplicationServicer):  # type: ignore[misc]
    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.batches: list[PostBatch] = []
        self.first: dict[tuple[int, int, int], tuple[int, int, int, int]] = {}
        self.reports: list[LineReport] = []
        self.totals = TerminalTotalsReply()
        self.batch_no = 0
        self.answer: Callable[[dict[str, int]], tuple[int, int, int, int]] = self._approve
        self.gate = asyncio.Event()
        self.gate.set()
        self.file_gate = asyncio.Event()
        self.file_gate.set()
        self.fail: grpc.StatusCode | None = None
        self.reported = asyncio.Event()
        self.device_reports: list[DeviceReport] = []
        self.fail_reports: grpc.StatusCode | None = None
        self.files: dict[str, bytes] = {}
        self.fetched: list[tuple[str, int]] = []
        self.enrolled: list[EnrolDeviceCall] = []
        self.data: PlatformData | None = None
        self.tasks: dict[int, LineTasks] = {}
        self._watchers: set[asyncio.Queue[AdmissionEvent]] = set()
        self._transfer = 1 << 59
        self._server: grpc.aio.Server | None = None
        self.heartbeat_s = 0.2

    def _approve(self, record: dict[str, int]) -> tuple[int, int, int, int]:
        self._transfer += 1
        return int(Result.APPROVED), 100_000 - record["amount_fen"], self._transfer, 0

    @property
    def records(self) -> list[dict[str, int]]:
        return [row for batch in self.batches for row in rows_of(batch)]

    def list_line(
        self, line_id: int, fingerprint: bytes, terminals: dict[int, str], *, front_end: bool = False, refusal: int = 0,
        valid_until_us: int = 0,
    ) -> None:  # fmt: skip
        self.lines[line_id] = Line(
            line_id=line_id,
            certificate_sha256=fingerprint,
            unit_id=1,
            name=f"line {line_id}",
            kind=FRONT_END if front_end else STRAIGHT_TERMINAL,
            refusal=refusal,
            valid_until_us=valid_until_us,
            terminals=[LineTerminal(terminal_id=number, tid=tid, mid=mid_of(tid)) for number, tid in terminals.items()],
        )
        self._tell(AdmissionEvent(lines=[self.lines[line_id]]))

    def unlist_line(self, line_id: int) -> None:
        del self.lines[line_id]
        self._tell(AdmissionEvent(removed_line_id=[line_id]))

    def publish(self, versions: dict[str, int]) -> None:
        self.data = PlatformData(current=[DataVersion(name=name, version=version) for name, version in versions.items()])
        self._tell(AdmissionEvent(data=self.data))

    def set_tasks(self, line_id: int, tasks: LineTasks | None) -> None:
        if tasks is None:
            self.tasks.pop(line_id, None)
        else:
            self.tasks[line_id] = tasks
        self._tell(AdmissionEvent(tasks=[tasks or LineTasks(line_id=line_id)]))

    def _tell(self, event: AdmissionEvent) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(event)

    async def start(self, address: str) -> None:
        self._server = grpc.aio.server()
        add_ApplicationServicer_to_server(self, self._server)
        self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def Post(self, request: PostBatch, context: Any) -> PostReply:
        self.batches.append(request)
        await self.gate.wait()
        if self.fail is not None:
            await context.abort(self.fail, "as told")
        return PostReply(answers=answers_of([self._decide(row) for row in rows_of(request)]))

    def _decide(self, row: dict[str, int]) -> tuple[int, int, int, int]:
        key = (row["terminal_id"], row["terminal_seq"], row["op"] == 9)
        if key not in self.first:
            self.first[key] = self.answer(row)
        return self.first[key]

    async def WatchAdmission(self, request: WatchAdmissionRequest, context: Any) -> AsyncIterator[AdmissionEvent]:
        queue: asyncio.Queue[AdmissionEvent] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield AdmissionEvent(lines=list(self.lines.values()))
            yield AdmissionEvent(snapshot_end=True, data=self.data, tasks=list(self.tasks.values()))
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), self.heartbeat_s)
                except TimeoutError:
                    yield AdmissionEvent()
        finally:
            self._watchers.discard(queue)

    async def SignOn(self, request: SignOnRequest, context: Any) -> SignOnReply:
        self.batch_no += 1
        keys = WorkingKeys(bytes(16), MAC_KEY, bytes(16))
        return SignOnReply(mac_key=MAC_KEY, de62=build_de62(MASTER_KEY, keys), batch_no=self.batch_no)

    async def TerminalTotals(self, request: TerminalTotalsRequest, context: Any) -> TerminalTotalsReply:
        return self.totals

    async def ReportDevices(self, request: DeviceReport, context: Any) -> DeviceReportReply:
        if self.fail_reports is not None:
            await context.abort(self.fail_reports, "as told")
        self.device_reports.append(request)
        return DeviceReportReply()

    async def FetchFile(self, request: FetchFileCall, context: Any) -> FetchReply:
        if self.fail_reports is not None:
            await context.abort(self.fail_reports, "as told")
        self.fetched.append((request.name, request.offset))
        await self.file_gate.wait()
        content = self.files.get(request.name)
        if content is None:
            return FetchReply(code=int(Result.NO_ORIGINAL))
        part = content[request.offset : request.offset + request.length]
        return FetchReply(total=len(content), data=part)

    async def GetLease(self, request: GetLeaseCall, context: Any) -> LeaseReply:
        if self.fail_reports is not None:
            await context.abort(self.fail_reports, "as told")
        return LeaseReply(lease=b"lease of %d" % request.line_id, signature=b"s", certificate_der=b"c")

    async def EnrolDevice(self, request: EnrolDeviceCall, context: Any) -> Enrolled:
        self.enrolled.append(request)
        if request.enrol.code != "GOOD":
            return Enrolled(code=int(Result.TERMINAL_NOT_ALLOWED), reason="G2: no such code")
        return Enrolled(certificate_pem=b"PEM", ca_pem=b"CA", line_id=7)

    async def ReportLines(self, request: LineReport, context: Any) -> LineReportReply:
        self.reports.append(request)
        self.reported.set()
        return LineReportReply()


def mid_of(tid: str) -> str:
    return f"M{tid:>014}".replace(" ", "0")


COLUMNS = ("op", "terminal_id", "terminal_seq", "card_no", "amount_fen", "occurred_at_us", "orig_terminal_id", "orig_seq")


def rows_of(batch: PostBatch) -> list[dict[str, int]]:
    columns = [list(getattr(batch.records, name)) for name in COLUMNS] + [list(batch.line_id)]
    return [dict(zip((*COLUMNS, "line_id"), row, strict=True)) for row in zip(*columns, strict=True)]


def answers_of(rows: list[tuple[int, int, int, int]]) -> Answers:
    code, balance, transfer, conflict = zip(*rows, strict=True)
    return Answers(code=code, balance_fen=balance, transfer_id=transfer, conflict_field=conflict)
