"""What a measurement needs to know of memory: this process's peak, and a PostgreSQL backend's private peak, from /proc."""

import contextlib
import resource
import threading
from pathlib import Path
from types import TracebackType

_EVERY_S = 0.02


def reset_peak_rss() -> None:
    """Forget the peak so far, where the kernel lets us."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_rss_kb() -> int:
    """This process's peak resident set since `reset_peak_rss`, else since its start."""
    return _status_kb(Path("/proc/self/status"), "VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class BackendMemory:
    """Watches the anonymous memory of a process on this machine while the block runs; `peak_kb` is 0 where it cannot be seen."""

    def __init__(self, pid: int) -> None:
        self.peak_kb = 0
        self._status = Path(f"/proc/{pid}/status")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "BackendMemory":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.peak_kb = max(self.peak_kb, _status_kb(self._status, "RssAnon"))


def _status_kb(status: Path, name: str) -> int:
    try:
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
