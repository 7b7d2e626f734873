"""Ports of a gateway or front-end: buses and brokers named in a settings file, each run while its line is on the authorised list.

A port has a line of its own in the list, found by the certificate that was issued for it, so that revocation, suspension and the
end of a unit's validity work as for any other line (docs/adr/0070).
"""

import asyncio
import contextlib
import logging
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from onecard.gateway.admission import AdmittedLine
from onecard.gateway.drivers.base import Port, PortDriver, PortSettings, Services
from onecard.gateway.drivers.loader import find_driver
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput, OneCardError

_log = logging.getLogger(__name__)
_WATCH_S = 0.5
_AGAIN_S = (1.0, 3.0)
_KEYS = {"name", "driver", "transport", "certificate", "terminals", "options", "quirks", "state"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One port and the line it stands for."""

    settings: PortSettings
    fingerprint: bytes
    driver: PortDriver


def read_attachments(path: Path) -> list[Attachment]:
    """The ports of a settings file (docs/gateway.md). Raises InvalidInput naming the port and what is wrong."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}：{error}", f"{path}: {error}") from None
    found: dict[str, Attachment] = {}
    for entry in raw.get("port", []):
        name = str(entry.get("name", ""))
        try:
            if not name or name in found or set(entry) - _KEYS:
                raise ValueError(f"name missing or used twice, or unknown: {', '.join(sorted(set(entry) - _KEYS))}")
            found[name] = _attachment(entry, path.parent)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise InvalidInput(f"{path}，端口 {name}：{error}", f"{path}, port {name}: {error}") from None
    if not found:
        raise InvalidInput(f"{path} 没有 [[port]]", f"{path} names no [[port]]")
    return list(found.values())


def _attachment(entry: Mapping[str, Any], folder: Path) -> Attachment:
    driver = find_driver(entry["driver"])
    if not driver.manifest.is_port:
        raise ValueError(f"driver {entry['driver']} serves TLS lines, not ports")
    quirks = frozenset(entry.get("quirks", ()))
    if unknown := quirks - set(driver.manifest.quirks):
        raise ValueError(f"driver {entry['driver']} has no quirk {', '.join(sorted(unknown))}")
    kind = str(entry["transport"]).partition(":")[0]
    if {"mqtts": "mqtt"}.get(kind, kind) not in driver.manifest.transports:
        raise ValueError(f"driver {entry['driver']} has no transport {kind}")
    certificate = x509.load_pem_x509_certificate((folder / entry["certificate"]).read_bytes())
    settings = PortSettings(
        name=entry["name"],
        driver=entry["driver"],
        transport=entry["transport"],
        terminals={str(device): int(number) for device, number in entry["terminals"].items()},
        state_dir=folder / entry.get("state", f"state/{entry['name']}"),
        options=entry.get("options", {}),
        quirks=quirks,
    )
    return Attachment(settings, certificate.fingerprint(SHA256()), driver.make())


class PortOwner(Protocol):
    """What ports ask whoever runs them: a gateway or a front-end."""

    @property
    def services(self) -> Services: ...

    @property
    def attached_lines(self) -> set[int]:
        """Lines that are ports, open now; kept by AttachedPorts."""

    def admit(self, fingerprint: bytes) -> AdmittedLine | Result:
        """The line of a certificate, or why there is none."""


class AttachedPorts:
    """The ports of one owner. `start` after the owner's, `stop` before it."""

    def __init__(self, owner: PortOwner, attachments: Sequence[Attachment]) -> None:
        """Raises InvalidInput if a port's settings can't be used: nothing is opened then."""
        self._owner = owner
        self._tasks: list[asyncio.Task[None]] = []
        self._attachments = {attachment.settings.name: attachment for attachment in attachments}
        self.ports: dict[str, Port] = {name: self._open(attachment) for name, attachment in self._attachments.items()}
        """By name; a port that was cut off and admitted again is another object."""

    def start(self) -> None:
        """Run every port whose line is admitted, now and later."""
        self._tasks = [asyncio.create_task(self._keep(name), name=f"port {name}") for name in self._attachments]

    async def stop(self) -> None:
        """Stop the ports; what they owe stays in their journals."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _line(self, fingerprint: bytes) -> AdmittedLine | None:
        admitted = self._owner.admit(fingerprint)
        return None if isinstance(admitted, Result) else admitted

    def _open(self, attachment: Attachment) -> Port:
        return attachment.driver.open_port(attachment.settings, lambda: self._line(attachment.fingerprint), self._owner.services)

    async def _keep(self, name: str) -> None:
        attachment = self._attachments[name]
        was_refused = False
        while True:
            line = self._line(attachment.fingerprint)
            if line is None:
                if not was_refused:
                    _log.warning("port %s is not admitted", name)
                was_refused = True
                await asyncio.sleep(_WATCH_S)
                continue
            was_refused = False
            await self._run(name, attachment, line)
            self.ports[name] = self._open(attachment)
            await asyncio.sleep(random.uniform(*_AGAIN_S) if self._line(attachment.fingerprint) else _WATCH_S)  # noqa: S311

    async def _run(self, name: str, attachment: Attachment, line: AdmittedLine) -> None:
        """Until the port ends, the line is cut off, or the gateway closes."""
        _log.info("port %s of line %d is open", name, line.line_id)
        self._owner.attached_lines.add(line.line_id)
        running = asyncio.create_task(self.ports[name].run())
        try:
            while not running.done() and self._line(attachment.fingerprint) is not None:
                await asyncio.wait({running}, timeout=_WATCH_S)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({running})
            self._owner.attached_lines.discard(line.line_id)
            self._say_end(name, running)

    def _say_end(self, name: str, running: asyncio.Task[None]) -> None:
        if not running.done() or running.cancelled():
            _log.info("port %s is closed", name)
        elif isinstance(error := running.exception(), OneCardError):
            self._owner.services.counters.closed["port"] += 1
            _log.error("port %s: %s", name, error.en)
        else:
            self._owner.services.counters.closed["port"] += 1
            _log.error("port %s has failed", name, exc_info=error)
