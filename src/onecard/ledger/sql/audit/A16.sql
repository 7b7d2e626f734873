-- 各卡押金之和等于押金科目余额 / the deposits held for cards are what the operators' deposit books hold
WITH books AS (
    SELECT d.id, sum(d.fen)::bigint AS fen
      FROM (SELECT t.credit AS id, t.amount_fen AS fen FROM ledger.transfer t
             WHERE t.credit >= 1200000000 AND t.credit < 1300000000 AND t.credit < 1000000000000
             UNION ALL
            SELECT t.debit, -t.amount_fen FROM ledger.transfer t
             WHERE t.debit >= 1200000000 AND t.debit < 1300000000 AND t.debit < 1000000000000) d
     GROUP BY d.id
)
SELECT format('book account %%s', coalesce(b.id, c.id)) AS place, coalesce(c.fen, 0)::text AS expected, coalesce(b.fen, 0)::text AS found
  FROM books b
  FULL JOIN (SELECT 1200000000 + operator_id::bigint AS id, sum(deposit_fen)::bigint AS fen FROM ledger.card_deposit GROUP BY operator_id) c
         ON c.id = b.id
 WHERE coalesce(c.fen, 0) <> coalesce(b.fen, 0)
 ORDER BY 1
 LIMIT 1
