"""The Modbus driver: opens meters as a port."""

from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.modbus.session import ModbusPort


class ModbusDriver:
    """A PortDriver (see drivers/base.py)."""

    name = "modbus"

    def open_port(self, settings: PortSettings, line: LineNow, services: Services) -> ModbusPort:
        return ModbusPort(settings, line, services)


DRIVER = ModbusDriver
