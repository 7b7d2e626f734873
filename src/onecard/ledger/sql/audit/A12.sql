-- 撤销、退货、冲正之和不超过原交易 / what was given back of a transfer is never more than it was
WITH undone AS (
    SELECT x.lane, x.orig_id, sum(x.amount_fen - coalesce((SELECT sum(y.amount_fen) FROM ledger.transfer y
                                                            WHERE y.orig_id = x.id AND y.lane + 0 = x.lane AND y.id > x.id), 0)) AS fen
      FROM ledger.transfer x WHERE x.orig_id IS NOT NULL AND x.kind IN (5, 6, 7, 8, 9, 10, 15)
     GROUP BY x.lane, x.orig_id
)
SELECT format('transfer %%s/%%s', u.lane, u.orig_id) AS place, format('at most %%s given back', t.amount_fen) AS expected, u.fen::text AS found
  FROM undone u LEFT JOIN ledger.transfer t ON t.lane = u.lane AND t.id = u.orig_id
 WHERE t.id IS NULL OR u.fen > t.amount_fen OR u.fen < 0
 ORDER BY u.lane, u.orig_id
 LIMIT 1
