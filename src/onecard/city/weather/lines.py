"""One face for both forms of a line with weather: through a network namespace where that is possible, else through a relay."""

import random
import socket
from typing import Protocol

from onecard.city.weather.proxy import LineProxy
from onecard.city.weather.tunnel import Tunnel, in_namespace, is_possible
from onecard.city.weather.weather import Weather


class StormyLine(Protocol):
    """The line of one front-end."""

    is_namespace: bool
    wrapper: tuple[str, ...]
    """Words before the front-end's command."""
    address: tuple[str, int]
    """Where the front-end finds the gateway."""

    def set_weather(self, weather: Weather) -> None: ...
    async def lan_port(self, port: int) -> int:
        """The loopback port at which the terminals find a port of the front-end."""

    def answers(self, port: int) -> bool:
        """Whether something listens on a loopback port where the front-end lives."""

    def counts(self) -> dict[str, int]:
        """What happened to packets or connections."""

    async def close(self) -> None: ...


async def open_line(gateway_port: int, *, rng: random.Random, may_use_namespace: bool = True) -> StormyLine:
    """A line to a gateway's loopback port."""
    if may_use_namespace and is_possible():
        tunnel = Tunnel(gateway_port, rng=rng)
        return _TunnelLine(tunnel, await tunnel.start())
    proxy = LineProxy(gateway_port, rng=rng)
    return _ProxyLine(proxy, await proxy.start())


class _TunnelLine:
    is_namespace = True

    def __init__(self, tunnel: Tunnel, address: tuple[str, int]) -> None:
        self._tunnel = tunnel
        self.wrapper = tunnel.wrapper
        self.address = address

    def set_weather(self, weather: Weather) -> None:
        self._tunnel.weather = weather

    async def lan_port(self, port: int) -> int:
        return await self._tunnel.open_inside(port)

    def answers(self, port: int) -> bool:
        return in_namespace(self.wrapper[-1], lambda: _accepts(port))

    def counts(self) -> dict[str, int]:
        return dict(self._tunnel.counts)

    async def close(self) -> None:
        await self._tunnel.stop()


class _ProxyLine:
    is_namespace = False
    wrapper: tuple[str, ...] = ()

    def __init__(self, proxy: LineProxy, port: int) -> None:
        self._proxy = proxy
        self.address = ("127.0.0.1", port)

    def set_weather(self, weather: Weather) -> None:
        self._proxy.weather = weather

    async def lan_port(self, port: int) -> int:
        return port

    def answers(self, port: int) -> bool:
        return _accepts(port)

    def counts(self) -> dict[str, int]:
        return dict(self._proxy.counts)

    async def close(self) -> None:
        await self._proxy.stop()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
