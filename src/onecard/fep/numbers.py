"""The sequence numbers of terminals: holes somebody may still fill, and numbers that may have been passed on to the platform.

Numbers are reserved on the disk by the score before a request is passed on. After a restart everything up to the reserved
number may have been posted without its answer having come back: no request under such a number is refused here (docs/adr/0073).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onecard.fep.journal import Journal
from onecard.fep.records import Asked
from onecard.protocol.proto.device_pb2 import SequenceHole

_AHEAD = 20
_MAX_HOLES = 64
"""For each terminal; the oldest are kept, because they are what a person has to look for."""
_WIDEST = 100_000
"""A terminal that leaps further has been given a new range of numbers."""


@dataclass(slots=True)
class _Terminal:
    highest: int = 0
    passed: int = 0
    """On the disk."""
    floor: int = 0
    """Numbers up to here may have been passed on by an earlier process."""
    used: int = 0
    """The highest number this process has passed on."""
    here: int = 0
    """The highest number answered by this front-end itself."""
    holes: list[list[int]] = field(default_factory=list)
    """[first, last, since], rising."""
    is_dirty: bool = False


class Numbers:
    """Of all terminals of one front-end; in memory, and written with `save`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._terminals: dict[int, _Terminal] = {}

    async def load(self) -> None:
        """Read what the journal has."""
        rows, holes = await self._journal.run(_read)
        for terminal_id, highest, reserved, here in rows:
            # What was seen since the last save lies within what was reserved or answered.
            self._terminals[terminal_id] = _Terminal(max(highest, here), reserved, reserved, 0, here)
        for terminal_id, first, last, since in holes:
            self._get(terminal_id).holes.append([first, last, since])

    def hear(self, asked: Asked, now_us: int) -> None:
        """A number was used. The first of a terminal begins its count."""
        terminal, seq = self._get(asked.terminal_id), asked.terminal_seq
        if seq > terminal.highest:
            if terminal.highest and 1 < seq - terminal.highest <= _WIDEST and seq > terminal.floor + 1:
                first = max(terminal.highest, terminal.floor) + 1
                if first < seq and len(terminal.holes) < _MAX_HOLES:
                    terminal.holes.append([first, seq - 1, now_us])
            terminal.highest = seq
            terminal.is_dirty = True
        elif terminal.holes:
            terminal.is_dirty |= _fill(terminal.holes, seq)

    def know(self, seqs: Mapping[int, int]) -> None:
        """The highest numbers the platform has: a terminal that spoke elsewhere meanwhile has left no hole here."""
        for terminal_id, seq in seqs.items():
            if seq > self._get(terminal_id).highest:
                terminal = self._get(terminal_id)
                terminal.highest, terminal.is_dirty = seq, True

    def get(self, terminal_id: int, default: int = 0, /) -> int:
        """The highest number that may have been used, for devices that begin anew (`Services.seqs`)."""
        found = self._terminals.get(terminal_id)
        return max(found.highest, found.floor, found.used, found.here) if found else default

    def __setitem__(self, terminal_id: int, seq: int, /) -> None:
        """Of `Services.seqs`; what is used here is heard by `hear` as it comes in."""

    def may_have_passed(self, asked: Asked) -> bool:
        """Whether this number may have been passed on, by this process or an earlier one."""
        terminal = self._get(asked.terminal_id)
        return asked.terminal_seq <= max(terminal.floor, terminal.used)

    def answered_here(self, asked: Asked) -> None:
        """The front-end itself answers under this number: told before the answer is stored, so that nobody looks past it."""
        terminal = self._get(asked.terminal_id)
        terminal.here = max(terminal.here, asked.terminal_seq)

    def was_answered_here(self, asked: Asked) -> bool:
        """Whether the journal has to be asked for a first answer: cheap, and wrong only in the safe direction."""
        return asked.terminal_seq <= self._get(asked.terminal_id).here

    async def reserve(self, rows: Sequence[Asked]) -> None:
        """Note on the disk that these may be passed on. Raises JournalFull."""
        needed: dict[int, int] = {}
        for asked in rows:
            terminal = self._get(asked.terminal_id)
            terminal.used = max(terminal.used, asked.terminal_seq)
            if asked.terminal_seq > terminal.passed:
                needed[asked.terminal_id] = max(needed.get(asked.terminal_id, 0), asked.terminal_seq + _AHEAD)
        if not needed:
            return
        await self._journal.run(lambda db: _reserve(db, needed))
        for terminal_id, through in needed.items():
            terminal = self._get(terminal_id)
            terminal.passed = max(terminal.passed, through)

    async def save(self) -> None:
        """Write what has changed. Raises JournalFull."""
        changed = {number: terminal for number, terminal in self._terminals.items() if terminal.is_dirty}
        if changed:
            rows = {number: (terminal.highest, [tuple(hole) for hole in terminal.holes]) for number, terminal in changed.items()}
            for terminal in changed.values():
                terminal.is_dirty = False
            await self._journal.run(lambda db: _save(db, rows))

    async def close(self) -> None:
        """Write everything; numbers that were reserved and not used are free of doubt again. Raises JournalFull."""
        await self.save()
        rows = [(max(one.floor, one.used), number) for number, one in self._terminals.items()]
        await self._journal.run(lambda db: db.executemany("UPDATE terminal SET passed_seq = ? WHERE terminal_id = ?", rows))

    def holes(self, limit: int = 100) -> list[SequenceHole]:
        """For heartbeats, the oldest first."""
        found = [(since, number, first, last) for number, one in self._terminals.items() for first, last, since in one.holes]
        return [
            SequenceHole(terminal_id=number, from_seq=first, through_seq=last, since_us=since)
            for since, number, first, last in sorted(found)[:limit]
        ]

    def _get(self, terminal_id: int) -> _Terminal:
        found = self._terminals.get(terminal_id)
        if found is None:
            found = self._terminals[terminal_id] = _Terminal()
        return found


def _fill(holes: list[list[int]], seq: int) -> bool:
    """Take a number out of the hole it lies in."""
    for place, (first, last, since) in enumerate(holes):
        if first <= seq <= last:
            holes[place : place + 1] = [part for part in ([first, seq - 1, since], [seq + 1, last, since]) if part[0] <= part[1]]
            return True
    return False


def _read(db: sqlite3.Connection) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]]:
    here = dict(db.execute("SELECT terminal_id, max(terminal_seq) FROM answered GROUP BY terminal_id"))
    known = {row[0]: row for row in db.execute("SELECT terminal_id, highest_seq, passed_seq FROM terminal")}
    rows = [(number, *known.get(number, (number, 0, 0))[1:], here.get(number, 0)) for number in known.keys() | here.keys()]
    return rows, db.execute("SELECT * FROM hole ORDER BY terminal_id, from_seq").fetchall()


def _reserve(db: sqlite3.Connection, needed: dict[int, int]) -> None:
    db.executemany(
        "INSERT INTO terminal VALUES (?, 0, ?, 0) ON CONFLICT DO UPDATE SET passed_seq = max(passed_seq, excluded.passed_seq)",
        list(needed.items()),
    )


def _save(db: sqlite3.Connection, rows: dict[int, tuple[int, list[tuple[int, ...]]]]) -> None:
    for terminal_id, (highest, holes) in rows.items():
        db.execute(
            "INSERT INTO terminal VALUES (?, ?, 0, 0)"
            " ON CONFLICT DO UPDATE SET highest_seq = max(highest_seq, excluded.highest_seq)",
            (terminal_id, highest),
        )
        db.execute("DELETE FROM hole WHERE terminal_id = ?", (terminal_id,))
        db.executemany("INSERT INTO hole VALUES (?, ?, ?, ?)", [(terminal_id, *hole) for hole in holes])
