-- 商户清分额等于其账户发生额 / a merchant's cleared total is the movement of its book account
SELECT 'merchant ' || coalesce(j.merchant_id, s.merchant_id), coalesce(j.fen, 0), coalesce(s.gross_fen, 0)
  FROM (SELECT mod(m.account, 100000000) AS merchant_id, sum(m.fen)::bigint AS fen
          FROM settlement_settlementwindow w
         CROSS JOIN LATERAL (SELECT v.account, sum(v.fen) AS fen
                               FROM ledger.transfer t
                              CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) v (account, fen)
                              WHERE t.lane = w.lane AND t.id > w.from_id AND t.id <= w.through_id AND t.kind < 20
                                AND v.account BETWEEN 100000000 AND 199999999
                              GROUP BY v.account) m
         WHERE w.run_id = %(run)s AND w.through_id > w.from_id
         GROUP BY 1) j
  FULL JOIN (SELECT merchant_id, gross_fen FROM settlement_merchantsettlement WHERE run_id = %(run)s) s USING (merchant_id)
 WHERE coalesce(j.fen, 0) <> coalesce(s.gross_fen, 0)
 ORDER BY 1 LIMIT 1
