"""The tables of the journal."""

import sqlite3

TABLES = """
-- Records on their way up, in the order they were made. A row is deleted in the transaction that stores its answer.
CREATE TABLE IF NOT EXISTS record (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  terminal_id INTEGER NOT NULL, terminal_seq INTEGER NOT NULL, op INTEGER NOT NULL, card_no INTEGER NOT NULL,
  amount_fen INTEGER NOT NULL, occurred_at_us INTEGER NOT NULL, orig_terminal_id INTEGER NOT NULL, orig_seq INTEGER NOT NULL,
  chip BLOB, pay_code BLOB, stored_at_us INTEGER NOT NULL, due_fen INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS record_terminal ON record (terminal_id, terminal_seq);
-- What was answered here, so that a repeat gets its first answer. `reversal`: a REVERSAL has the number of its record.
CREATE TABLE IF NOT EXISTS answered (
  terminal_id INTEGER, terminal_seq INTEGER, reversal INTEGER,
  op INTEGER NOT NULL, card_no INTEGER NOT NULL, amount_fen INTEGER NOT NULL, orig_terminal_id INTEGER NOT NULL,
  orig_seq INTEGER NOT NULL, code INTEGER NOT NULL, at_us INTEGER NOT NULL, platform_code INTEGER, occurred_at_us INTEGER,
  PRIMARY KEY (terminal_id, terminal_seq, reversal)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answered_at ON answered (at_us);
-- Holds given here. `state` 0: open, 1: ended.
CREATE TABLE IF NOT EXISTS hold (
  terminal_id INTEGER, terminal_seq INTEGER, card_no INTEGER NOT NULL, amount_fen INTEGER NOT NULL,
  occurred_at_us INTEGER NOT NULL, state INTEGER NOT NULL, given_at_us INTEGER,
  PRIMARY KEY (terminal_id, terminal_seq)) WITHOUT ROWID;
-- What a card has spent here off line, by the platform's day and meal (0: none).
CREATE TABLE IF NOT EXISTS spent (
  card_no INTEGER, day INTEGER, meal INTEGER, fen INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (card_no, day, meal)) WITHOUT ROWID;
-- How far each terminal has numbered, up to which number a request may have been passed on, and what it owes the platform.
CREATE TABLE IF NOT EXISTS terminal (
  terminal_id INTEGER PRIMARY KEY, highest_seq INTEGER NOT NULL, passed_seq INTEGER NOT NULL, due_fen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS hole (
  terminal_id INTEGER, from_seq INTEGER, through_seq INTEGER NOT NULL, since_us INTEGER NOT NULL,
  PRIMARY KEY (terminal_id, from_seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (card_no INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS used_code (code_id BLOB PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID;
-- Records the platform did not post, for people.
CREATE TABLE IF NOT EXISTS refused (
  place INTEGER PRIMARY KEY, terminal_id INTEGER NOT NULL, terminal_seq INTEGER NOT NULL, op INTEGER NOT NULL,
  card_no INTEGER NOT NULL, amount_fen INTEGER NOT NULL, occurred_at_us INTEGER NOT NULL, orig_terminal_id INTEGER NOT NULL,
  orig_seq INTEGER NOT NULL, chip BLOB, pay_code BLOB, code INTEGER NOT NULL, at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS event (
  place INTEGER PRIMARY KEY AUTOINCREMENT, event_id BLOB NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
NAMES = ("record", "answered", "hold", "spent", "terminal", "hole", "seen", "used_code", "refused", "event", "setting")
_ADDED = {"answered": "occurred_at_us", "hold": "given_at_us"}
"""Columns that journals of before do not have; NULL in their rows."""


def create(database: sqlite3.Connection) -> None:
    """Make what is missing. On a full disk an existing file opens all the same, because nothing is missing."""
    have = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not have >= set(NAMES):
        database.executescript("BEGIN;" + TABLES + "COMMIT;")
    for table, column in _ADDED.items():
        if column not in {row[1] for row in database.execute(f"PRAGMA table_info({table})")}:
            database.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER")
