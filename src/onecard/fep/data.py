"""The data a front-end decides by (G3, D2): fetched when Tasks name it, proved by the signed repository, and never made worse.

A list that is older, damaged, not signed, or that refuses too many of the cards that have just tapped (lists.py) is refused and
reported; the last good one stays. A list of another unit is not looked at: a device that moves takes no data along.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from onecard.fep.clock import FrontEndClock
from onecard.fep.files import replace_file
from onecard.fep.lists import DenyList, Lists, RecentTaps, read_deny_list
from onecard.kernel.errors import InvalidInput, OneCardError
from onecard.kernel.events import EventKind
from onecard.protocol.cardindex import CardIndex, parse_card_index
from onecard.protocol.cardset import build_card_set
from onecard.protocol.offline import OfflineRules, parse_rules
from onecard.protocol.proto.device_pb2 import DataVersion, Tasks

log = logging.getLogger(__name__)
DETAIL_CHARACTERS = 500
_NO_LIST = read_deny_list(build_card_set((), version=0))
_RETRY_REFUSED_US = 3600 * 1_000_000


class Repository(Protocol):
    """`terminal.upgrade.trusted.TrustedRepository`."""

    async def refresh(self) -> None: ...
    async def get(self, path: str, at_most: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data: how it is read and where it stands in the repository."""

    name: str
    read: Callable[[bytes], Any]
    path: str
    at_most: int


# In this order: the rules bring the guard that the cards and the deny list are measured by.
KINDS = (
    Kind("rules", parse_rules, "rules/{unit}/{version}.json", 1 << 20),
    Kind("cards", parse_card_index, "cards/{unit}/{version}.bin", 32 << 20),
    Kind("deny", read_deny_list, "deny/{version}.bin", 32 << 20),
)


@dataclass(frozen=True, slots=True)
class InUse:
    """A file that is in use."""

    version: int
    sha256: bytes
    value: Any


class DataKeeper:
    """`note` is told what was taken or refused. `unit` is the unit of the lease in force, None while there is none."""

    def __init__(
        self,
        folder: Path,
        repository: Repository,
        *,
        unit: Callable[[], int | None],
        clock: FrontEndClock,
        note: Callable[[EventKind, str], None],
    ) -> None:
        self._folder = folder
        self._repository = repository
        self._unit = unit
        self._clock = clock
        self._note = note
        self._lock = asyncio.Lock()
        self._refused: dict[tuple[str, int, bytes], int] = {}
        self._has_refused = False
        """Whether something was reported as refused since anything was reported as taken: the platform shows an alarm."""
        self.taps = RecentTaps(clock.now_us)
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {kind.name: file for kind in KINDS if (file := self._load(kind)) is not None}

    @property
    def denied(self) -> DenyList:
        """The deny list; empty before there was one."""
        file = self._files.get("deny")
        return file.value if file else _NO_LIST

    @property
    def rules(self) -> OfflineRules:
        """The unit's rules; before there were any: nothing is allowed off line."""
        file = self._own("rules")
        return file.value if file else OfflineRules(version=0, unit_id=self._unit() or 0)

    @property
    def cards(self) -> CardIndex | None:
        """The unit's cards."""
        file = self._own("cards")
        return file.value if file else None

    @property
    def lists(self) -> Lists:
        """All three."""
        return Lists(self.rules, self.cards, self.denied)

    def versions(self) -> list[DataVersion]:
        """What is in use, for Hello and heartbeats."""
        files = {kind.name: self._own(kind.name) for kind in KINDS}
        return [DataVersion(name=name, version=file.version, sha256=file.sha256) for name, file in files.items() if file]

    async def follow(self, tasks: Tasks) -> bool:
        """Take what the platform publishes. False: something could not be fetched, ask again later. Never raises OneCardError."""
        async with self._lock:
            wanted = self._wanted(tasks.current)
            if not wanted:
                return True
            try:
                await self._repository.refresh()
            except OneCardError as error:
                return self._failed("metadata", error)
            return all([await self._bring(kind, version) for kind, version in wanted])

    def _wanted(self, current: Sequence[DataVersion]) -> list[tuple[Kind, DataVersion]]:
        named = {version.name: version for version in current}
        wanted = []
        for kind in KINDS:
            version = named.get(kind.name)
            if version is None or ("{unit}" in kind.path and self._unit() is None):
                continue
            file = self._own(kind.name)
            if file and version.version < file.version:
                self._refuse(kind.name, version, f"older than {file.version}, which is in use")
            elif (file is None or file.version < version.version) and not self._was_refused(kind.name, version):
                wanted.append((kind, version))
        return wanted

    async def _bring(self, kind: Kind, version: DataVersion) -> bool:
        path = kind.path.format(unit=self._unit(), version=version.version)
        try:
            content = await self._repository.get(path, kind.at_most)
            file = await asyncio.to_thread(_read, kind, content)
        except InvalidInput as error:
            self._refuse(kind.name, version, error.en)
            return True
        except OneCardError as error:
            return self._failed(f"{kind.name} {version.version}", error)
        reason = self._against(kind, file, version)
        if reason:
            self._refuse(kind.name, version, reason)
            return True
        return await self._use(kind, file, content)

    def _against(self, kind: Kind, file: InUse, version: DataVersion) -> str:
        """Why a file that is signed and whole is not taken; empty: nothing is against it."""
        if file.version != version.version or (version.sha256 and version.sha256 != file.sha256):
            return f"not the announced content: it is version {file.version}"
        if "{unit}" in kind.path and file.value.unit_id != self._unit():
            return f"of unit {file.value.unit_id}"
        # Before there was a list of this kind nothing is known to be good: everything may be refused off line then.
        if self._own(kind.name) is None and kind.name != "deny":
            return ""
        place = {"rules": "rules", "cards": "cards", "deny": "denied"}[kind.name]
        return self.taps.against(self.lists, replace(self.lists, **{place: file.value}))

    async def _use(self, kind: Kind, file: InUse, content: bytes) -> bool:
        try:
            await asyncio.to_thread(self._store, kind.name, content)
        except OSError as error:
            self._note(EventKind.ERROR, f"{kind.name} {file.version} not stored: {error}"[:DETAIL_CHARACTERS])
            return False
        self._files[kind.name] = file
        # A deny list is told of by the heartbeat that follows (follow.py): all front-ends of a city take each of them.
        if kind.name != "deny" or self._has_refused:
            self._note(EventKind.DATA_TAKEN, f"{kind.name} {file.version}, {len(content)} bytes")
            self._has_refused = False
        return True

    def _store(self, name: str, content: bytes) -> None:
        path = self._folder / f"{name}.bin"
        last = path.with_suffix(".last")
        if path.exists():  # a second copy for a disk that loses blocks: the file before stays readable
            last.unlink(missing_ok=True)
            os.link(path, last)
        replace_file(path, content, mode=0o644)

    def _load(self, kind: Kind) -> InUse | None:
        for path in (self._folder / f"{kind.name}.bin", self._folder / f"{kind.name}.last"):
            try:
                return _read(kind, path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, InvalidInput) as error:
                log.warning("fep: %s cannot be read: %s", path, error)
                self._note(EventKind.ERROR, f"{path.name} cannot be read: {error}"[:DETAIL_CHARACTERS])
        return None

    def _own(self, name: str) -> InUse | None:
        file, unit = self._files.get(name), self._unit()
        other = file is not None and name != "deny" and unit is not None and file.value.unit_id != unit
        return None if other else file

    def _failed(self, what: str, error: OneCardError) -> bool:
        """Nothing came: by the line's fault it is tried again; what the repository's keys have not signed is reported too."""
        log.info("fep: %s: %s", what, error.en)
        if not error.retryable:
            self._report(f"{what}: {error.en}")
        return False

    def _refuse(self, name: str, version: DataVersion, reason: str) -> None:
        key = (name, version.version, version.sha256)
        if key not in self._refused:
            self._report(f"{name} {version.version}: {reason}")
        self._refused[key] = self._clock.now_us()

    def _was_refused(self, name: str, version: DataVersion) -> bool:
        """A list that was refused is looked at again after an hour: other cards have tapped since."""
        at = self._refused.get((name, version.version, version.sha256))
        return at is not None and self._clock.now_us() - at < _RETRY_REFUSED_US

    def _report(self, detail: str) -> None:
        log.warning("fep: data refused: %s", detail)
        self._has_refused = True
        self._note(EventKind.DATA_REFUSED, detail[:DETAIL_CHARACTERS])


def _read(kind: Kind, content: bytes) -> InUse:
    value = kind.read(content)
    return InUse(value.version, hashlib.sha256(content).digest(), value)
