"""Roll-outs plugged into the front-end (D2): where a device is, whether it may stop now, and the front-end's own part."""

import asyncio
import zipfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from onecard.fep.updates import OnBus, Updates, UpgradePort
from onecard.kernel.clock import to_epoch_us
from onecard.protocol.proto.device_pb2 import DataVersion, PlatformFrame, Tasks
from onecard.terminal.upgrade.client import UpdateClient
from onecard.terminal.upgrade.runner import TaskRunner

if TYPE_CHECKING:
    from onecard.fep.fep import Fep

HARDWARE = "onecard-fep"
"""Hardware id of front-ends themselves; a device on a bus has its driver's name."""
RELEASE = 1
"""Release counter of this build: no roll-out can bring back an older one."""


class Rollout:
    """`updates` serves terminals and buses; `own` is the front-end itself, whose next start runs what its slot holds."""

    def __init__(self, fep: "Fep") -> None:
        self._fep = fep
        folder = fep.settings.home / "updates"
        self.own = UpdateClient(
            folder / "own", hardware=HARDWARE, fetch=fep.fetch, root=None, clock=fep.clock, repository=fep.repository,
            unsent=lambda: sum(fep.intake.waiting.values()), may_install=self._outside_meals, self_test=_is_package,
            factory=RELEASE,
        )  # fmt: skip
        self._runner = TaskRunner({0: self.own}, fep.events.add_built)
        self.updates = Updates(
            folder, fep.repository, clock=fep.clock, emit=fep.events.add_built, on_bus=self._on_bus, may_flash=self._may_flash,
            is_up=lambda: fep.line.is_up, own=self._runner.on_tasks,
        )  # fmt: skip
        self.updates.changed = self._tell
        fep.platform.tasks_of = self._tasks_of
        fep.platform.serve_file = self.updates.serve
        fep.devices.on_event = self.updates.note

    def versions(self) -> list[DataVersion]:
        """Of the front-end's own firmware and parameters."""
        return self.own.versions()

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._runner.stop()

    def _tasks_of(self, line_id: int) -> Tasks | None:
        line = self._fep.lan.line_of(line_id)
        return self.updates.tasks_of(line.terminal_ids) if line is not None else None

    def _tell(self) -> None:
        """Every terminal gets its own list."""
        self._fep.lan.tell_each(lambda line: PlatformFrame(tasks=self.updates.tasks_of(line.terminal_ids)))

    def _on_bus(self, terminal_id: int) -> OnBus | None:
        for attachment in self._fep.attachments:
            settings = attachment.settings
            device = next((name for name, number in settings.terminals.items() if number == terminal_id), None)
            port = self._fep.ports.ports[settings.name]
            if device is not None and hasattr(port, "upgrade"):
                is_online = port.status().get(device, False)
                return OnBus(settings.name, cast(UpgradePort, port), device, settings.driver, is_online)
        return None

    def _may_flash(self, terminal_id: int) -> bool:
        return not self._fep.intake.waiting.get(terminal_id) and self._outside_meals(self._fep.clock.now())

    def _outside_meals(self, now: datetime) -> bool:
        return self._fep.data.rules.meal_at(to_epoch_us(now)) == 0


async def _is_package(path: Path) -> bool:
    """Whether an artefact can be installed at all: a wheel that is whole."""

    def test() -> bool:
        try:
            with zipfile.ZipFile(path) as package:
                return package.testzip() is None and any(name.startswith("onecard/") for name in package.namelist())
        except (OSError, zipfile.BadZipFile):
            return False

    return await asyncio.to_thread(test)
