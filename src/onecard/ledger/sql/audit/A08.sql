-- 终端流水号与流水一一对应，金额一致 / keys and transfers stand for one another, with the same amount
WITH records AS (
    SELECT t.lane, coalesce(t.link_id, t.id) AS first_id, min(t.terminal_id) AS terminal_id, min(t.terminal_seq) AS terminal_seq, count(*) AS legs,
           sum(t.amount_fen) AS fen
      FROM ledger.audit_span(%(full)s) s JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
     WHERE t.terminal_id NOT IN (-1, -4) -- openings and expired holds are once by their own rows
     GROUP BY 1, 2
)
(SELECT format('transfer %%s/%%s', r.lane, r.first_id) AS place, format('key %%s/%%s, %%s legs', r.terminal_id, r.terminal_seq, r.legs) AS expected,
        coalesce(format('key of %%s fen, %%s legs', k.amount_fen, k.legs), 'no key') AS found
   FROM records r
   LEFT JOIN ledger.posting_key k ON k.terminal_id = r.terminal_id AND k.terminal_seq = r.terminal_seq AND k.transfer_id = r.first_id
                                  AND k.lane = r.lane AND k.code = 0
  WHERE k.op IS NULL OR k.legs <> r.legs OR k.op IN (1, 2, 3, 4, 8, 13, 20, 21, 22, 23) AND k.amount_fen <> r.fen
     OR k.op IN (14, 15, 16) AND k.amount_fen * 2 <> r.fen -- into the transit book and out of it
  ORDER BY r.lane, r.first_id LIMIT 1)
UNION ALL
(SELECT format('key %%s/%%s phase %%s', k.terminal_id, k.terminal_seq, k.phase), format('transfer %%s/%%s', k.lane, k.transfer_id),
        coalesce(format('transfer of key %%s/%%s', t.terminal_id, t.terminal_seq), 'no transfer')
   FROM ledger.audit_span(%(full)s) s
   JOIN ledger.posting_key k ON k.lane = s.lane AND k.transfer_id > s.from_id
   LEFT JOIN ledger.transfer t ON t.lane = k.lane AND t.id = k.transfer_id
  WHERE %(full)s AND (t.id IS NULL OR t.terminal_id <> k.terminal_id OR t.terminal_seq <> k.terminal_seq)
  ORDER BY k.terminal_id, k.terminal_seq LIMIT 1)
LIMIT 1
