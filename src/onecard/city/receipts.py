"""Receipts: what terminals were told, line by line in a file of the simulation's own, apart from their journals."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

Verdict = Literal["paid", "given back", "refused", "reversed"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one record, as its terminal knows: `fen` went to the merchant (paid) or came from him (given back)."""

    terminal_id: int
    terminal_seq: int
    verdict: Verdict
    fen: int
    transfer_id: int = 0


class Receipts:
    """Writes receipts; each stands in the file when `add` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "Receipts":
        self._stream = self._path.open("w", buffering=1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def add(self, receipt: Receipt) -> None:
        """Write one down."""
        self._stream.write(json.dumps(asdict(receipt)) + "\n")


def read_receipts(path: Path) -> Iterator[Receipt]:
    """All of a file, in the order written; of one record the last says how it ended."""
    with path.open() as stream:
        for line in stream:
            yield Receipt(**json.loads(line))
