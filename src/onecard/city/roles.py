"""The roles of a city on one machine: their command lines, how to tell that each serves, and the order in which they stop."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from onecard.city.ports import Ports, accepts
from onecard.city.supervisor import Role
from onecard.datacenter.home import Home

STOP_ORDER = ("traffic", "room", "station", "fep", "line", "gateway", "app", "worker", "web")


def app_role(home: Home) -> Role:
    """The application server, on the home's own socket."""
    socket_path = home.run_dir / "app.sock"
    return Role("app", ("serve", "app"), is_ready=lambda: _answers(socket_path), environment=_environment(home))


def gateway_role(home: Home, ports: Ports) -> Role:
    """The unified access gateway, both drivers on the loopback address."""
    words = (
        *(
            "serve",
            "gateway",
            "--app",
            f"unix:{home.run_dir / 'app.sock'}",
            "--tls-dir",
            str(home.tls_dir),
            "--host",
            "127.0.0.1",
        ),
        *("--native-port", str(ports.native), "--iso-port", str(ports.iso), "--metrics-port", str(ports.gateway_metrics)),
        *(("--enrol-port", str(ports.enrol)) if ports.enrol else ()),
        *(("--web", f"127.0.0.1:{ports.web}") if ports.web else ()),
    )

    def is_ready() -> bool:
        return accepts(ports.native) and accepts(ports.iso)

    return Role("gateway", words, is_ready=is_ready, environment=_environment(home))


def web_role(home: Home, ports: Ports) -> Role:
    """The management centre."""
    words = ("serve", "web", "--port", str(ports.web))
    return Role("web", words, is_ready=lambda: accepts(ports.web), environment=_environment(home))


def worker_role(home: Home) -> Role:
    """Background work: day cut, clearing, settlement."""
    return Role("worker", ("serve", "worker"), environment=_environment(home))


def traffic_role(home: Home, ports: Ports, options: Sequence[str] = ()) -> Role:
    """The simulated terminals."""
    words = ("city", "traffic", "--native-port", str(ports.native), "--iso-port", str(ports.iso), *options)
    return Role("traffic", words, environment=_environment(home))


def station_role(home: Home) -> Role:
    """The issuing station, which makes the cards of every batch that runs."""
    return Role("station", ("city", "station"), environment=_environment(home))


def line_role(home: Home, ports: Ports, unit: str) -> Role:
    """The line between the front-end of a unit and the gateway, which can be cut."""
    words = ("city", "line", unit, "--port", str(ports.line), "--gateway-port", str(ports.native))
    return Role("line", words, is_ready=lambda: accepts(ports.line), environment=_environment(home))


def fep_role(home: Home, ports: Ports, folder: Path, *, gateway: str = "") -> Role:
    """The front-end of a unit, at the end of that line or where the gateway is said to be."""
    words = (
        *("serve", "fep", "--home", str(folder), "--gateway", gateway or f"127.0.0.1:{ports.line}", "--listen", "127.0.0.1"),
        *("--native-port", str(ports.fep_native), "--iso-port", str(ports.fep_iso)),
        *("--workstation-port", str(ports.workstation), "--metrics-port", str(ports.fep_status)),
    )
    return Role("fep", words, is_ready=lambda: accepts(ports.fep_native), environment=_environment(home))


def room_role(home: Home, ports: Ports) -> Role:
    """The device room behind the front-end."""
    return Role("room", ("city", "room", "--front-port", str(ports.fep_native)), environment=_environment(home))


def _environment(home: Home) -> dict[str, str]:
    return {"ONECARD_HOME": str(home.path), "PYTHONUNBUFFERED": "1", "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8")}


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(path)) == 0
