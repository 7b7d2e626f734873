-- 计划与记账逐笔一致 / every planned posting stands in the journal exactly as planned, and no other
WITH k AS MATERIALIZED (
  SELECT terminal_seq, transfer_id FROM ledger.posting_key
   WHERE terminal_id = -2 AND phase = 0
     AND terminal_seq >= %(run)s * 100000000::bigint AND terminal_seq < (%(run)s + 1) * 100000000::bigint
), t AS MATERIALIZED (
  SELECT id, kind, debit, credit, amount_fen FROM ledger.transfer
   WHERE lane = 99 AND id BETWEEN (SELECT min(transfer_id) FROM k) AND (SELECT max(transfer_id) FROM k)
)
SELECT 'line ' || coalesce(p.line_no::text, '+' || k.terminal_seq),
       coalesce(p.debit || '>' || p.credit || ' ' || p.amount_fen, '-'), coalesce(t.debit || '>' || t.credit || ' ' || t.amount_fen, '-')
  FROM (SELECT * FROM settlement_posting WHERE run_id = %(run)s) p
  FULL JOIN k ON k.terminal_seq = %(run)s * 100000000::bigint + p.line_no
  LEFT JOIN t ON t.id = k.transfer_id
 WHERE (p.kind, p.debit, p.credit, p.amount_fen) IS DISTINCT FROM (t.kind, t.debit, t.credit, t.amount_fen)
 ORDER BY p.line_no LIMIT 1
