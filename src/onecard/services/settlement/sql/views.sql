-- A cleared line as its merchant sees it: signed, with the merchant's place in the tree, and whether the money stays with the unit.
-- It stays (S2) when it is private-purse money of an independent operator's unit. A leg without a purse (a debt, the commit of a
-- hold) stays when the independent operator's own holder pays there; anybody else's is owed across.
CREATE OR REPLACE VIEW settlement_merchant_line AS
SELECT l.run_id, l.terminal_id, l.merchant_id, m.unit_id, m.operator_id, l.issuer_operator, l.kind, l.business_date,
       l.transaction_count, l.zero_count, l.item_count,
       CASE WHEN l.credit_kind = 1 THEN l.amount_fen ELSE -l.amount_fen END AS signed_fen,
       m.independent AND m.unit_id <> 0
         AND CASE WHEN l.debit_kind = 0 OR l.credit_kind = 0 THEN l.private ELSE l.issuer_operator = m.operator_id END AS kept
  FROM settlement_clearingline l
  JOIN settlement_party m ON m.run_id = l.run_id AND m.level = 2 AND m.party_id = l.merchant_id
 WHERE l.merchant_id <> 0;
