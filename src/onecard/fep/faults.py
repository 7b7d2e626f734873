"""Where a front-end may be killed on purpose: the tests' way to stop a process between any two steps.

`ONECARD_FEP_FAULT=point:times[:pid]` sends SIGKILL the moment a point is passed for that many times, to this process or to
another (the gateway). Without the variable a point costs one comparison.
"""

import os
import signal
from enum import StrEnum, unique

VARIABLE = "ONECARD_FEP_FAULT"


@unique
class Point(StrEnum):
    """A step of a record on its way."""

    PASS_SENT = "pass-sent"  # noqa: S105 - not a password
    """A request has been handed to the line."""
    PASS_ANSWERED = "pass-answered"  # noqa: S105
    """The platform's answer is here and not with the terminal."""
    LOCAL_DECIDED = "local-decided"
    """Decided, not on the disk."""
    LOCAL_STORED = "local-stored"
    """On the disk, not answered."""
    UPLOAD_SENT = "upload-sent"
    UPLOAD_ANSWERED = "upload-answered"
    """The platform has acknowledged, the journal does not know."""
    UPLOAD_STORED = "upload-stored"
    EVENTS_SENT = "events-sent"
    EVENTS_ANSWERED = "events-answered"


class _Fault:
    def __init__(self, setting: str) -> None:
        self.point, _, rest = setting.partition(":")
        times, _, pid = rest.partition(":")
        self.left = int(times or 1)
        self.pid = int(pid) if pid else os.getpid()


_fault = _Fault(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def passed(point: Point) -> None:
    """Say that a point has been reached."""
    if _fault is not None and _fault.point == point:
        _fault.left -= 1
        if _fault.left == 0:
            os.kill(_fault.pid, signal.SIGKILL)
