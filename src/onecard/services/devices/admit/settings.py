"""Where devices enrol, and how long a front-end may go on without the platform; one row, changed in the management centre."""

import re
import socket
from collections.abc import Mapping
from ipaddress import ip_address

from onecard.kernel.errors import InvalidInput
from onecard.services.actors import Actor
from onecard.services.devices import permissions
from onecard.services.devices.admit.lines import notify_tasks
from onecard.services.devices.errors import REFUSALS
from onecard.services.devices.models import AdmissionSettings
from onecard.services.operators.api import refusals

ENROL_PORT = 8445
LEASE_HOURS = ("renew_hours", "warn_hours", "no_new_cards_hours", "no_sales_hours", "stop_hours")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_MOST_HOURS = 8784


def admission_settings() -> AdmissionSettings:
    """The settings; without a row, the defaults and this machine's own name."""
    found = AdmissionSettings.objects.filter(pk=1).first() or AdmissionSettings()
    found.gateway = found.gateway or f"{socket.gethostname()}:{ENROL_PORT}"
    return found


def set_admission_settings(gateway: str, hours: Mapping[str, int], *, actor: Actor) -> AdmissionSettings:
    """Change them; leases are issued anew under the new hours (`LEASE_HOURS`). Raises Forbidden, InvalidInput."""
    actor.require(permissions.SETTINGS)
    host, port = parse_address(gateway)
    for name in LEASE_HOURS:
        if not 1 <= hours[name] <= _MOST_HOURS:
            raise InvalidInput(f"租约小时数须为 1–{_MOST_HOURS}", f"the hours of a lease are 1 to {_MOST_HOURS}")
    with refusals(REFUSALS):
        AdmissionSettings.objects.bulk_create([AdmissionSettings()], ignore_conflicts=True)
        row = AdmissionSettings.objects.select_for_update().get(pk=1)
        row.gateway = f"{host}:{port}"
        if any(getattr(row, name) != hours[name] for name in LEASE_HOURS):
            row.version += 1
            for name in LEASE_HOURS:
                setattr(row, name, hours[name])
        row.save()
        notify_tasks("data")
    return row


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises InvalidInput."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not is_host(host) or not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise InvalidInput(f"地址应为 主机:端口：{text[:80]}", f"an address is host:port: {text[:80]}")
    return (f"[{host}]" if ":" in host else host), int(port)


def is_host(host: str) -> bool:
    """Whether it is an address, or a name as it may stand in a certificate."""
    try:
        ip_address(host)
    except ValueError:
        labels = host.split(".")
        # All digits, and a resolver would take it for an address.
        return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdecimal()
    return "%" not in host
