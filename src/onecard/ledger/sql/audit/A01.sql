-- 每个钱包的余额等于其全部流水之和 / every purse's balance equals the sum of its transfers
-- full only
SELECT format('purse %%s/%%s', coalesce(p.account_no, s.purse / 100000), coalesce(p.unit_id, s.purse %% 100000)) AS place,
       coalesce(s.fen, 0)::text AS expected, coalesce(p.balance_fen::text, 'no purse') AS found
  FROM ledger.purse p
  FULL JOIN (SELECT m.purse, sum(m.fen)::bigint AS fen
               FROM ledger.transfer t
              CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) m(purse, fen)
              WHERE m.purse >= 100000000000000000 -- below it stand books, and the chips of A14
              GROUP BY m.purse) s ON s.purse = p.account_no * 100000 + p.unit_id
 WHERE p.balance_fen IS DISTINCT FROM coalesce(s.fen, 0)
 ORDER BY coalesce(p.account_no, s.purse / 100000), coalesce(p.unit_id, s.purse %% 100000)
 LIMIT 1
