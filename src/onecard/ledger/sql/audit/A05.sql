-- 哈希链未断：逐批重算 / the hash chain is unbroken: every batch computed again
WITH span AS MATERIALIZED (SELECT * FROM ledger.audit_span(%(full)s)),
batches AS (
    SELECT b.*, lag(b.hash, 1, CASE WHEN b.batch_no = 1 THEN sha256(int2send(b.lane))
                                    ELSE (SELECT q.hash FROM ledger.posting_batch q WHERE q.lane = b.lane AND q.batch_no = b.batch_no - 1) END)
               OVER (PARTITION BY b.lane ORDER BY b.batch_no) AS before,
           lag(b.batch_no, 1, s.from_batch) OVER (PARTITION BY b.lane ORDER BY b.batch_no) AS batch_before,
           lag(b.last_id, 1, s.from_id) OVER (PARTITION BY b.lane ORDER BY b.batch_no) AS id_before
      FROM span s JOIN ledger.posting_batch b ON b.lane = s.lane AND b.batch_no > s.from_batch
), checked AS (
    SELECT b.lane, b.batch_no, b.hash, b.row_count, b.first_id, b.last_id, b.batch_before, b.id_before, r.rows,
           sha256(b.before || int8send(b.batch_no) || coalesce(r.bytes, '')) AS again
      FROM batches b
     CROSS JOIN LATERAL (SELECT count(*) AS rows,
                                string_agg(record_send(ROW(t.id, t.debit, t.credit, t.amount_fen, t.balance_after, t.prev_id, t.terminal_id,
                                                           t.terminal_seq, t.card_no, t.account_no, t.link_id, t.orig_id, t.batch_no,
                                                           t.occurred_at, t.business_date, t.issuer_operator, t.lane, t.kind)),
                                           ''::bytea ORDER BY t.id) AS bytes
                           FROM ledger.transfer t WHERE t.lane = b.lane AND t.id BETWEEN b.first_id AND b.last_id AND t.batch_no = b.batch_no) r
)
(SELECT format('batch %%s/%%s (transfers %%s to %%s)', lane, batch_no, first_id, last_id) AS place,
        format('%%s rows, %%s', row_count, encode(hash, 'hex')) AS expected, format('%%s rows, %%s', rows, encode(again, 'hex')) AS found
   FROM checked WHERE again IS DISTINCT FROM hash OR rows <> row_count OR batch_no <> batch_before + 1 OR first_id <= id_before
  ORDER BY lane, batch_no LIMIT 1)
UNION ALL
(SELECT format('lane %%s', l.lane), format('batch %%s %%s', l.last_batch, encode(l.last_hash, 'hex')),
        format('batch %%s %%s', b.batch_no, encode(b.hash, 'hex'))
   FROM ledger.lane l
   LEFT JOIN LATERAL (SELECT q.batch_no, q.hash, q.last_id FROM ledger.posting_batch q WHERE q.lane = l.lane ORDER BY q.batch_no DESC LIMIT 1) b ON true
  WHERE l.last_batch > 0 AND (b.batch_no, b.hash, b.last_id) IS DISTINCT FROM (l.last_batch, l.last_hash, l.last_id)
     OR l.last_batch = 0 AND b.batch_no IS NOT NULL
  ORDER BY l.lane LIMIT 1)
LIMIT 1
