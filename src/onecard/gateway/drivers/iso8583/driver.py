"""The ISO 8583 driver: what its sessions share."""

import asyncio

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import Services, Wire
from onecard.gateway.drivers.iso8583.keys import WorkingKeys
from onecard.gateway.drivers.iso8583.session import IsoSession, Shared
from onecard.kernel.codes import Result
from onecard.protocol.iso8583.answers import AnswerClock
from onecard.protocol.iso8583.times import MomentCache

_CALLS = 32


class IsoDriver:
    """A Driver (see drivers/base.py)."""

    name = "iso8583"

    def __init__(self) -> None:
        self.shared = Shared(keys=WorkingKeys(), moments=MomentCache(), clock=AnswerClock(), calls=asyncio.Semaphore(_CALLS))

    def open_session(self, wire: Wire, line: AdmittedLine, services: Services) -> IsoSession:
        return IsoSession(wire, line, services, self.shared)

    def build_farewell(self, code: Result, reason: str) -> bytes:
        """ISO 8583 has no message that says a line is closing."""
        return b""


DRIVER = IsoDriver
