"""The gRPC service `Application`: takes each call apart, hands it on, and puts the answer together. It decides nothing itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

import grpc

from onecard.appserver.admit import Resolve, has_equal_columns, sort_records
from onecard.appserver.calls import PendingCall
from onecard.appserver.chips import ChipPath, chip_entries, load_request
from onecard.appserver.collector import Collector
from onecard.appserver.dates import DayTable, business_day
from onecard.appserver.devicedesk import DeviceDesk
from onecard.appserver.meter import Meter
from onecard.appserver.paycodes import CodeDesk, code_entries, concerns_codes
from onecard.kernel.codes import Result
from onecard.kernel.errors import NotFound, OneCardError, Unavailable
from onecard.protocol.proto import app_pb2, app_pb2_grpc, device_pb2, records_pb2
from onecard.services.chip.steps import LoadReply, LoadRequest

log = logging.getLogger(__name__)
MAX_RECORDS = 10_000
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the service asks others for, beside posting."""

    sign_on: Callable[[int], Awaitable[tuple[bytes, bytes, int]]]
    """Terminal id → (clear MAC key, DE62, batch number). Raises NotFound."""
    totals: Callable[[int, int], Awaitable[tuple[int, int, int, int]]]
    """Terminal id, batch number → (debit fen, debit count, credit fen, credit count)."""
    report: Callable[[app_pb2.LineReport], Awaitable[None]]
    load_chip: Callable[[LoadRequest, date], Awaitable[LoadReply]]
    """One step of a load, and its business date. Raises Unavailable."""
    codes: CodeDesk | None = None
    """Without it payment codes are answered UNAVAILABLE."""
    watch_admission: Callable[[str], AsyncIterator[app_pb2.AdmissionEvent]]
    devices: DeviceDesk


class ApplicationService(app_pb2_grpc.ApplicationServicer):
    """The servicer; refuses new calls once `draining` is set."""

    def __init__(
        self, *, collector: Collector, chips: ChipPath, meter: Meter, days: DayTable, resolve: Resolve, desk: Desk,
        peer_name: str | None = None,
    ) -> None:  # fmt: skip
        self.draining = asyncio.Event()
        self._peer_name = peer_name
        self._collector = collector
        self._chips = chips
        self._meter = meter
        self._days = days
        self._resolve = resolve
        self._desk = desk

    async def Post(self, request: app_pb2.PostBatch, context: Context) -> app_pb2.PostReply:  # noqa: N802  # gRPC's name
        await self._admit(context)
        records, line_ids = request.records, request.line_id
        size = len(records.op)
        if size > MAX_RECORDS or not has_equal_columns(records, line_ids):
            await _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "columns of different length, or too many records")
        call = PendingCall(size, self._meter.on_call)
        entries = chip_entries(records) if records.HasField("chip") else {}
        if entries is None:
            await _refuse(
                context, grpc.StatusCode.INVALID_ARGUMENT, "chip columns of different length, or their rows do not rise"
            )
        refused = await self._refused_codes(request, context) if concerns_codes(records) else {}
        for index in refused:
            records.op[index] = 0  # no operation: it goes nowhere, and gets its answer below
        rows = sort_records(
            call,
            records,
            line_ids,
            resolve=self._resolve,
            days=self._days,
            now_us=time.time_ns() // 1000,
            chip_entries=entries,
        )
        self._collector.post(rows.rows_by_lane)
        if rows.enquiries:
            self._collector.enquire(rows.enquiries)
        if rows.chips:
            self._chips.post(rows.chips)
        await call.done
        for index, code in refused.items():
            call.codes[index] = code
        return app_pb2.PostReply(
            answers=records_pb2.Answers(
                code=call.codes, balance_fen=call.balances, transfer_id=call.transfers, conflict_field=call.fields
            )
        )

    async def _refused_codes(self, request: app_pb2.PostBatch, context: Context) -> dict[int, int]:
        """Row → answer of the records whose payment code does not hold, or that need one and have none."""
        entries = code_entries(request.records)
        if entries is None:
            await _refuse(
                context, grpc.StatusCode.INVALID_ARGUMENT, "pay code columns of different length, or rows that do not rise"
            )
        if self._desk.codes is None:
            return dict.fromkeys(entries, int(Result.UNAVAILABLE))
        return await self._desk.codes.refused(request.records, request.line_id, entries)

    async def LoadChip(  # noqa: N802
        self, request: app_pb2.LoadChipCall, context: Context
    ) -> records_pb2.ChipLoadAnswer:
        await self._admit(context)
        asked, at_us = request.load, time.time_ns() // 1000
        post = self._resolve(asked.terminal_id)
        if post is None or post.line_id != request.line_id:
            return records_pb2.ChipLoadAnswer(code=Result.TERMINAL_NOT_ALLOWED)
        # What ends a load comes in from a closed unit too; a new one does not begin there.
        if post.precheck and asked.step == records_pb2.ChipLoad.REQUEST:
            return records_pb2.ChipLoadAnswer(code=post.precheck)
        try:
            reply = await self._desk.load_chip(load_request(asked), business_day(self._days, at_us))
        except Unavailable:
            return records_pb2.ChipLoadAnswer(code=Result.UNAVAILABLE)
        return records_pb2.ChipLoadAnswer(
            code=reply.code, mac2=reply.mac2, host_time_us=reply.host_time_us, balance_fen=reply.balance_fen,
            transfer_id=reply.transfer_id,
        )  # fmt: skip

    async def WatchAdmission(  # noqa: N802
        self, request: app_pb2.WatchAdmissionRequest, context: Context
    ) -> AsyncIterator[app_pb2.AdmissionEvent]:
        await self._admit(context)
        log.info("gateway %r watches the authorised list", request.gateway)
        async for event in self._desk.watch_admission(request.gateway):
            if self.draining.is_set():
                return
            yield event

    async def SignOn(self, request: app_pb2.SignOnRequest, context: Context) -> app_pb2.SignOnReply:  # noqa: N802
        await self._admit(context)
        try:
            mac_key, de62, batch_no = await self._desk.sign_on(request.terminal_id)
        except NotFound as error:
            await _refuse(context, grpc.StatusCode.NOT_FOUND, error.en)
        except OneCardError as error:
            await _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, error.en)
        return app_pb2.SignOnReply(mac_key=mac_key, de62=de62, batch_no=batch_no)

    async def TerminalTotals(  # noqa: N802
        self, request: app_pb2.TerminalTotalsRequest, context: Context
    ) -> app_pb2.TerminalTotalsReply:
        await self._admit(context)
        debit_fen, debits, credit_fen, credits_ = await self._desk.totals(request.terminal_id, request.batch_no)
        return app_pb2.TerminalTotalsReply(debit_fen=debit_fen, debit_count=debits, credit_fen=credit_fen, credit_count=credits_)

    async def ReportLines(self, request: app_pb2.LineReport, context: Context) -> app_pb2.LineReportReply:  # noqa: N802
        await self._admit(context)
        await self._desk.report(request)
        return app_pb2.LineReportReply()

    async def ReportDevices(  # noqa: N802
        self, request: app_pb2.DeviceReport, context: Context
    ) -> app_pb2.DeviceReportReply:
        await self._admit(context)
        await self._desk.devices.take_report(request)
        return app_pb2.DeviceReportReply()

    async def FetchFile(self, request: app_pb2.FetchFileCall, context: Context) -> device_pb2.FetchReply:  # noqa: N802
        await self._admit(context)
        return await self._desk.devices.fetch(request)

    async def GetLease(self, request: app_pb2.GetLeaseCall, context: Context) -> device_pb2.LeaseReply:  # noqa: N802
        await self._admit(context)
        return await self._desk.devices.lease(request.line_id)

    async def EnrolDevice(self, request: app_pb2.EnrolDeviceCall, context: Context) -> device_pb2.Enrolled:  # noqa: N802
        await self._admit(context)
        return await self._desk.devices.enrol(request)

    async def _admit(self, context: Context) -> None:
        """Refuses calls while draining and, where a name is asked for, whoever has no certificate of it.

        Lines have certificates of the same authority as gateways: being signed by it is not enough to speak for all lines.
        """
        if self.draining.is_set():
            await _refuse(context, grpc.StatusCode.UNAVAILABLE, "draining")
        if self._peer_name is not None:
            names = context.auth_context().get("x509_common_name", ())
            if self._peer_name.encode() not in names:
                await _refuse(context, grpc.StatusCode.PERMISSION_DENIED, "not a gateway")


async def _refuse(context: Context, status: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(status, text)
    raise AssertionError("abort raises")
