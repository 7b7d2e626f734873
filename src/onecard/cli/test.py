"""`onecard test`: hands over to `scripts/test` of the repository this program runs from."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from onecard.kernel.errors import InvalidInput


def main(words: Sequence[str]) -> None:
    """Become `scripts/test`, with this program's Python first on the path."""
    script = Path(__file__).parents[3] / "scripts" / "test"
    if not script.exists():
        raise InvalidInput("测试只能在源码目录中运行：./onecard test", "tests run from a checkout: ./onecard test")
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    os.execv(script, [str(script), *words])  # noqa: S606 (the repository's own script)
