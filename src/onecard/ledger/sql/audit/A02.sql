-- 借贷相等：每笔一借一贷，全部账户之和为零 / debits equal credits: one of each in every transfer, and all balances add up to nothing
(SELECT format('transfer %%s/%%s', t.lane, t.id) AS place, 'one debit, one credit, at most one purse' AS expected,
        format('%%s -> %%s, %%s fen', t.debit, t.credit, t.amount_fen) AS found
   FROM ledger.audit_span(%(full)s) s JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
  WHERE t.debit = t.credit OR t.amount_fen < 0 OR t.debit >= 1000000000000 AND t.credit >= 1000000000000
     OR (t.balance_after IS NULL) <> (t.debit < 1000000000000 AND t.credit < 1000000000000)
  ORDER BY t.lane, t.id LIMIT 1)
UNION ALL
(SELECT 'all purses, chips and book accounts', '0', (purses + chips + books)::text
   FROM (SELECT (SELECT coalesce(sum(balance_fen), 0) FROM ledger.purse) AS purses,
                (SELECT coalesce(sum(balance_fen), 0) FROM ledger.chip_purse) AS chips,
                (SELECT coalesce(sum(balance_fen), 0) FROM ledger.checkpoint)
                + (SELECT coalesce(sum(m.fen), 0)
                     FROM ledger.lane l LEFT JOIN ledger.checkpoint_run r ON r.lane = l.lane
                     JOIN ledger.transfer t ON t.lane = l.lane AND t.id > coalesce(r.through_id, 0)
                    CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) m(account, fen)
                    WHERE m.account < 1000000000000) AS books) q
  WHERE purses + chips + books <> 0)
LIMIT 1
