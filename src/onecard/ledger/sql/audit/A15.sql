-- 芯片钱包属于其卡的账户；圈存在途科目为零 / a chip purse is of its card's account, and nothing is left on the transit books of loads
(SELECT format('chip %%s', p.card_no) AS place, coalesce(format('account %%s', c.account_no), 'a card') AS expected,
        format('account %%s', p.account_no) AS found
   FROM ledger.chip_purse p LEFT JOIN ledger.card c ON c.card_no = p.card_no
  WHERE c.account_no IS DISTINCT FROM p.account_no
  ORDER BY 1 LIMIT 1)
UNION ALL
(SELECT format('transfer %%s/%%s', t.lane, t.id), 'a merchant is paid, or the legs of a load', format('%%s -> %%s, kind %%s', t.debit, t.credit, t.kind)
   FROM ledger.audit_span(%(full)s) s JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
  WHERE (t.kind = 13) <> (t.debit BETWEEN 1000000000000000 AND 9999999999999999 AND t.credit BETWEEN 100000000 AND 199999999)
     OR t.kind = 13 AND t.debit <> t.card_no
  ORDER BY t.lane, t.id LIMIT 1)
UNION ALL
(SELECT format('transfer %%s/%%s', q.lane, q.first_id), 'as much out of the transit book as into it', format('%%s fen are left', q.fen)
   FROM (SELECT t.lane, coalesce(t.link_id, t.id) AS first_id,
                sum(CASE WHEN t.credit / 100000000 = 13 THEN t.amount_fen ELSE 0 END
                    - CASE WHEN t.debit / 100000000 = 13 THEN t.amount_fen ELSE 0 END) AS fen
           FROM ledger.audit_span(%(full)s) s JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
          WHERE t.kind IN (14, 15, 16) GROUP BY 1, 2) q
  WHERE q.fen <> 0
  ORDER BY q.lane, q.first_id LIMIT 1)
LIMIT 1
