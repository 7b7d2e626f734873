-- 各级合计一致 / the sheets of every level have one total: terminal, merchant, unit, operator, platform
SELECT 'level ' || v.level, r.gross_fen || ' / ' || r.transaction_count, coalesce(l.gross_fen, 0) || ' / ' || coalesce(l.n, 0)
  FROM (VALUES (1), (2), (3), (4), (5)) v (level)
 CROSS JOIN (SELECT gross_fen, transaction_count FROM settlement_sheetrow
              WHERE run_id = %(run)s AND level = 5 AND business_date IS NULL) r
 CROSS JOIN (VALUES (true), (false)) d (by_date)
  LEFT JOIN (SELECT level, business_date IS NOT NULL AS by_date, sum(gross_fen) AS gross_fen, sum(transaction_count) AS n
               FROM settlement_sheetrow WHERE run_id = %(run)s GROUP BY 1, 2) l ON l.level = v.level AND l.by_date = d.by_date
 WHERE (coalesce(l.gross_fen, 0), coalesce(l.n, 0)) <> (r.gross_fen, r.transaction_count)
    OR (SELECT gross_fen FROM settlement_settlementrun WHERE id = %(run)s) <> r.gross_fen
 ORDER BY v.level LIMIT 1
