"""The MQTT driver: opens a broker's terminals as a port."""

from onecard.gateway.drivers.base import LineNow, PortSettings, Services
from onecard.gateway.drivers.mqtt.session import MqttPort


class MqttDriver:
    """A PortDriver (see drivers/base.py)."""

    name = "mqtt"

    def open_port(self, settings: PortSettings, line: LineNow, services: Services) -> MqttPort:
        return MqttPort(settings, line, services)


DRIVER = MqttDriver
