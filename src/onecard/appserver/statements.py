"""The application server's own reading statements: enquiries, a terminal's totals. What changes money is the ledger's alone."""

from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from onecard.appserver.calls import BUSINESS_DATE, CARD, COLUMNS, PRECHECK, PURSE_ORDER, UNIT, Row, RowAnswers
from onecard.appserver.worker import Connection, Execute
from onecard.kernel.codes import Operation, Result
from onecard.ledger.posting import PostingColumns, post

BATCH_SPAN = 1_000_000
"""An ISO 8583 terminal's sequence is its settlement batch times this, plus the STAN."""

# One look for all: the purse or purses that the merchant may take from (P2), refusals in the ledger's order of precedence.
_ENQUIRE = f"""
SELECT CASE WHEN i.precheck > 0 THEN i.precheck
            WHEN a.account_no IS NULL THEN {int(Result.UNKNOWN_CARD)}
            WHEN c.status IN (0, 5) THEN {int(Result.CARD_NOT_ACTIVE)}
            WHEN c.status = 2 THEN {int(Result.CARD_LOST)}
            WHEN c.status = 3 OR a.status = 2 THEN {int(Result.CARD_FROZEN)}
            WHEN c.status = 4 OR c.valid_until < date '2000-01-01' + i.day::int THEN {int(Result.CARD_EXPIRED)}
            WHEN a.status = 3 THEN {int(Result.ACCOUNT_CLOSED)}
            WHEN u.account_no IS NULL AND v.account_no IS NULL THEN {int(Result.PURSE_NOT_ALLOWED)}
            ELSE 0 END AS code,
       coalesce(u.balance_fen, 0) + coalesce(v.balance_fen, 0) AS balance
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
       WITH ORDINALITY AS i(card, unit, purse_order, precheck, day, place)
  LEFT JOIN ledger.card c ON c.card_no = i.card
  LEFT JOIN ledger.account a ON a.account_no = c.account_no
  LEFT JOIN ledger.issuer s ON s.operator_id = a.operator_id
  LEFT JOIN ledger.purse u ON u.account_no = a.account_no AND u.unit_id = 0 AND i.purse_order <> 2 AND s.unified
  LEFT JOIN ledger.purse v ON v.account_no = a.account_no AND v.unit_id = i.unit AND i.unit > 0 AND i.purse_order <> 1
 ORDER BY i.place
"""  # noqa: S608 - the only values put in are our own result codes

# Debits are sales, on line and off line: a terminal uploads what it sold off line before it settles the batch it sold it in.
_DEBIT = f"op IN ({int(Operation.PURCHASE)}, {int(Operation.ADVICE)})"
_TOTALS = f"""
SELECT coalesce(sum(amount_fen) FILTER (WHERE {_DEBIT}), 0)::bigint,
       count(*) FILTER (WHERE {_DEBIT}),
       coalesce(sum(amount_fen) FILTER (WHERE NOT {_DEBIT}), 0)::bigint,
       count(*) FILTER (WHERE NOT {_DEBIT})
  FROM ledger.posting_key
 WHERE terminal_id = %s AND terminal_seq >= %s AND terminal_seq < %s AND phase = 0 AND code = 0 AND state = 0
   AND ({_DEBIT} OR op IN ({int(Operation.VOID)}, {int(Operation.REFUND)}))
"""  # noqa: S608


def posting_of(lane: int) -> Execute:
    """What a lane's worker does with a batch: one call of the posting function."""

    async def execute(connection: Connection, rows: Sequence[Row]) -> RowAnswers:
        answers = await post(connection, lane, PostingColumns(*map(list, islice(zip(*rows, strict=True), COLUMNS))))
        return RowAnswers(answers.code, answers.balance, answers.transfer, answers.field)

    return execute


async def enquire(connection: Connection, rows: Sequence[Row]) -> RowAnswers:
    """Answers a batch of balance enquiries by one statement."""
    columns = tuple([row[place] for row in rows] for place in (CARD, UNIT, PURSE_ORDER, PRECHECK, BUSINESS_DATE))
    cursor = await connection.execute(_ENQUIRE, columns)
    found = await cursor.fetchall()
    codes = [code for code, _ in found]
    balances = [balance if code == 0 else 0 for code, balance in found]
    nothing = [0] * len(rows)
    return RowAnswers(codes, balances, nothing, nothing)


def totals_of(connect: Callable[[], Awaitable[Connection]]) -> Callable[[int, int], Awaitable[tuple[int, int, int, int]]]:
    """Looks up what stands approved under the keys of one settlement batch of a terminal."""

    async def totals(terminal_id: int, batch_no: int) -> tuple[int, int, int, int]:
        first = batch_no * BATCH_SPAN
        async with await connect() as connection:
            cursor = await connection.execute(_TOTALS, (terminal_id, first, first + BATCH_SPAN))
            row = await cursor.fetchone()
        assert row is not None
        return row[0], row[1], row[2], row[3]

    return totals
