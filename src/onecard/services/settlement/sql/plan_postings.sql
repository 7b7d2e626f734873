-- The book transfers a run makes, in a fixed order: the same lines give the same numbers, and so the same keys, every time.
-- Book accounts: 1 merchant, 2 unit, 4 fee income of an operator, 8 settlement payable of an operator, 11 netting of an operator.
-- An operator's own books (float, debts, purses, payable, fees, netting) are zero together: what it owes another stands as a credit
-- of its netting account, as every debt does, and what it is owed as a debit. A negative amount (refunds above purchases) turns the transfer round.
WITH pair AS (
  SELECT least(debtor_id, creditor_id) AS low, greatest(debtor_id, creditor_id) AS high,
         sum(CASE WHEN debtor_id < creditor_id THEN amount_fen ELSE -amount_fen END)::bigint AS low_owes_fen
    FROM settlement_nettingline WHERE run_id = %(run)s
   GROUP BY 1, 2
), wanted (section, a, b, kind, debit, credit, amount) AS (
  SELECT 1, merchant_id, 0, 21, 100000000 + merchant_id, 800000000 + operator_id, net_fen
    FROM settlement_merchantsettlement WHERE run_id = %(run)s
  UNION ALL
  SELECT 2, merchant_id, 0, 20, 100000000 + merchant_id, 400000000 + operator_id, operator_fee_fen
    FROM settlement_merchantsettlement WHERE run_id = %(run)s
  UNION ALL
  SELECT 3, merchant_id, 0, 20, 100000000 + merchant_id, 400000000 + o.party_id, root_fee_fen
    FROM settlement_merchantsettlement s
    JOIN settlement_party o ON o.run_id = s.run_id AND o.level = 4 AND o.root
   WHERE s.run_id = %(run)s
  UNION ALL
  SELECT 4, merchant_id, 0, 21, 100000000 + merchant_id, 200000000 + unit_id, retained_fen
    FROM settlement_merchantsettlement WHERE run_id = %(run)s
  UNION ALL
  SELECT 5, low, high, 23, 1100000000 + high, 1100000000 + low, low_owes_fen FROM pair
)
SELECT (row_number() OVER (ORDER BY section, a, b))::int AS line_no, kind::smallint AS kind,
       CASE WHEN amount > 0 THEN debit ELSE credit END AS debit,
       CASE WHEN amount > 0 THEN credit ELSE debit END AS credit,
       abs(amount) AS amount_fen
  FROM wanted
 WHERE amount <> 0
