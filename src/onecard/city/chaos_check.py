"""Compares receipts with the journal after a chaos run, record by record, and asks the auditor."""

from pathlib import Path
from typing import Any

import psycopg

from onecard.city.receipts import Receipt, read_receipts

_NET = """
SELECT terminal_id, terminal_seq,
       sum(CASE WHEN credit BETWEEN 100000000 AND 199999999 THEN amount_fen ELSE 0 END)
         - sum(CASE WHEN debit BETWEEN 100000000 AND 199999999 THEN amount_fen ELSE 0 END),
       count(*) FILTER (WHERE kind IN (1, 2) AND (link_id IS NULL OR link_id = id))
  FROM ledger.transfer WHERE terminal_id = ANY(%s) GROUP BY 1, 2"""
_SHOWN = 20


def check_receipts(owner_dsn: str, path: Path) -> list[str]:
    """What is wrong, a line each: money that is not where the receipts say, money without a receipt, the auditor's finding.

    A voided purchase stays paid and its void is given back: two records, each with its own money.
    """
    last: dict[tuple[int, int], Receipt] = {(r.terminal_id, r.terminal_seq): r for r in read_receipts(path)}
    terminals = sorted({terminal for terminal, _ in last})
    with psycopg.connect(owner_dsn) as connection:
        rows = connection.execute(_NET, (terminals,)).fetchall()
        posted = {(int(terminal), int(seq)): (int(net), int(times)) for terminal, seq, net, times in rows}
        problems = _differences(last, posted)
        return problems + _audit(connection)


def _differences(last: dict[tuple[int, int], Receipt], posted: dict[tuple[int, int], tuple[int, int]]) -> list[str]:
    problems = []
    for key in sorted({*last, *posted}):
        receipt, (net, times) = last.get(key), posted.get(key, (0, 0))
        due = _due(receipt)
        if net != due:
            told = receipt.verdict if receipt else "no receipt"
            problems.append(f"terminal {key[0]} sequence {key[1]}: {told}, due {due} fen, in the journal {net} fen")
        if times > 1:
            problems.append(f"terminal {key[0]} sequence {key[1]}: charged {times} times")
    rest = len(problems) - _SHOWN
    return [*problems[:_SHOWN], f"… and {rest} more"] if rest > 0 else problems


def _due(receipt: Receipt | None) -> int:
    if receipt is None or receipt.verdict in ("refused", "reversed"):
        return 0
    return receipt.fen if receipt.verdict == "paid" else -receipt.fen


def _audit(connection: psycopg.Connection[Any]) -> list[str]:
    from onecard.ledger import audit

    report = audit.run(connection, full=True)
    return [] if report.ok else [f"auditor: {report.first_failure}"]
