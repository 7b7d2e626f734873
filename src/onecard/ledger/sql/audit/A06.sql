-- 每笔流水都在某一批之内 / every transfer lies within a batch of its lane
SELECT format('transfer %%s/%%s', t.lane, t.id) AS place, format('within batch %%s', t.batch_no) AS expected,
       coalesce(format('batch %%s is %%s to %%s', b.batch_no, b.first_id, b.last_id), 'no such batch') AS found
  FROM ledger.audit_span(%(full)s) s
  JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
  LEFT JOIN ledger.posting_batch b ON b.lane = t.lane AND b.batch_no = t.batch_no
 WHERE b.batch_no IS NULL OR t.id NOT BETWEEN b.first_id AND b.last_id
 ORDER BY t.lane, t.id
 LIMIT 1
