-- Payments that were held before the desk had two people learn on what terms they would be posted, from the directory as it is.
DROP TRIGGER keep_held ON paycodes_heldpayment;
UPDATE paycodes_heldpayment SET state = 'noted' WHERE settled_at IS NOT NULL;
UPDATE paycodes_heldpayment h SET operator_id = c.operator_id FROM ledger.card c WHERE c.card_no = h.card_no;
UPDATE paycodes_heldpayment h
   SET business_date = (h.occurred_at AT TIME ZONE 'Asia/Shanghai')::date,
       unit_id = CASE WHEN m.public THEN 0 ELSE coalesce(u.id, 0) END,
       purse_order = CASE WHEN m.public THEN 1 WHEN o.settlement_mode = 'independent' THEN 2 ELSE coalesce(m.purse_order, u.purse_order) END
  FROM devices_terminal t
  JOIN operators_merchant m ON m.id = t.merchant_id
  JOIN operators_operator o ON o.id = m.operator_id
  LEFT JOIN operators_unit u ON u.id = m.unit_id
 WHERE t.id = h.terminal_id;
