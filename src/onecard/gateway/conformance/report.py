"""The kit's report: steps with their outcome in both languages, as JSON signed with Ed25519."""

import base64
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from onecard.kernel.errors import InvalidInput


class Outcome(StrEnum):
    """Of one step."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"
    """Something the machine lacks; no driver passes with such a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    name: str
    zh: str
    en: str
    outcome: Outcome
    details: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """Everything about one driver."""

    driver: str
    maker: str
    source: str
    claimed: str
    made_at: str
    seed: int
    earned: str = "none"
    steps: list[Step] = field(default_factory=list)

    @property
    def has_passed(self) -> bool:
        """Whether every step was run and passed."""
        return bool(self.steps) and all(step.outcome is Outcome.PASSED for step in self.steps)


def sign(report: Report, key: Ed25519PrivateKey) -> dict[str, Any]:
    """What is written to the file."""
    content = asdict(report) | {"passed": report.has_passed}
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"report": content, "public_key": public.hex(), "signature": base64.b64encode(key.sign(_canonical(content))).decode()}


def is_genuine(signed: dict[str, Any], public_key: bytes) -> bool:
    """Whether the report was signed with this key and not changed since."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(signed["signature"]), _canonical(signed["report"]))
    except InvalidSignature:
        return False
    return True


def load_key(path: Path | None) -> Ed25519PrivateKey:
    """The key of a PEM file, or a new one. Raises InvalidInput."""
    if path is None:
        return Ed25519PrivateKey.generate()
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path}：{error}", f"{path}: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path} 不是 Ed25519 私钥", f"{path} is no Ed25519 private key")
    return key


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str).encode()
