"""What the journal holds, written and read by plain functions of the database, run by its thread in its transaction.

`due_fen` of a record is its share in what its terminal owes the platform (a terminal's limit, G3); it leaves with the record.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from onecard.fep.decide import SpendingKey
from onecard.fep.records import FACTS, Answer, Asked
from onecard.kernel.codes import ConflictField, Operation, Result

Database = sqlite3.Connection
_ASKED = "op, terminal_id, terminal_seq, card_no, amount_fen, occurred_at_us, orig_terminal_id, orig_seq, chip, pay_code"
_MARKS = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
KEEP_US = 3 * 86_400_000_000
"""How long answers and spending are remembered after the record has gone up: longer than any terminal repeats."""
_HOLD_COUNTS_US = 86_400_000_000
"""How long an open hold counts to its terminal's limit: as long as the platform by default keeps one of its own."""
MAX_REFUSED = 10_000
MAX_EVENTS = 50_000


class Queued(NamedTuple):
    """A record waiting in the journal."""

    place: int
    asked: Asked


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold given here."""

    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    given_at_us: int
    """When it was given: its share of the card's limits belongs to that day and meal."""
    is_ended: bool


# answers


def find_answer(db: Database, asked: Asked) -> Answer | None:
    """The first answer this front-end gave itself under the record's key; KEY_CONFLICT when the record is another."""
    row = db.execute(
        "SELECT op, card_no, amount_fen, occurred_at_us, orig_terminal_id, orig_seq, code FROM answered"
        " WHERE terminal_id = ? AND terminal_seq = ? AND reversal = ?",
        asked.key,
    ).fetchone()
    if row is None:
        return None
    op, card_no, amount_fen, occurred_at_us, orig_terminal_id, orig_seq, code = row
    if occurred_at_us is None:
        # A row of before. Of two facts nobody knows whether they are one: the ledger does.
        occurred_at_us = -1 if op in FACTS and asked.op in FACTS else asked.occurred_at_us
    first = Asked(op, *asked.key[:2], card_no, amount_fen, occurred_at_us, orig_terminal_id, orig_seq)
    conflict = asked.differs_from(first)
    if conflict is ConflictField.NONE:
        return Answer(code)
    return Answer(Result.KEY_CONFLICT, conflict_field=conflict)


def was_reversed(db: Database, asked: Asked) -> bool:
    """Whether a reversal of this record went through here. One that names another card or amount undoes nothing."""
    found = (
        "SELECT 1 FROM answered r WHERE terminal_id = ? AND terminal_seq = ? AND reversal = 1"
        " AND NOT EXISTS (SELECT 1 FROM answered s"
        " WHERE s.terminal_id = r.terminal_id AND s.terminal_seq = r.terminal_seq AND s.reversal = 0"
        " AND (s.card_no <> r.card_no OR r.amount_fen NOT IN (0, s.amount_fen)))"
    )
    return db.execute(found, asked.key[:2]).fetchone() is not None


def find_sale(db: Database, reversal: Asked) -> tuple[int, int, int] | None:
    """Card, amount and moment of the sale that was approved here under the number a reversal names."""
    row: tuple[int, int, int] | None = db.execute(
        "SELECT card_no, amount_fen, at_us FROM answered"
        " WHERE terminal_id = ? AND terminal_seq = ? AND reversal = 0 AND op IN (?, ?)",
        (*reversal.key[:2], int(Operation.PURCHASE), int(Operation.ADVICE)),
    ).fetchone()
    return row


def remember(db: Database, asked: Asked, code: int, now_us: int) -> None:
    """Keep what a terminal is being answered."""
    db.execute(
        "INSERT INTO answered (terminal_id, terminal_seq, reversal, op, card_no, amount_fen, orig_terminal_id, orig_seq, code,"
        " at_us, occurred_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*asked.key, asked.op, asked.card_no, asked.amount_fen, *asked[6:8], code, now_us, asked.occurred_at_us),
    )


def is_used(db: Database, asked: Asked) -> bool:
    """Whether something was answered here under the record's key."""
    found = "SELECT 1 FROM answered WHERE terminal_id = ? AND terminal_seq = ? AND reversal = ?"
    return db.execute(found, asked.key).fetchone() is not None


# the queue


def enqueue(db: Database, asked: Asked, now_us: int, *, due_fen: int = 0) -> None:
    """Put a record behind all others."""
    chip, pay_code = asked.chip or None, asked.pay_code or None
    db.execute(
        f"INSERT INTO record ({_ASKED}, stored_at_us, due_fen) VALUES ({_MARKS}, ?, ?)",  # noqa: S608 - constants
        (*asked[:8], chip, pay_code, now_us, due_fen),
    )
    if due_fen:
        db.execute(
            "INSERT INTO terminal VALUES (?, 0, 0, ?) ON CONFLICT DO UPDATE SET due_fen = due_fen + ?",
            (asked.terminal_id, due_fen, due_fen),
        )


def next_batch(db: Database, size: int, *, without: Iterable[int]) -> list[Queued]:
    """The oldest records, but those of some terminals."""
    skipped = ",".join(str(int(terminal_id)) for terminal_id in without)
    rows = db.execute(
        f"SELECT place, {_ASKED} FROM record WHERE terminal_id NOT IN ({skipped}) ORDER BY place LIMIT ?",  # noqa: S608 - integers
        (size,),
    )
    return [Queued(row[0], Asked._make((*row[1:9], row[9] or b"", row[10] or b""))) for row in rows]


def acknowledge(db: Database, answered: Sequence[tuple[Queued, int]], now_us: int) -> list[tuple[Asked, int]]:
    """Store what the platform answered and drop the records; those it did not post, with their codes."""
    refused = []
    for (place, asked), code in answered:
        db.execute(
            "UPDATE answered SET platform_code = ? WHERE terminal_id = ? AND terminal_seq = ? AND reversal = ?",
            (code, *asked.key),
        )
        if code not in (Result.APPROVED, Result.REVERSED):
            refused.append((asked, code))
            db.execute(
                f"INSERT INTO refused ({_ASKED}, code, at_us) VALUES ({_MARKS}, ?, ?)",  # noqa: S608
                (*asked[:8], asked.chip or None, asked.pay_code or None, code, now_us),
            )
        db.execute(
            "UPDATE terminal SET due_fen = max(0, due_fen - (SELECT due_fen FROM record WHERE place = ?)) WHERE terminal_id = ?",
            (place, asked.terminal_id),
        )
        db.execute("DELETE FROM record WHERE place = ?", (place,))
    return refused


def waiting_by_terminal(db: Database) -> dict[int, int]:
    """How many records of each terminal wait."""
    return dict(db.execute("SELECT terminal_id, count(*) FROM record GROUP BY terminal_id"))


def oldest_us(db: Database) -> int:
    """When the oldest waiting record was stored; 0: none waits."""
    row = db.execute("SELECT stored_at_us FROM record ORDER BY place LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def is_queued(db: Database, asked: Asked) -> bool:
    """Whether this very record waits."""
    rows = db.execute(f"SELECT {_ASKED} FROM record WHERE terminal_id = ? AND terminal_seq = ?", asked.key[:2])  # noqa: S608 - constants
    return any(row[:8] == asked[:8] and (row[8] or b"") == asked.chip for row in rows)


# holds


def add_hold(db: Database, asked: Asked, now_us: int) -> None:
    """A hold given here."""
    db.execute(
        "INSERT INTO hold (terminal_id, terminal_seq, card_no, amount_fen, occurred_at_us, state, given_at_us)"
        " VALUES (?, ?, ?, ?, ?, 0, ?)",
        (*asked.key[:2], asked.card_no, asked.amount_fen, asked.occurred_at_us, now_us),
    )


def find_hold(db: Database, terminal_id: int, terminal_seq: int) -> Hold | None:
    """A hold given here; None: it is the platform's, or there is none."""
    row = db.execute(
        "SELECT card_no, amount_fen, coalesce(given_at_us, occurred_at_us), state FROM hold"
        " WHERE terminal_id = ? AND terminal_seq = ?",
        (terminal_id, terminal_seq),
    ).fetchone()
    if row is None:
        return None
    card_no, amount_fen, given_at_us, state = row
    return Hold(terminal_id, terminal_seq, card_no, amount_fen, given_at_us, bool(state))


def end_hold(db: Database, hold: Hold) -> None:
    """It is committed or given back."""
    db.execute("UPDATE hold SET state = 1 WHERE terminal_id = ? AND terminal_seq = ?", (hold.terminal_id, hold.terminal_seq))


def holds_by_terminal(db: Database) -> set[int]:
    """Terminals with holds given here."""
    return {row[0] for row in db.execute("SELECT DISTINCT terminal_id FROM hold")}


# counters


def spend(db: Database, key: SpendingKey, fen: int, *, count: int) -> None:
    """Add to what a card has spent; negative amounts give back."""
    db.execute(
        "INSERT INTO spent VALUES (?, ?, ?, max(0, ?), max(0, ?)) ON CONFLICT DO UPDATE"
        " SET fen = max(0, fen + ?), count = max(0, count + ?)",
        (key.card_no, key.day.toordinal(), key.meal, fen, count, fen, count),
    )


def spent_by(db: Database, key: SpendingKey) -> tuple[int, int, int]:
    """Of the day: fen and count; of the meal: fen."""
    rows = db.execute("SELECT meal, fen, count FROM spent WHERE card_no = ? AND day = ?", (key.card_no, key.day.toordinal()))
    found = rows.fetchall()
    meal_fen = sum(fen for meal, fen, _ in found if meal == key.meal and key.meal)
    return sum(fen for _, fen, _ in found), sum(count for _, _, count in found), meal_fen


def due_of(db: Database, terminal_id: int, now_us: int) -> int:
    """What a terminal owes the platform, and what it may still owe for the holds that are open."""
    row = db.execute("SELECT due_fen FROM terminal WHERE terminal_id = ?", (terminal_id,)).fetchone()
    held = db.execute(
        "SELECT coalesce(sum(amount_fen), 0) FROM hold"
        " WHERE terminal_id = ? AND state = 0 AND coalesce(given_at_us, occurred_at_us) > ?",
        (terminal_id, now_us - _HOLD_COUNTS_US),
    ).fetchone()
    return (int(row[0]) if row else 0) + int(held[0])


def see(db: Database, cards: Iterable[int]) -> None:
    """Cards that were approved here."""
    db.executemany("INSERT OR IGNORE INTO seen VALUES (?)", ((card,) for card in cards))


def is_seen(db: Database, card_no: int) -> bool:
    """Whether a card was approved here before."""
    return db.execute("SELECT 1 FROM seen WHERE card_no = ?", (card_no,)).fetchone() is not None


def is_code_used(db: Database, code_id: bytes) -> bool:
    """Whether a payment code was taken here."""
    return db.execute("SELECT 1 FROM used_code WHERE code_id = ?", (code_id,)).fetchone() is not None


def use_code(db: Database, code_id: bytes, expires_at: int) -> None:
    """Take a payment code."""
    db.execute("INSERT OR IGNORE INTO used_code VALUES (?, ?)", (code_id, expires_at))


# events


def add_events(db: Database, events: Iterable[tuple[bytes, bytes]]) -> None:
    """Event id and serialised DeviceEvent; one that is there already is not added again."""
    db.executemany("INSERT OR IGNORE INTO event (event_id, body) VALUES (?, ?)", events)


def next_events(db: Database, size: int) -> list[tuple[int, bytes]]:
    """The oldest events with their places."""
    return db.execute("SELECT place, body FROM event ORDER BY place LIMIT ?", (size,)).fetchall()


def drop_events(db: Database, places: Iterable[int]) -> None:
    """They are the platform's now."""
    db.executemany("DELETE FROM event WHERE place = ?", ((place,) for place in places))


def count_events(db: Database) -> int:
    """How many wait."""
    return int(db.execute("SELECT count(*) FROM event").fetchone()[0])


# settings and age


def read_setting(db: Database, name: str) -> bytes | int | None:
    """What was written under a name."""
    row = db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def write_setting(db: Database, name: str, value: bytes | int | None) -> None:
    """Keep a value over restarts; None forgets it."""
    if value is None:
        db.execute("DELETE FROM setting WHERE name = ?", (name,))
    else:
        db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))


def trim(db: Database, now_us: int, today: int) -> None:
    """Forget what nobody can ask for any more. What still waits to go up keeps its answer."""
    before = now_us - KEEP_US
    db.execute(
        "DELETE FROM answered WHERE at_us < ? AND NOT EXISTS (SELECT 1 FROM record r"
        " WHERE r.terminal_id = answered.terminal_id AND r.terminal_seq = answered.terminal_seq)",
        (before,),
    )
    db.execute("DELETE FROM hold WHERE occurred_at_us < ? AND state = 1", (before,))
    db.execute("DELETE FROM spent WHERE day < ?", (today - 3,))
    db.execute("DELETE FROM used_code WHERE expires_at < ?", (now_us // 1_000_000 - 86_400,))
    db.execute(f"DELETE FROM refused WHERE place <= (SELECT max(place) FROM refused) AND place NOT IN"  # noqa: S608
               f" (SELECT place FROM refused ORDER BY place DESC LIMIT {MAX_REFUSED})")  # fmt: skip


def refused_rows(db: Database, limit: int = 100) -> list[dict[str, int]]:
    """The newest records the platform did not post, for people."""
    names = ("terminal_id", "terminal_seq", "op", "card_no", "amount_fen", "occurred_at_us", "code", "at_us")
    rows = db.execute(f"SELECT {', '.join(names)} FROM refused ORDER BY place DESC LIMIT ?", (limit,))  # noqa: S608 - constants
    return [dict(zip(names, row, strict=True)) for row in rows]
