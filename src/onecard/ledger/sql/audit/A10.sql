-- 未结束的预授权等于预授权科目余额 / what open holds reserve is what their book accounts hold
WITH books AS (
    SELECT h.id, sum(h.fen)::bigint AS fen
      FROM (SELECT t.credit AS id, t.amount_fen AS fen FROM ledger.transfer t
             WHERE t.credit >= 700000000 AND t.credit < 800000000 AND t.credit < 1000000000000
             UNION ALL
            SELECT t.debit, -t.amount_fen FROM ledger.transfer t
             WHERE t.debit >= 700000000 AND t.debit < 800000000 AND t.debit < 1000000000000) h
     GROUP BY h.id
)
SELECT format('book account %%s', coalesce(b.id, o.id)) AS place, coalesce(o.fen, 0)::text AS expected, coalesce(b.fen, 0)::text AS found
  FROM books b
  FULL JOIN (SELECT 700000000 + operator_id::bigint AS id, sum(amount_fen)::bigint AS fen FROM ledger.hold WHERE state = 1 GROUP BY operator_id) o
         ON o.id = b.id
 WHERE coalesce(o.fen, 0) <> coalesce(b.fen, 0)
 ORDER BY 1
 LIMIT 1
