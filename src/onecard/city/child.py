"""The first moments of a child of the supervisor: `python -m onecard.city.child PARENT_PID COMMAND…` runs `onecard COMMAND…`.

The kernel is told to send SIGTERM when the supervisor dies, so that no role is left behind by a `kill -9`.
"""

import ctypes
import importlib
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel send SIGTERM to this process when its parent ends; exit at once when that has happened already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(1)


def main() -> None:
    """Bind this process to its parent, then become the command."""
    die_with_parent(int(sys.argv[1]))
    sys.argv = ["onecard", *sys.argv[2:]]
    # By name: the command stands above every tier, this one included, and nothing here needs more of it than to be called.
    importlib.import_module("onecard.cli.main").main()


if __name__ == "__main__":
    main()
