"""A command of ours on a pseudo terminal, answered as a person would: by what it asks."""

import os
import pty
import select
import sys
import time
from collections.abc import Callable, Sequence

from tests.support.postgres import TestDatabase

_PATIENCE_S = 60
Answer = str | Callable[[str], str]
"""What is typed, or how it is read off the screen."""


def converse(database: TestDatabase, words: Sequence[str], answers: Sequence[tuple[str, Answer]]) -> tuple[int, str]:
    """Run `onecard words`; when the next expected question appears, its answer is typed. Gives exit code and what was shown."""
    process, descriptor = pty.fork()
    if process == 0:
        environment = {**database.environment, "ONECARD_APP_DATABASE": database.app_dsn, "NO_COLOR": "1", "COLUMNS": "200"}
        os.execve(sys.executable, [sys.executable, "-m", "onecard", *words], environment)
    shown, waiting, read_to = "", list(answers), 0
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([descriptor], [], [], 1)
            if ready:
                try:
                    shown += os.read(descriptor, 65536).decode(errors="replace")
                except OSError:  # Linux says EIO when the other side has closed
                    break
            if waiting and waiting[0][0] in shown[read_to:]:
                read_to = len(shown)
                _, answer = waiting.pop(0)
                os.write(descriptor, (answer if isinstance(answer, str) else answer(shown)).encode() + b"\n")
        else:
            os.kill(process, 9)
            raise AssertionError(f"the command did not end; it showed:\n{shown}")
    finally:
        os.close(descriptor)
        _, status = os.waitpid(process, 0)
    assert not waiting, f"never asked for {waiting[0][0]!r}; it showed:\n{shown}"
    return os.waitstatus_to_exitcode(status), shown
