-- Posts a range of the plan. The ledger answers a key it knows with the transfer it made then, so this can be run again; it
-- answers with the first line whose key was used for another transfer, which must never be.
SELECT min(a.line_no)
  FROM (SELECT array_agg(line_no ORDER BY line_no) AS line_nos, array_agg(%(base)s + line_no ORDER BY line_no) AS seqs,
               array_agg(kind::bigint ORDER BY line_no) AS kinds, array_agg(debit ORDER BY line_no) AS debits,
               array_agg(credit ORDER BY line_no) AS credits, array_agg(amount_fen ORDER BY line_no) AS amounts
          FROM settlement_posting
         WHERE run_id = %(run)s AND line_no BETWEEN %(first)s AND %(last)s
        HAVING count(*) > 0) p
 CROSS JOIN LATERAL ledger.post_book(%(terminal)s, p.seqs, p.kinds, p.debits, p.credits, p.amounts, %(business_date)s) b
 CROSS JOIN LATERAL unnest(p.line_nos, b.o_code) a (line_no, code)
 WHERE a.code <> 0
