"""The header by which the web tier knows that a request came over the line of a unit's front-end, and of which unit (G1).

    X-OneCard-Line-Unit: <unit id>.<line id>.<seconds since 1970>.<HMAC-SHA-256, hex>

The gateway makes it with a secret that only it and the web tier have, over method and target too; what others send is refused.
"""

import hashlib
import hmac
from dataclasses import dataclass

HEADER = "X-OneCard-Line-Unit"
MAX_AGE_S = 60
_FIELDS = 4


@dataclass(frozen=True, slots=True)
class LineUnit:
    """A request came over this line, of this unit (0: a line of no unit)."""

    unit_id: int
    line_id: int


def build_line_unit(secret: bytes, origin: LineUnit, *, method: str, target: str, now_s: int) -> str:
    """The header's value for one request; `target` is the path (decoded) and the query (as sent)."""
    content = f"{origin.unit_id}.{origin.line_id}.{now_s}"
    return f"{content}.{_mac(secret, content, method, target)}"


def parse_line_unit(secret: bytes, value: str, *, method: str, target: str, now_s: int) -> LineUnit:
    """Where a request came from. Raises ValueError when the header was not made for it, or more than a minute ago."""
    fields = value.split(".")
    if len(fields) != _FIELDS or not all(field.isascii() and field.isdigit() and len(field) < 20 for field in fields[:3]):
        raise ValueError("not a header of a line")
    content = value.rpartition(".")[0]
    if not hmac.compare_digest(_mac(secret, content, method, target).encode(), fields[3].encode()):
        raise ValueError("made with another secret, or for another request")
    if abs(now_s - int(fields[2])) > MAX_AGE_S:
        raise ValueError("too old")
    return LineUnit(int(fields[0]), int(fields[1]))


def _mac(secret: bytes, content: str, method: str, target: str) -> str:
    return hmac.digest(secret, f"{content}\n{method}\n{target}".encode(), hashlib.sha256).hex()
