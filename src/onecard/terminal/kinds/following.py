"""The data the platform publishes for a terminal's line (Tasks.current: deny list, rules, cards), brought over that line.

Everything comes from the signed repository (terminal.upgrade); what the device can't read or may not take is refused and told,
and the last good one stays.
"""

import asyncio
import logging
from collections.abc import Sequence

from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.kernel.events import EventKind
from onecard.protocol.lease import parse_lease
from onecard.protocol.proto.device_pb2 import DataVersion, Tasks
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.kinds.device import Device
from onecard.terminal.native import NativeClient
from onecard.terminal.upgrade.trusted import TrustedRepository

log = logging.getLogger(__name__)
_PATHS = {
    "deny": "deny/{version}.bin",
    "rules": "rules/{unit}/{version}.json",
    "cards": "cards/{unit}/{version}.bin",
}
_AT_MOST = 32 << 20
_AGAIN_S = 30.0


class Following:
    """`on_tasks` is told; `run` brings. Untrusted and unreadable data is reported once for each version."""

    def __init__(self, device: Device, client: NativeClient, repository: TrustedRepository) -> None:
        self._device = device
        self._client = client
        self._repository = repository
        self._tasks = Tasks()
        self._wake = asyncio.Event()
        self._unit: int | None = None
        self._refused: set[tuple[str, int]] = set()

    def on_tasks(self, tasks: Tasks) -> None:
        """See Listeners."""
        self._tasks = tasks
        self._wake.set()

    async def run(self) -> None:
        """Bring what is wanted, until cancelled; what failed is tried again."""
        done = True
        while True:
            try:
                async with asyncio.timeout(None if done else _AGAIN_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            done = await self.bring(self._tasks)

    async def bring(self, tasks: Tasks) -> bool:
        """One round. False: something could not be had now."""
        try:
            return await self._bring_data(tasks.current)
        except (LineDown, LineRefused):
            return False
        except OneCardError as error:
            log.warning("terminal %d: %s", self._device.terminal_id, error.en)
            return False

    async def _bring_data(self, current: Sequence[DataVersion]) -> bool:
        wanted = [version for version in current if self._wants(version)]
        if not wanted:
            return True
        await self._repository.refresh()
        for version in wanted:
            path = _PATHS[version.name]
            unit = await self._unit_id() if "{unit}" in path else 0
            if unit is None:
                continue
            content = await self._repository.get(path.format(unit=unit, version=version.version), _AT_MOST)
            self._take(version, content)
        return True

    def _wants(self, version: DataVersion) -> bool:
        newer = version.version > self._device.data.version(version.name)
        known = version.name in _PATHS and version.name in self._device.data.names
        return known and newer and (version.name, version.version) not in self._refused

    def _take(self, version: DataVersion, content: bytes) -> None:
        try:
            self._device.data.take(version.name, content, version=version.version)
        except InvalidInput as error:
            self._refused.add((version.name, version.version))
            self._device.note(EventKind.DATA_REFUSED, detail=f"{version.name} {version.version}: {error.en}")
        else:
            self._device.note(EventKind.DATA_TAKEN, detail=f"{version.name} {version.version}")

    async def _unit_id(self) -> int | None:
        """The unit this line stands in, by its lease; None: it has none."""
        if self._unit is None:
            reply = await self._client.ask_lease()
            if reply.code == Result.APPROVED:
                self._unit = parse_lease(reply.lease).unit_id
        return self._unit
