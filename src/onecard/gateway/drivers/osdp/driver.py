"""The OSDP driver: opens a bus of readers as a port."""

from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.osdp.session import OsdpPort


class OsdpDriver:
    """A PortDriver (see drivers/base.py)."""

    name = "osdp"

    def open_port(self, settings: PortSettings, line: LineNow, services: Services) -> OsdpPort:
        return OsdpPort(settings, line, services)


DRIVER = OsdpDriver
