-- 没有钱包低于其下限 / no purse is below its floor
SELECT format('purse %%s/%%s', account_no, unit_id) AS place, format('>= %%s', floor_fen) AS expected, balance_fen::text AS found
  FROM ledger.purse WHERE balance_fen < floor_fen ORDER BY account_no, unit_id LIMIT 1
