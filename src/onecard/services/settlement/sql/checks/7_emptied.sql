-- 商户账户由本批次结清 / what a run cleared for a merchant, the run's postings take away: nothing is left, nothing too much
SELECT 'merchant ' || s.merchant_id, s.gross_fen, coalesce(p.fen, 0)
  FROM settlement_merchantsettlement s
  LEFT JOIN (SELECT v.account, sum(v.fen) AS fen
               FROM settlement_posting q
              CROSS JOIN LATERAL (VALUES (q.debit, q.amount_fen), (q.credit, -q.amount_fen)) v (account, fen)
              WHERE q.run_id = %(run)s GROUP BY v.account) p ON p.account = 100000000 + s.merchant_id
 WHERE s.run_id = %(run)s AND s.gross_fen <> coalesce(p.fen, 0)
 ORDER BY s.merchant_id LIMIT 1
