"""The native driver: what the gateway needs to offer the protocol."""

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import Services, Wire
from onecard.gateway.drivers.native.session import NativeSession
from onecard.kernel.codes import Result
from onecard.protocol.native import build_closing


class NativeDriver:
    """A Driver (see drivers/base.py)."""

    name = "native"

    def open_session(self, wire: Wire, line: AdmittedLine, services: Services) -> NativeSession:
        return NativeSession(wire, line, services)

    def build_farewell(self, code: Result, reason: str) -> bytes:
        return build_closing(int(code), reason)


DRIVER = NativeDriver
