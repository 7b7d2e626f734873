-- 清分合计等于流水合计 / what was cleared is what the journal holds in the windows
SELECT 'lane ' || w.lane, j.n || ' / ' || j.fen, coalesce(l.n, 0) || ' / ' || coalesce(l.fen, 0)
  FROM settlement_settlementwindow w
 CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(sum(t.amount_fen), 0) AS fen FROM ledger.transfer t
                      WHERE t.lane = w.lane AND t.id > w.from_id AND t.id <= w.through_id) j
  LEFT JOIN (SELECT lane, sum(transfer_count) AS n, sum(amount_fen) AS fen
               FROM settlement_clearingline WHERE run_id = %(run)s GROUP BY lane) l ON l.lane = w.lane
 WHERE w.run_id = %(run)s AND w.through_id > w.from_id AND (j.n, j.fen) IS DISTINCT FROM (coalesce(l.n, 0), coalesce(l.fen, 0))
 ORDER BY w.lane LIMIT 1
