"""manifest.toml of a driver folder: what the driver says of itself, read and checked before any of its code runs (G4)."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput

MANIFEST = "manifest.toml"
CAPABILITIES = frozenset({"pay", "identify", "attend", "display", "meter", "upgrade", "time", "list"})
TRANSPORTS = frozenset({"tls", "serial", "pty", "tcp", "mqtt"})
_KEYS = {"name", "maker", "models", "protocol", "kind", "transports", "capabilities", "grade", "quirks", "tests", "data"}


class Grade(IntEnum):
    """What has been shown of a driver; each step includes those before it."""

    NONE = 0
    BRONZE = 1
    """Manifest, codec, vectors, README."""
    SILVER = 2
    """And a simulator peer, with tests of malformed input and of disconnects."""
    GOLD = 3
    """And a test for every quirk, and a table of them in the README."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One driver's own description. `quirks` are by name, all off unless a port's settings turn them on."""

    folder: Path
    name: str
    maker: str
    models: tuple[str, ...]
    protocol: str
    is_port: bool
    """Works on a bus or a broker (base.PortDriver) instead of a TLS line (base.Driver)."""
    transports: frozenset[str]
    capabilities: frozenset[str]
    grade: Grade
    quirks: Mapping[str, Text] = field(default_factory=dict)
    tests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Test functions as ``file::name`` by what they show: malformed, disconnect, quirk.NAME. Files from the project's root."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The driver's own: register maps and the like."""

    def vectors(self) -> list[dict[str, Any]]:
        """All vectors of the folder. Raises InvalidInput for a file that is not a JSON list."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.folder / "vectors").glob("*.json")):
            try:
                content = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise _wrong(path, str(error)) from None
            if not isinstance(content, list) or not all(isinstance(one, dict) and "hex" in one for one in content):
                raise _wrong(path, "a vector file is a list of objects with a 'hex'")
            found += content
        return found


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a driver folder. Raises InvalidInput naming what is wrong in it."""
    path = folder / MANIFEST
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(path, str(error)) from None
    if unknown := set(raw) - _KEYS:
        raise _wrong(path, f"unknown: {', '.join(sorted(unknown))}")
    kind = raw.get("kind", "line")
    if kind not in ("line", "port"):
        raise _wrong(path, f"kind {kind!r} (line, port)")
    return Manifest(
        folder=folder,
        name=_text(path, raw, "name"),
        maker=_text(path, raw, "maker"),
        models=tuple(_texts(path, raw, "models")),
        protocol=_text(path, raw, "protocol"),
        is_port=kind == "port",
        transports=_chosen(path, raw, "transports", TRANSPORTS),
        capabilities=_chosen(path, raw, "capabilities", CAPABILITIES),
        grade=_grade(path, raw),
        quirks=_quirks(path, raw.get("quirks", {})),
        tests={name: tuple(_texts(path, raw["tests"], name)) for name in raw.get("tests", {})},
        data=raw.get("data", {}),
    )


def _quirks(path: Path, raw: Any) -> dict[str, Text]:
    quirks = {}
    for name, quirk in raw.items():
        if not isinstance(quirk, dict) or quirk.get("default") is not False:
            raise _wrong(path, f"quirk {name}: a table with 'default = false', 'zh' and 'en'")
        quirks[name] = Text(_text(path, quirk, "zh"), _text(path, quirk, "en"))
    return quirks


def _grade(path: Path, raw: dict[str, Any]) -> Grade:
    try:
        return Grade[_text(path, raw, "grade").upper()]
    except KeyError:
        raise _wrong(path, "grade is none, bronze, silver or gold") from None


def _chosen(path: Path, raw: dict[str, Any], name: str, allowed: frozenset[str]) -> frozenset[str]:
    chosen = frozenset(_texts(path, raw, name))
    if not chosen or not chosen <= allowed:
        raise _wrong(path, f"{name} are some of {', '.join(sorted(allowed))}")
    return chosen


def _text(path: Path, raw: dict[str, Any], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(path, f"{name} is missing")
    return value


def _texts(path: Path, raw: dict[str, Any], name: str) -> list[str]:
    value = raw.get(name)
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _wrong(path, f"{name} is a list of texts")
    return value


def _wrong(path: Path, what: str) -> InvalidInput:
    return InvalidInput(f"{path}：{what}", f"{path}: {what}")
