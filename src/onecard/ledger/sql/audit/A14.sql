-- 每个芯片钱包的余额、笔数、末笔与其流水一致 / every chip purse agrees with its transfers: balance, number and the last of them
-- full only
SELECT format('chip %%s', coalesce(p.card_no, s.card_no)) AS place,
       format('%%s fen, %%s transfers, the last %%s', coalesce(s.fen, 0), coalesce(s.rows, 0), s.last_id) AS expected,
       coalesce(format('%%s fen, %%s transfers, the last %%s', p.balance_fen, p.seq, p.last_transfer_id), 'no chip purse') AS found
  FROM ledger.chip_purse p
  FULL JOIN (SELECT m.card_no, sum(m.fen)::bigint AS fen, count(*) AS rows, max(t.id) AS last_id
               FROM ledger.transfer t
              CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) m(card_no, fen)
              WHERE m.card_no >= 1000000000000 AND m.card_no < 100000000000000000
              GROUP BY m.card_no) s ON s.card_no = p.card_no
 WHERE (p.balance_fen, p.seq, p.last_transfer_id) IS DISTINCT FROM (coalesce(s.fen, 0), coalesce(s.rows, 0), s.last_id)
 ORDER BY coalesce(p.card_no, s.card_no)
 LIMIT 1
