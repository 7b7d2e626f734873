-- 每个钱包的流水逐笔相连，余额逐笔相接 / the transfers of a purse form one chain, each balance following from the one before
WITH moves AS (
    SELECT t.lane, t.id, t.prev_id, t.balance_after, greatest(t.debit, t.credit) AS purse,
           CASE WHEN t.credit > t.debit THEN t.amount_fen ELSE -t.amount_fen END AS fen
      FROM ledger.audit_span(%(full)s) s JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
     WHERE t.balance_after IS NOT NULL
)
(SELECT format('transfer %%s/%%s', m.lane, m.id) AS place,
        format('balance %%s after %%s', coalesce(b.balance_after, 0) + m.fen, coalesce(m.prev_id::text, 'nothing')) AS expected,
        CASE WHEN m.prev_id IS NOT NULL AND b.id IS NULL THEN 'the transfer before is missing' ELSE format('balance %%s', m.balance_after) END AS found
   FROM moves m LEFT JOIN ledger.transfer b ON b.lane = m.lane AND b.id = m.prev_id AND greatest(b.debit, b.credit) = m.purse AND b.id < m.id
  WHERE m.prev_id IS NOT NULL AND b.id IS NULL OR m.balance_after <> coalesce(b.balance_after, 0) + m.fen
  ORDER BY m.lane, m.id LIMIT 1)
UNION ALL
(SELECT format('purse %%s/%%s', p.account_no, p.unit_id), format('balance %%s at transfer %%s', t.balance_after, p.last_transfer_id),
        format('balance %%s', p.balance_fen)
   FROM ledger.purse p
   LEFT JOIN ledger.transfer t ON t.lane = p.account_no / 10000000000 %% 100 AND t.id = p.last_transfer_id
                               AND greatest(t.debit, t.credit) = p.account_no * 100000 + p.unit_id
  WHERE p.last_transfer_id > (SELECT min(from_id) FROM ledger.audit_span(%(full)s)) AND t.balance_after IS DISTINCT FROM p.balance_fen
  ORDER BY 1 LIMIT 1)
UNION ALL
(SELECT format('purse %%s/%%s', p.account_no, p.unit_id), format('%%s transfers', p.seq), format('%%s transfers', c.rows)
   FROM (SELECT purse, count(*) AS rows FROM moves WHERE %(full)s GROUP BY purse) c
   JOIN ledger.purse p ON p.account_no = c.purse / 100000 AND p.unit_id = c.purse %% 100000
  WHERE p.seq <> c.rows
  ORDER BY 1 LIMIT 1)
LIMIT 1
