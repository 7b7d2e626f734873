"""Counting wrong tokens by address, so that guessing and misconfigured programs are slowed down before the database is asked.

In this process's memory: the role `web` is one process, and a token has 256 random bits, so that a restart gives nobody a chance.
"""

from collections import OrderedDict
from threading import Lock
from time import monotonic

LIMIT = 10
WINDOW_S = 60
_MOST = 10_000
"""Addresses remembered at once; the oldest go first, so that a flood of addresses cannot fill the memory."""

_lock = Lock()
_seen: "OrderedDict[str, tuple[float, int]]" = OrderedDict()


def wait_s(address: str) -> int:
    """How many seconds an address has to wait before its next token is looked at; 0 for none."""
    with _lock:
        since, count = _seen.get(address, (0.0, 0))
    left = since + WINDOW_S - monotonic()
    return int(left) + 1 if count >= LIMIT and left > 0 else 0


def note(address: str) -> None:
    """Count a wrong token."""
    now = monotonic()
    with _lock:
        since, count = _seen.pop(address, (now, 0))
        _seen[address] = (now, 1) if now - since > WINDOW_S else (since, count + 1)
        while len(_seen) > _MOST:
            _seen.popitem(last=False)


def forget() -> None:
    """Nobody has failed: for tests."""
    with _lock:
        _seen.clear()
