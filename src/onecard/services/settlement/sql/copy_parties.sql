-- The run's own copy of the directory: every operator, and the merchants and units that have lines. What is there stays: a
-- repeated run must give the same sheets though names or fees have changed since.
INSERT INTO settlement_party (run_id, level, party_id, unit_id, operator_id, code, name, independent, root, fee_per_mille,
                              fee_per_item_fen, share_per_mille)
SELECT %(run)s, 4, o.id, 0, o.id, o.code, o.name, o.settlement_mode = 'independent', o.parent_id IS NULL, 0, 0,
       coalesce(s.per_mille, 500)
  FROM operators_operator o
  LEFT JOIN settlement_feeshare s ON s.operator_id = o.id
ON CONFLICT DO NOTHING;

-- A merchant that is not in the directory is the root's, without a fee: its money is shown and kept, never dropped.
INSERT INTO settlement_party (run_id, level, party_id, unit_id, operator_id, code, name, independent, root, fee_per_mille,
                              fee_per_item_fen, share_per_mille)
SELECT %(run)s, 2, l.merchant_id, coalesce(m.unit_id, 0), o.party_id, '',
       coalesce(m.name, '不在目录 Not in the directory'), o.independent, false,
       coalesce(m.fee_per_mille, 0), coalesce(m.fee_per_item_fen, 0), o.share_per_mille
  FROM (SELECT DISTINCT merchant_id FROM settlement_clearingline WHERE run_id = %(run)s AND merchant_id <> 0) l
  LEFT JOIN operators_merchant m ON m.id = l.merchant_id
  JOIN settlement_party o ON o.run_id = %(run)s AND o.level = 4
   AND (o.party_id = m.operator_id OR m.operator_id IS NULL AND o.root)
ON CONFLICT DO NOTHING;

INSERT INTO settlement_party (run_id, level, party_id, unit_id, operator_id, code, name, independent, root, fee_per_mille,
                              fee_per_item_fen, share_per_mille)
SELECT %(run)s, 3, u.id, u.id, u.operator_id, u.code, u.name, false, false, 0, 0, 0
  FROM operators_unit u
 WHERE u.id IN (SELECT unit_id FROM settlement_party WHERE run_id = %(run)s AND level = 2)
ON CONFLICT DO NOTHING;

UPDATE settlement_settlementrun r
   SET state = 'cleared', cleared_at = coalesce(r.cleared_at, now()), transfer_count = w.transfer_count
  FROM (SELECT coalesce(sum(transfer_count), 0) AS transfer_count FROM settlement_settlementwindow WHERE run_id = %(run)s) w
 WHERE r.id = %(run)s;
