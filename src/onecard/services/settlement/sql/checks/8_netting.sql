-- 轧差净额与记账一致，合计为零 / an operator's net position is what was posted on its netting account; all together are zero
SELECT 'operator ' || coalesce(n.operator_id::text, 'all'), n.fen, coalesce(p.fen, 0)
  FROM (SELECT v.operator_id, sum(v.fen) AS fen
          FROM settlement_nettingline l
         CROSS JOIN LATERAL (VALUES (l.creditor_id, l.amount_fen), (l.debtor_id, -l.amount_fen)) v (operator_id, fen)
         WHERE l.run_id = %(run)s GROUP BY GROUPING SETS ((v.operator_id), ())) n
  LEFT JOIN (SELECT v.account, sum(v.fen) AS fen
               FROM settlement_posting q
              CROSS JOIN LATERAL (VALUES (q.debit, q.amount_fen), (q.credit, -q.amount_fen)) v (account, fen)
              WHERE q.run_id = %(run)s AND q.kind = 23 GROUP BY v.account) p ON p.account = 1100000000 + n.operator_id
 WHERE n.fen <> coalesce(p.fen, 0)
 ORDER BY n.operator_id LIMIT 1
