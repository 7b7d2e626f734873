-- 卡、账户、钱包相互一致 / cards, accounts and purses agree with one another
(SELECT format('card %%s', c.card_no) AS place, coalesce(format('account %%s: operator %%s, type %%s, status %%s', c.account_no, a.operator_id, a.card_type_id, a.status),
        'an account') AS expected, format('operator %%s, type %%s, status %%s', c.operator_id, c.card_type_id, c.account_status) AS found
   FROM ledger.card c LEFT JOIN ledger.account a ON a.account_no = c.account_no
  WHERE (a.operator_id, a.card_type_id, a.status) IS DISTINCT FROM (c.operator_id, c.card_type_id, c.account_status)
  ORDER BY 1 LIMIT 1)
UNION ALL
(SELECT format('purse %%s/%%s', p.account_no, p.unit_id), 'an account', 'none'
   FROM ledger.purse p LEFT JOIN ledger.account a ON a.account_no = p.account_no WHERE a.account_no IS NULL
  ORDER BY 1 LIMIT 1)
LIMIT 1
