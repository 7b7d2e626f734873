"""The authorised list (授信列表, G2) in memory: who may be at a line, and for how long. Kept by events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from onecard.kernel.codes import Result
from onecard.protocol.proto.app_pb2 import FRONT_END, AdmissionEvent, Line, Refusal

_REFUSALS: dict[int, Result] = {
    Refusal.REVOKED: Result.TERMINAL_NOT_ALLOWED,
    Refusal.UNIT_SUSPENDED: Result.UNIT_SUSPENDED,
    Refusal.UNIT_EXPIRED: Result.UNIT_EXPIRED,
    Refusal.OPERATOR_SUSPENDED: Result.UNIT_SUSPENDED,
}


class Seat(NamedTuple):
    """One terminal of a line; a terminal behind a front-end may have a certificate of its own (SHA-256, else empty)."""

    terminal_id: int
    tid: str
    mid: str
    certificate_sha256: bytes
    driver: str


@dataclass(frozen=True, slots=True)
class AdmittedLine:
    """One entry of the list. `terminals` is by TID and MID joined, as both stand in an ISO 8583 message."""

    line_id: int
    fingerprint: bytes
    name: str
    is_front_end: bool
    refusal: Result | None
    valid_until_us: int
    terminals: dict[str, int]
    terminal_ids: frozenset[int]
    seats: tuple[Seat, ...]
    unit_id: int = 0
    known_seqs: Mapping[int, int] = field(default_factory=dict, compare=False)
    """The highest sequence number the ledger had of each terminal when the line was read; no change of the line when it rises."""

    def refusal_at(self, now_us: int) -> Result | None:
        """Why the line may not be open at this moment; None if it may."""
        if self.refusal is None and self.valid_until_us and now_us >= self.valid_until_us:
            return Result.UNIT_EXPIRED
        return self.refusal


class AdmissionList:
    """The list as of the last event. A snapshot replaces everything at once, when it is complete."""

    def __init__(self) -> None:
        self._by_id: dict[int, AdmittedLine] = {}
        self._by_fingerprint: dict[bytes, AdmittedLine] = {}
        self._staged: dict[int, AdmittedLine] | None = None
        self.complete = False

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def is_staging(self) -> bool:
        """Whether a snapshot has begun and is not complete: the list in force is that of the stream before."""
        return self._staged is not None

    def find(self, fingerprint: bytes) -> AdmittedLine | None:
        """The line of a certificate."""
        return self._by_fingerprint.get(fingerprint)

    def get(self, line_id: int) -> AdmittedLine | None:
        """The line of a number."""
        return self._by_id.get(line_id)

    def begin_snapshot(self) -> None:
        """A stream has been opened: what comes until `snapshot_end` is the whole list."""
        self._staged = {}

    def apply(self, event: AdmissionEvent) -> set[int]:
        """Take an event in; the numbers of the lines that are no longer what they were."""
        lines = [build_line(entry) for entry in event.lines]
        if self._staged is None:
            return self._change(lines, event.removed_line_id)
        self._staged.update((line.line_id, line) for line in lines)
        for line_id in event.removed_line_id:
            self._staged.pop(line_id, None)
        if not event.snapshot_end:
            return set()
        staged, self._staged = self._staged, None
        self.complete = True
        return self._change(staged.values(), set(self._by_id) - set(staged))

    def _change(self, lines: Iterable[AdmittedLine], removed: Iterable[int]) -> set[int]:
        changed = set()
        for line_id in removed:
            if self._remove(line_id):
                changed.add(line_id)
        for line in lines:
            if self._by_id.get(line.line_id) != line:
                self._remove(line.line_id)
                changed.add(line.line_id)
            # An equal one too: it knows later sequence numbers.
            self._by_id[line.line_id] = line
            self._by_fingerprint[line.fingerprint] = line
        return changed

    def _remove(self, line_id: int) -> bool:
        old = self._by_id.pop(line_id, None)
        if old is None:
            return False
        if self._by_fingerprint.get(old.fingerprint) is old:
            del self._by_fingerprint[old.fingerprint]
        return True


def build_line(entry: Line) -> AdmittedLine:
    """An entry of the list as it stands in memory."""
    return AdmittedLine(
        line_id=entry.line_id,
        fingerprint=entry.certificate_sha256,
        name=entry.name,
        is_front_end=entry.kind == FRONT_END,
        refusal=_REFUSALS.get(entry.refusal, Result.TERMINAL_NOT_ALLOWED) if entry.refusal else None,
        valid_until_us=entry.valid_until_us,
        terminals={terminal.tid + terminal.mid: terminal.terminal_id for terminal in entry.terminals},
        terminal_ids=frozenset(terminal.terminal_id for terminal in entry.terminals),
        seats=tuple(Seat(t.terminal_id, t.tid, t.mid, t.certificate_sha256, t.driver) for t in entry.terminals),
        unit_id=entry.unit_id,
        known_seqs={terminal.terminal_id: terminal.known_seq for terminal in entry.terminals},
    )
