"""What a native line asks the platform for one by one: loads, files, leases, sign-ons, totals. Each is answered in any case."""

from collections.abc import Awaitable
from typing import TypeVar

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import PlatformPort, UplinkPort
from onecard.gateway.errors import AppBusyError, PlatformError
from onecard.kernel.codes import Result
from onecard.protocol.proto.device_pb2 import (
    ChipLoadReply,
    Fetch,
    FetchReply,
    LeaseReply,
    PlatformFrame,
    SignedOn,
    SignOnAsk,
    Totals,
    TotalsAsk,
)
from onecard.protocol.proto.records_pb2 import ChipLoad, ChipLoadAnswer

LOAD_S = 8.0
"""A step of a load is answered UNAVAILABLE after this; shorter than a terminal's own patience."""
_CALL_S = 5.0
_Reply = TypeVar("_Reply", ChipLoadAnswer, FetchReply, LeaseReply, SignedOn, Totals)


async def load(platform: PlatformPort, uplink: UplinkPort, line_id: int, *, submit_id: int, step: ChipLoad) -> PlatformFrame:
    """One step of a load of a chip."""
    if uplink.halted:
        answer = ChipLoadAnswer(code=Result.UNAVAILABLE)
    else:
        answer = await _answered(platform.load_chip(line_id, step, deadline_s=LOAD_S), ChipLoadAnswer)
    return PlatformFrame(chip_load=ChipLoadReply(submit_id=submit_id, answer=answer))


async def fetch(platform: PlatformPort, line: AdmittedLine, ask: Fetch) -> PlatformFrame:
    """A part of a file."""
    reply = await _answered(platform.fetch(line, ask.name, offset=ask.offset, length=ask.length), FetchReply)
    return PlatformFrame(
        fetch=FetchReply(submit_id=ask.submit_id, code=reply.code, total=reply.total, data=reply.data)  # the reply may be shared
    )


async def lease(platform: PlatformPort, line_id: int, *, submit_id: int) -> PlatformFrame:
    """The line's lease."""
    reply = await _answered(platform.lease(line_id), LeaseReply)
    reply.submit_id = submit_id
    return PlatformFrame(lease=reply)


async def sign_on(platform: PlatformPort, line_id: int, ask: SignOnAsk) -> PlatformFrame:
    """Working keys for a terminal behind a front-end."""
    reply = await _answered(platform.sign_on(line_id, ask.terminal_id, deadline_s=_CALL_S), SignedOn)
    reply.submit_id = ask.submit_id
    return PlatformFrame(signed_on=reply)


async def totals(platform: PlatformPort, line_id: int, ask: TotalsAsk) -> PlatformFrame:
    """A settlement batch of such a terminal."""
    reply = await _answered(platform.totals(line_id, ask.terminal_id, batch_no=ask.batch_no, deadline_s=_CALL_S), Totals)
    reply.submit_id = ask.submit_id
    return PlatformFrame(totals=reply)


async def _answered(call: Awaitable[_Reply], kind: type[_Reply]) -> _Reply:
    try:
        return await call
    except PlatformError as error:
        return kind(code=Result.BUSY if isinstance(error, AppBusyError) else Result.UNAVAILABLE)
