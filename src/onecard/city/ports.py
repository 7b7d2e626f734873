"""The ports of a running city: chosen before anything starts, refused by name when taken, written down for other commands."""

import errno
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from onecard.kernel.errors import InvalidInput, Unavailable

DEFAULT_WEB, DEFAULT_NATIVE, DEFAULT_ISO, DEFAULT_GATEWAY_METRICS = 8080, 8444, 8583, 9464
_OTHERS = {"enrol": 8445, "line": 8446, "fep_native": 8454, "fep_iso": 8593, "fep_status": 9465, "workstation": 8480}
_WHAT = {
    "web": ("管理中心", "the management centre", "--port"),
    "native": ("网关（原生协议）", "the gateway, native protocol", "--native-port"),
    "iso": ("网关（ISO 8583）", "the gateway, ISO 8583", "--iso-port"),
    "gateway_metrics": ("网关指标", "the gateway's metrics", "--port 0"),
    "enrol": ("网关登记", "the gateway, enrolment", "--port 0"),
    "line": ("前置机线路", "the front-end's line", "--port 0"),
    "fep_native": ("前置机（原生协议）", "the front-end, native protocol", "--port 0"),
    "fep_iso": ("前置机（ISO 8583）", "the front-end, ISO 8583", "--port 0"),
    "fep_status": ("前置机状态", "the front-end's status", "--port 0"),
    "workstation": ("前置机工作站", "the front-end's workstation", "--port 0"),
}


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on the loopback address."""

    web: int
    native: int
    iso: int
    gateway_metrics: int
    enrol: int = 0
    line: int = 0
    """Where the front-end of the demonstration finds the gateway."""
    fep_native: int = 0
    fep_iso: int = 0
    fep_status: int = 0
    workstation: int = 0

    def save(self, path: Path) -> None:
        """Write the ports down for `replay` and other commands of the same home."""
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(asdict(self)))
        aside.replace(path)


def saved_ports(path: Path) -> Ports | None:
    """The ports of the city that runs (or last ran) in a home."""
    try:
        return Ports(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def choose_ports(*, web: int | None = None, native: int | None = None, iso: int | None = None) -> Ports:
    """The given ports, else the usual ones; all that are not given are picked free when `web` is 0.

    Raises Unavailable naming the port that another program holds, InvalidInput for one that is no port.
    """
    free = web == 0
    wanted = {
        "web": web or (0 if free else DEFAULT_WEB),
        "native": native if native is not None else 0 if free else DEFAULT_NATIVE,
        "iso": iso if iso is not None else 0 if free else DEFAULT_ISO,
        "gateway_metrics": 0 if free else DEFAULT_GATEWAY_METRICS,
        **{what: 0 if free else port for what, port in _OTHERS.items()},
    }
    sockets: list[socket.socket] = []
    try:
        found = {what: _reserve(what, port, sockets) for what, port in wanted.items()}
    finally:
        for held in sockets:
            held.close()
    return Ports(**found)


def free_ports() -> Ports:
    """Ports nobody uses."""
    return choose_ports(web=0)


def accepts(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _reserve(what: str, port: int, sockets: list[socket.socket]) -> int:
    zh, en, option = _WHAT[what]
    if not 0 <= port <= 65_535:
        raise InvalidInput(f"{zh}端口 {port} 无效", f"{port} is not a port ({en})")
    probe = socket.socket()
    sockets.append(probe)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
        if port:
            probe.listen()  # with SO_REUSEADDR only listening tells whether somebody else does
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise Unavailable(
            f"{zh}端口 {port} 被占用或不允许使用：请用 {option} 指定其他端口，或用 --port 0 自动选取",
            f"port {port} ({en}) is taken or not allowed: give another with {option}, or --port 0 to pick free ones",
        ) from error
    return int(probe.getsockname()[1])
