"""What a device has installed, on its disk: two slots for firmware, each kind of data with the one before, and the state file.

The state file is replaced whole, so that a power cut leaves the old state or the new one. A trial that was under way when the
power went counts as failed: the slot that was in force before stays in force.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from onecard.kernel.errors import InvalidInput

INTERRUPTED = "restarted during the self test"
_REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Installed:
    """A version in force: its release counter, and the hash of its content."""

    version: int = 0
    sha256: str = ""


@dataclass(slots=True)
class _State:
    active: str = "a"
    firmware: Installed = field(default_factory=Installed)
    data: dict[str, Installed] = field(default_factory=dict)
    trial: int = 0
    """The action whose firmware is on trial in the other slot; 0: none."""
    ended: dict[str, tuple[int, str]] = field(default_factory=dict)
    """How the last actions ended that did not succeed: kind of event and reason, by action."""


class Slots:
    """The installed versions of one device, in one folder of its own."""

    def __init__(self, folder: Path, *, factory: Installed | None = None) -> None:
        """`factory`: the firmware the device left its maker with. Raises InvalidInput for a state file that makes no sense."""
        self._folder = folder
        self._path = folder / "state.json"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self._state = self._load() if self._path.exists() else _State(firmware=factory or Installed())
        self.interrupted = self._state.trial
        """An action that was on trial when the device went down; 0: none."""

    @property
    def firmware(self) -> Installed:
        """What runs now."""
        return self._state.firmware

    @property
    def image(self) -> Path | None:
        """The firmware in force; None while it is the maker's."""
        path = self._slot(self._state.active)
        return path if path.exists() else None

    def installed(self, kind: str) -> Installed:
        """The version in force of firmware or of a kind of data."""
        return self._state.firmware if kind == "firmware" else self._state.data.get(kind, Installed())

    def all(self) -> dict[str, Installed]:
        """Every version in force, by kind."""
        return {"firmware": self._state.firmware, **self._state.data}

    def how_ended(self, action_id: int) -> tuple[int, str] | None:
        """How an action ended here before, unless it succeeded."""
        return self._state.ended.get(str(action_id))

    def ends(self, action_id: int, kind: int, reason: str) -> None:
        """Remember how an action ended: told again, it is not tried again."""
        self._state.trial = 0
        self._state.ended[str(action_id)] = (kind, reason)
        for old in list(self._state.ended)[:-_REMEMBERED]:
            del self._state.ended[old]
        self._store()
        self._slot(self._other).unlink(missing_ok=True)

    # --- firmware

    def begin_trial(self, image: Path, action_id: int) -> Path:
        """Put an image into the slot that is not in force; gives its path there."""
        slot = self._slot(self._other)
        shutil.copyfile(image, slot)
        sync(slot)
        sync(self._folder)
        self._state.trial = action_id
        self._store()
        return slot

    def commit(self, installed: Installed) -> None:
        """The image on trial is in force from here on."""
        self._state.active = self._other
        self._state.firmware = installed
        self._state.trial = 0
        self._store()

    # --- data

    def put_data(self, kind: str, content: bytes, installed: Installed) -> None:
        """Put data in force; the one before stays beside it."""
        path = self._data(kind)
        new = path.with_suffix(".new")
        new.write_bytes(content)
        sync(new)
        if path.exists():
            path.replace(path.with_suffix(".last"))
        new.replace(path)
        sync(path.parent)
        self._state.data[kind] = installed
        self._store()

    def data(self, kind: str) -> bytes | None:
        """The data in force; after a power cut in the middle of a change, the one before."""
        path = self._data(kind)
        for one in (path, path.with_suffix(".last")):
            if one.exists():
                return one.read_bytes()
        return None

    # --- the state file

    @property
    def _other(self) -> str:
        return "b" if self._state.active == "a" else "a"

    def _slot(self, name: str) -> Path:
        return self._folder / f"slot-{name}.bin"

    def _data(self, kind: str) -> Path:
        return self._folder / "data" / f"{kind}.bin"

    def _load(self) -> _State:
        try:
            raw: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
            return _State(
                active=raw["active"],
                firmware=Installed(**raw["firmware"]),
                data={kind: Installed(**one) for kind, one in raw["data"].items()},
                trial=int(raw["trial"]),
                ended={action: (int(kind), str(reason)) for action, (kind, reason) in raw["ended"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput(f"{self._path} 无法读取：{error}", f"{self._path} cannot be read: {error}") from error

    def _store(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self._state)), "utf-8")
        sync(new)
        new.replace(self._path)
        sync(self._folder)


def sync(path: Path) -> None:
    """Have a file or a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
