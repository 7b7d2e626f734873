"""`onecard version`."""

import platform
import sys

from onecard import __version__
from onecard.cli.dispatch import show


def version() -> None:
    """版本 The versions of this program, of Python and of the embedded PostgreSQL."""
    from onecard.datacenter import binaries

    parts = (f"python {platform.python_version()} ({sys.executable})", f"postgresql {binaries.version()} (embedded)")
    show("\n".join((f"onecard {__version__}", *parts)))
