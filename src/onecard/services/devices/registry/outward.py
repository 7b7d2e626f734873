"""Where a webhook may go: out of this machine, and on it only to the ports the installation names in `ONECARD_WEBHOOK_PORTS`.

Whoever may write down a recipient would otherwise have the worker knock at what listens on this machine alone, or at the metadata
service of a cloud, and read the outcome. A name is checked by what it resolves to, at the moment of the connection.
"""

import http.client
import os
import socket
import ssl
import urllib.request
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import IO
from urllib.parse import urlsplit

from onecard.kernel.errors import InvalidInput

PORTS = "ONECARD_WEBHOOK_PORTS"


def check_place(host: str, port: int) -> None:
    """Raises InvalidInput for an address that no webhook goes to; a name is looked up only when it is connected to."""
    try:
        addresses = [ip_address(host)]
    except ValueError:
        addresses = [IPv4Address("127.0.0.1")] if host == "localhost" or host.endswith(".localhost") else []
    if not all(_is_allowed(address, port) for address in addresses):
        raise InvalidInput(
            f"Webhook 不可发往 {host}:{port}；发往本机的端口须列入 {PORTS}",
            f"no webhook goes to {host}:{port}; ports of this machine have to stand in {PORTS}",
        )


def opener(url: str) -> urllib.request.OpenerDirector:
    """Connects to allowed addresses only, follows no redirect. A proxy that the environment names sees to that itself."""
    parts = urlsplit(url)
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib.request.build_opener(_NoRedirect)
    return urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}), _Plain, _Tls)


def _is_allowed(address: IPv4Address | IPv6Address, port: int) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:
        return str(port) in os.environ.get(PORTS, "").replace(",", " ").split()
    return not (address.is_link_local or address.is_multicast)


def _connect(place: tuple[str, int], timeout: float | None) -> socket.socket:
    """As socket.create_connection, which looks a name up itself: here what was checked is what is connected to."""
    host, port = place
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(_is_allowed(ip_address(address.partition("%")[0]), port) for address in addresses):
        raise PermissionError(f"no webhook goes to {host}:{port}")
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), timeout)


class _PlainConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _connect((self.host, self.port), self.timeout)


class _TlsConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        secure = ssl.create_default_context()
        secure.set_alpn_protocols(["http/1.1"])
        self.sock = secure.wrap_socket(_connect((self.host, self.port), self.timeout), server_hostname=self.host)


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_PlainConnection, req)


class _Tls(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_TlsConnection, req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An address is checked when it is written down; where it leads on to is nobody's choice but ours."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> None:
        return None
