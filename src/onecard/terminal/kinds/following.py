"""The data the platform publishes for a terminal's line (Tasks.current: deny list, rules, cards, parameters), brought over it.

Everything comes from the signed repository (terminal.upgrade); what the device can't read or may not take is refused and told,
and the last good one stays.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.kernel.events import EventKind
from onecard.protocol.lease import parse_lease
from onecard.protocol.parameters import NAME as PARAMETERS
from onecard.protocol.parameters import parse_parameters
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
    PARAMETERS: "parameters/{line}/{version}.json",
}
_AT_MOST = 32 << 20
_AGAIN_S = (2.0, 30.0)
"""After the first failure, and at most: a file that is named a moment before it can be had is tried again soon."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A version of Tasks.current. A line's own data is named with the line's number ("parameters/7"): it is another line's than
    the terminal's where that stands behind a front-end."""

    name: str
    version: int
    line_id: int = 0

    @classmethod
    def of(cls, told: DataVersion) -> "_Wanted | None":
        name, _, line = told.name.partition("/")
        if name not in _PATHS or (name == PARAMETERS) != (line.isascii() and line.isdecimal() and len(line) < 20):
            return None
        return cls(name, told.version, int(line or 0))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Following:
    """`on_tasks` is told; `run` brings. Untrusted and unreadable data is reported once for each version."""

    def __init__(self, device: Device, client: NativeClient, repository: TrustedRepository) -> None:
        self._device = device
        self._client = client
        self._repository = repository
        self._tasks = Tasks()
        self._wake = asyncio.Event()
        self._unit: int | None = None
        self._refused: set[_Wanted] = set()

    def on_tasks(self, tasks: Tasks) -> None:
        """See Listeners."""
        self._tasks = tasks
        self._wake.set()

    async def run(self) -> None:
        """Bring what is wanted, until cancelled; what failed is tried again."""
        again_s: float | None = None
        while True:
            try:
                async with asyncio.timeout(again_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            done = await self.bring(self._tasks)
            again_s = None if done else min(2 * (again_s or _AGAIN_S[0] / 2), _AGAIN_S[1])

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
        wanted = [one for told in current if (one := _Wanted.of(told)) is not None and self._wants(one)]
        if not wanted:
            return True
        await self._repository.refresh()
        for one in wanted:
            path = _PATHS[one.name]
            unit = await self._unit_id() if "{unit}" in path else 0
            if unit is None:
                continue
            content = await self._repository.get(path.format(unit=unit, line=one.line_id, version=one.version), _AT_MOST)
            self._take(one, content)
        return True

    def _wants(self, one: _Wanted) -> bool:
        data = self._device.data
        other_line = one.line_id not in (0, data.parameters_line)
        newer = other_line or one.version > data.version(one.name)
        return one.name in data.names and newer and one not in self._refused

    def _take(self, one: _Wanted, content: bytes) -> None:
        try:
            if not self._is_for_me(one, content):
                log.warning("terminal %d: %s does not name it yet", self._device.terminal_id, one)
                self._refused.add(one)
                return
            self._device.data.take(one.name, content, version=one.version)
        except InvalidInput as error:
            self._refused.add(one)
            self._device.note(EventKind.DATA_REFUSED, detail=f"{one}: {error.en}")
        else:
            # A deny list comes a thousand times a day, and the heartbeat says which is in use: told only after a refusal.
            if one.name != "deny" or any(refused.name == "deny" for refused in self._refused):
                self._device.note(EventKind.DATA_TAKEN, detail=str(one))

    def _is_for_me(self, one: _Wanted, content: bytes) -> bool:
        """Whether a line's own file says something of this terminal. Raises InvalidInput where it is another than was named."""
        if one.name != PARAMETERS:
            return True
        file = parse_parameters(content)
        if (file.line_id, file.version) != (one.line_id, one.version):
            raise InvalidInput(
                f"应为线路 {one.line_id} 第 {one.version} 版，实为线路 {file.line_id} 第 {file.version} 版",
                f"should be version {one.version} of line {one.line_id}, is version {file.version} of line {file.line_id}",
            )
        return file.values_of(self._device.terminal_id) is not None

    async def _unit_id(self) -> int | None:
        """The unit this line stands in, by its lease; None: there are no unit's files for it.

        A line of an operator without a unit gets no lease, and a terminal behind a front-end is under the front-end's.
        """
        if self._unit is None:
            reply = await self._client.ask_lease()
            if reply.code == Result.APPROVED:
                self._unit = parse_lease(reply.lease).unit_id
        return self._unit
