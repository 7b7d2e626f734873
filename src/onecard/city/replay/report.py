"""Counts and sums of a replayed file as the platform has them, and their comparison with given totals, to the cent.

Nothing here is read from the file: companies are summed from the clearing lines, types from the journal (the staging table only
says which record was of which type), cards and terminals from the keys of the posted records.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onecard.city.schema import Connection
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput

_MINE = """
CREATE TEMP TABLE mine ON COMMIT DROP AS
SELECT r.type, t.terminal_id, r.seq, k.code, k.lane, k.transfer_id, k.card_no, 100000000 + c.merchant_id AS merchant_book
  FROM city.replay_record r
  JOIN city.replay_terminal t USING (terminal_ref)
  JOIN city.replay_company c USING (company)
  LEFT JOIN ledger.posting_key k ON k.terminal_id = t.terminal_id AND k.terminal_seq = r.seq AND k.phase = 0
 WHERE r.file_id = %s"""
# A record short of balance has a debt leg beside its purchase leg; both credit the merchant, and it is one tap.
_BY_TYPE = """
SELECT m.type, count(*), count(*) FILTER (WHERE j.fen > 0), coalesce(sum(j.fen), 0)
  FROM mine m
  JOIN (SELECT t.terminal_id, t.terminal_seq, sum(t.amount_fen) AS fen
          FROM ledger.transfer t
         WHERE t.id >= (SELECT min(transfer_id) FROM mine WHERE transfer_id > 0)
           AND t.credit BETWEEN 100000000 AND 199999999 AND t.terminal_id > 0
         GROUP BY 1, 2) j ON j.terminal_id = m.terminal_id AND j.terminal_seq = m.seq
 WHERE m.code = 0
 GROUP BY 1"""
_RUNS = """
SELECT w.run_id
  FROM settlement_settlementwindow w
 WHERE EXISTS (SELECT FROM mine m WHERE m.lane = w.lane AND m.transfer_id > w.from_id AND m.transfer_id <= w.through_id)
 GROUP BY 1 ORDER BY 1"""
_BY_COMPANY = """
SELECT c.company, sum(l.transaction_count), sum(l.transaction_count - l.zero_count),
       sum(CASE WHEN l.credit_kind = 1 THEN l.amount_fen ELSE -l.amount_fen END)
  FROM city.replay_company c
  JOIN settlement_clearingline l USING (merchant_id)
 WHERE l.run_id = ANY(%s)
 GROUP BY 1"""
_REFUSED = "SELECT coalesce(code, -1), count(*) FROM mine WHERE code IS DISTINCT FROM 0 GROUP BY 1 ORDER BY 1"
_DISTINCT = "SELECT count(DISTINCT card_no), count(DISTINCT terminal_id) FROM mine WHERE code = 0"


@dataclass(frozen=True, slots=True)
class Sum:
    """Taps, taps with a charge, and their money."""

    rows: int = 0
    charged_rows: int = 0
    amount_fen: int = 0


@dataclass(slots=True)
class Report:
    """What the platform has of one file."""

    by_operator: dict[str, Sum]
    by_type: dict[str, Sum]
    cards: int
    terminals: int
    runs: list[int]
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Sum:
        """The sum over the companies, which is the clearing's."""
        sums = self.by_operator.values()
        return Sum(sum(s.rows for s in sums), sum(s.charged_rows for s in sums), sum(s.amount_fen for s in sums))


def read_report(connection: Connection, file_id: int) -> Report:
    """Ask the platform; the connection is the owner's, and no transaction may be open on it."""
    with connection.transaction():
        connection.execute(_MINE, (file_id,))
        connection.execute("ANALYZE mine")
        by_type = {kind: Sum(*map(int, sums)) for kind, *sums in connection.execute(_BY_TYPE).fetchall()}
        runs = [int(row[0]) for row in connection.execute(_RUNS).fetchall()]
        by_operator = {name: Sum(*map(int, sums)) for name, *sums in connection.execute(_BY_COMPANY, (runs,)).fetchall()}
        refused = {_reason(int(code)): int(count) for code, count in connection.execute(_REFUSED).fetchall()}
        row = connection.execute(_DISTINCT).fetchone()
        assert row is not None
    return Report(by_operator, by_type, int(row[0]), int(row[1]), runs, refused)


def inner_differences(report: Report) -> list[str]:
    """Where the clearing and the journal do not agree with each other."""
    journal = Sum(*(sum(getattr(s, name) for s in report.by_type.values()) for name in ("rows", "charged_rows", "amount_fen")))
    if journal == report.total:
        return []
    return [f"清分与流水不符 clearing {report.total} differs from journal {journal}"]


def completeness(report: Report, rows: int) -> list[str]:
    """Whether every row that could be sent was posted."""
    posted = report.total.rows
    return [] if posted == rows else [f"上送 {rows} 行，入账 {posted} 行 of {rows} rows {posted} were posted"]


def differences(report: Report, expected: dict[str, Any]) -> list[str]:
    """Each figure that differs from the given totals, as a line for people; empty when all agree."""
    total = report.total
    found = {"rows": total.rows, "cards": report.cards, "terminals": report.terminals, "amount_fen": total.amount_fen}
    lines = [_line(key, expected[key], value) for key, value in found.items() if key in expected and expected[key] != value]
    for group, sums in (("by_operator", report.by_operator), ("by_type", report.by_type)):
        given = expected.get(group)
        if given is None:
            continue
        for name in sorted({*given, *sums}):
            have, want = sums.get(name, Sum()), given.get(name, {})
            pairs = ((key, want.get(key, 0), getattr(have, key)) for key in ("rows", "amount_fen", "charged_rows"))
            lines += [_line(f"{group}.{name}.{key}", should, is_) for key, should, is_ in pairs if should != is_]
    return lines


def read_expected(path: Path) -> dict[str, Any]:
    """The given totals. Raises InvalidInput when the file is not a JSON object with at least one figure we know."""
    try:
        given = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"无法读取 {path}：{error}", f"cannot read {path}: {error}") from error
    known = {"rows", "cards", "terminals", "amount_fen", "by_operator", "by_type"}
    if not isinstance(given, dict) or not known & given.keys():
        raise InvalidInput(f"{path} 中没有可比较的合计", f"{path} holds no totals to compare with")
    return given


def _line(what: str, expected: object, found: object) -> str:
    return f"{what}: 应为 expected {expected}，实为 found {found}"


def _reason(code: int) -> str:
    return "未入账 not posted" if code < 0 else f"{code} {Result(code).name}"
