-- 检查点正确：等于其截止流水之前的流水之和 / checkpoints are right: each is the sum of the transfers up to it
-- full only
SELECT format('checkpoint %%s in lane %%s', coalesce(c.account_id, s.account), coalesce(c.lane, s.lane)) AS place,
       coalesce(s.fen, 0)::text AS expected, coalesce(c.balance_fen::text, 'no checkpoint') AS found
  FROM ledger.checkpoint c
  FULL JOIN (SELECT t.lane, m.account, sum(m.fen)::bigint AS fen, max(t.id) AS last_id
               FROM ledger.checkpoint_run r JOIN ledger.transfer t ON t.lane = r.lane AND t.id <= r.through_id
              CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) m(account, fen)
              WHERE m.account < 1000000000000
              GROUP BY t.lane, m.account) s ON s.account = c.account_id AND s.lane = c.lane
 WHERE c.balance_fen IS DISTINCT FROM coalesce(s.fen, 0) OR s.last_id > c.through_id
 ORDER BY coalesce(c.account_id, s.account), coalesce(c.lane, s.lane)
 LIMIT 1
