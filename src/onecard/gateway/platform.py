"""What sessions ask the platform for beside posting (`PlatformPort`), answered by the application servers."""

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.apps import AppServers
from onecard.gateway.files import Files
from onecard.gateway.tasks import TaskBook
from onecard.kernel.codes import Result
from onecard.protocol.proto.app_pb2 import (
    GetLeaseCall,
    LoadChipCall,
    SignOnRequest,
    TerminalTotalsRequest,
)
from onecard.protocol.proto.device_pb2 import FetchReply, LeaseReply, LineState, SignedOn, Tasks, Totals
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer, PayCodeKeys

_LEASE_S = 8.0


class Platform:
    """A PlatformPort (drivers/base.py). Every coroutine raises AppUnavailableError or AppBusyError."""

    def __init__(self, apps: AppServers, *, gateway: str, book: TaskBook, files: Files) -> None:
        self._apps = apps
        self._gateway = gateway
        self._book = book
        self._files = files

    @property
    def pay_code_keys(self) -> PayCodeKeys | None:
        return self._apps.pay_code_keys

    def tasks(self, line_id: int) -> Tasks | None:
        return self._book.tasks(line_id)

    def line_state(self) -> LineState | None:
        return None

    async def load_chip(self, line_id: int, load: ChipLoad, *, deadline_s: float) -> ChipLoadAnswer:
        call = LoadChipCall(gateway=self._gateway, line_id=line_id, load=load)
        return await self._apps.load_chip(call, deadline_s=deadline_s)

    async def sign_on(self, line_id: int, terminal_id: int, *, deadline_s: float) -> SignedOn:
        ask = SignOnRequest(terminal_id=terminal_id)
        reply = await self._apps.call(lambda stub, timeout: stub.SignOn(ask, timeout=timeout), deadline_s=deadline_s)
        return SignedOn(code=Result.APPROVED, mac_key=reply.mac_key, de62=reply.de62, batch_no=reply.batch_no)

    async def totals(self, line_id: int, terminal_id: int, *, batch_no: int, deadline_s: float) -> Totals:
        ask = TerminalTotalsRequest(terminal_id=terminal_id, batch_no=batch_no)
        reply = await self._apps.call(lambda stub, timeout: stub.TerminalTotals(ask, timeout=timeout), deadline_s=deadline_s)
        return Totals(
            code=Result.APPROVED,
            debit_fen=reply.debit_fen,
            debit_count=reply.debit_count,
            credit_fen=reply.credit_fen,
            credit_count=reply.credit_count,
        )

    async def fetch(self, line: AdmittedLine, name: str, *, offset: int, length: int) -> FetchReply:
        return await self._files.fetch(line, name, offset=offset, length=length)

    async def lease(self, line_id: int) -> LeaseReply:
        call = GetLeaseCall(line_id=line_id)
        return await self._apps.call(lambda stub, timeout: stub.GetLease(call, timeout=timeout), deadline_s=_LEASE_S)
