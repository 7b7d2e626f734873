"""The keeper: stops the embedded database when the supervisor was killed and could not do it itself.

It holds the reading end of a pipe whose writing end the supervisor and every role inherit. When the pipe ends, all of them
are gone, the last record has been answered, and the database can be stopped. A byte on the pipe says that the supervisor has
seen to everything.
"""

import os
import signal
import subprocess
import sys


def spawn(*, lock_fd: int) -> "Keeper":
    """Start the keeper of this process."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "onecard.city.keeper", str(reading)],
        pass_fds=(reading, lock_fd),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reading)
    return Keeper(process=process, writing_fd=writing)


class Keeper:
    """The supervisor's side of the keeper; `writing_fd` is what every role inherits."""

    def __init__(self, *, process: subprocess.Popen[bytes], writing_fd: int) -> None:
        self._process = process
        self.writing_fd = writing_fd

    def dismiss(self) -> None:
        """Everything is stopped (or was never ours to stop): let the keeper end."""
        os.write(self.writing_fd, b".")
        os.close(self.writing_fd)
        self._process.wait(timeout=10)


def main() -> None:
    """Wait for the end of the pipe, then stop the embedded database of this home."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if os.read(int(sys.argv[1]), 1):
        return
    from onecard.city.database import stop_embedded

    stop_embedded()


if __name__ == "__main__":
    main()
