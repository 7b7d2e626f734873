-- 账户欠款等于欠款科目上的流水，欠款卡在黑名单内 / what an account owes is what the debt books say, and its cards are denied for as long
WITH books AS (
    SELECT b.id, b.account_no, sum(b.fen)::bigint AS fen
      FROM (SELECT t.debit AS id, t.account_no, t.amount_fen AS fen FROM ledger.transfer t
             WHERE t.debit >= 600000000 AND t.debit < 700000000 AND t.debit < 1000000000000
             UNION ALL
            SELECT t.credit, t.account_no, -t.amount_fen FROM ledger.transfer t
             WHERE t.credit >= 600000000 AND t.credit < 700000000 AND t.credit < 1000000000000) b
     WHERE b.account_no IS NOT NULL
     GROUP BY b.id, b.account_no
)
(SELECT format('account %%s', coalesce(a.account_no, b.account_no)) AS place, format('owes %%s', coalesce(b.fen, 0)) AS expected,
        format('owes %%s', a.debt_fen) AS found
   FROM (SELECT * FROM ledger.account WHERE debt_fen > 0) a
   FULL JOIN (SELECT account_no, sum(fen)::bigint AS fen FROM books GROUP BY account_no HAVING sum(fen) <> 0) b ON b.account_no = a.account_no
  WHERE a.debt_fen IS DISTINCT FROM b.fen
  ORDER BY 1 LIMIT 1)
UNION ALL
(SELECT format('card %%s', c.card_no), format('denied: %%s', a.debt_fen > 0), format('denied: %%s, on the list: %%s', c.denied, d.card_no IS NOT NULL)
   FROM ledger.card c
   JOIN ledger.account a ON a.account_no = c.account_no
   LEFT JOIN ledger.deny_list d ON d.card_no = c.card_no AND d.reason = 1
  WHERE (c.denied OR d.card_no IS NOT NULL OR a.debt_fen > 0) AND NOT (c.denied AND d.card_no IS NOT NULL AND a.debt_fen > 0)
  ORDER BY 1 LIMIT 1)
LIMIT 1
