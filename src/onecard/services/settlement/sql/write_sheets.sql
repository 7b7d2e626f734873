-- The sheets: terminal rows by the records' own business dates are the base; every level above is a sum of them, and so are
-- the totals (business_date null). Levels: 1 terminal, 2 merchant, 3 unit (0: public merchants), 4 operator, 5 platform.
DELETE FROM settlement_sheetrow WHERE run_id = %(run)s;

WITH base AS MATERIALIZED (
  SELECT terminal_id, merchant_id, unit_id, operator_id, business_date,
         sum(transaction_count) AS n, sum(zero_count) AS zero_n,
         sum(transaction_count) FILTER (WHERE kind IN (1, 5, 13)) AS purchase_n, sum(signed_fen) FILTER (WHERE kind IN (1, 5, 13)) AS purchase,
         sum(transaction_count) FILTER (WHERE kind IN (2, 10)) AS advice_n, sum(signed_fen) FILTER (WHERE kind = 2) AS advice,
         sum(signed_fen) FILTER (WHERE kind = 10) AS debt,
         sum(transaction_count) FILTER (WHERE kind = 7) AS void_n, sum(signed_fen) FILTER (WHERE kind = 7) AS void,
         sum(transaction_count) FILTER (WHERE kind = 8) AS refund_n, sum(signed_fen) FILTER (WHERE kind = 8) AS refund,
         sum(transaction_count) FILTER (WHERE kind = 9) AS reversal_n, sum(signed_fen) FILTER (WHERE kind = 9) AS reversal,
         sum(signed_fen) AS gross
    FROM settlement_merchant_line
   WHERE run_id = %(run)s
   GROUP BY terminal_id, merchant_id, unit_id, operator_id, business_date
), summed AS (
  SELECT CASE WHEN grouping(terminal_id) = 0 THEN 1 WHEN grouping(merchant_id) = 0 THEN 2 WHEN grouping(unit_id) = 0 THEN 3
              WHEN grouping(operator_id) = 0 THEN 4 ELSE 5 END AS level,
         terminal_id, merchant_id, unit_id, operator_id, business_date,
         sum(n) AS n, sum(zero_n) AS zero_n, sum(purchase_n) AS purchase_n, sum(purchase) AS purchase, sum(advice_n) AS advice_n,
         sum(advice) AS advice, sum(debt) AS debt, sum(void_n) AS void_n, sum(void) AS void, sum(refund_n) AS refund_n,
         sum(refund) AS refund, sum(reversal_n) AS reversal_n, sum(reversal) AS reversal, sum(gross) AS gross
    FROM base
   GROUP BY GROUPING SETS ((terminal_id, merchant_id, business_date), (terminal_id, merchant_id),
                           (merchant_id, unit_id, business_date), (merchant_id, unit_id),
                           (unit_id, operator_id, business_date), (unit_id, operator_id),
                           (operator_id, business_date), (operator_id), (business_date), ())
)
INSERT INTO settlement_sheetrow (run_id, level, party_id, parent_id, name, business_date, transaction_count, zero_count,
       purchase_count, purchase_fen, advice_count, advice_fen, debt_fen, void_count, void_fen, refund_count, refund_fen,
       reversal_count, reversal_fen, gross_fen, retained_fen, fee_fen, net_fen, operator_fee_fen, root_fee_fen,
       topup_count, topup_fen, debt_made_fen, debt_repaid_fen, receivable_fen, payable_fen, position_fen)
SELECT %(run)s, s.level,
       CASE s.level WHEN 1 THEN s.terminal_id WHEN 2 THEN s.merchant_id WHEN 3 THEN s.unit_id WHEN 4 THEN s.operator_id ELSE r.party_id END,
       CASE s.level WHEN 1 THEN s.merchant_id WHEN 2 THEN s.unit_id WHEN 3 THEN s.operator_id WHEN 4 THEN r.party_id ELSE 0 END,
       '', s.business_date,
       coalesce(s.n, 0), coalesce(s.zero_n, 0), coalesce(s.purchase_n, 0), coalesce(s.purchase, 0), coalesce(s.advice_n, 0),
       coalesce(s.advice, 0), coalesce(s.debt, 0), coalesce(s.void_n, 0), coalesce(s.void, 0), coalesce(s.refund_n, 0),
       coalesce(s.refund, 0), coalesce(s.reversal_n, 0), coalesce(s.reversal, 0), coalesce(s.gross, 0),
       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  FROM summed s
  JOIN settlement_party r ON r.run_id = %(run)s AND r.level = 4 AND r.root;

-- Operators without a merchant of their own in this run still have holders, top-ups and a net position: a total row for each.
INSERT INTO settlement_sheetrow (run_id, level, party_id, parent_id, name, business_date, transaction_count, zero_count,
       purchase_count, purchase_fen, advice_count, advice_fen, debt_fen, void_count, void_fen, refund_count, refund_fen,
       reversal_count, reversal_fen, gross_fen, retained_fen, fee_fen, net_fen, operator_fee_fen, root_fee_fen,
       topup_count, topup_fen, debt_made_fen, debt_repaid_fen, receivable_fen, payable_fen, position_fen)
SELECT %(run)s, 4, o.party_id, r.party_id, '', NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  FROM settlement_party o
  JOIN settlement_party r ON r.run_id = o.run_id AND r.level = 4 AND r.root
 WHERE o.run_id = %(run)s AND o.level = 4
ON CONFLICT DO NOTHING;

WITH f AS MATERIALIZED (
  SELECT CASE WHEN grouping(merchant_id) = 0 THEN 2 WHEN grouping(unit_id) = 0 THEN 3 WHEN grouping(operator_id) = 0 THEN 4
            ELSE 5 END AS level,
       merchant_id, unit_id, operator_id, coalesce(sum(retained_fen), 0) AS retained, coalesce(sum(fee_fen), 0) AS fee,
       coalesce(sum(net_fen), 0) AS net, coalesce(sum(operator_fee_fen), 0) AS operator_fee,
       coalesce(sum(root_fee_fen), 0) AS root_fee
  FROM settlement_merchantsettlement WHERE run_id = %(run)s
 GROUP BY GROUPING SETS ((merchant_id), (unit_id, operator_id), (operator_id), ())
)
UPDATE settlement_sheetrow s
   SET retained_fen = f.retained, fee_fen = f.fee, net_fen = f.net, operator_fee_fen = f.operator_fee, root_fee_fen = f.root_fee
  FROM f
 WHERE s.run_id = %(run)s AND s.business_date IS NULL AND s.level = f.level
   AND CASE f.level WHEN 2 THEN s.party_id = f.merchant_id
                    WHEN 3 THEN s.party_id = f.unit_id AND s.parent_id = f.operator_id
                    WHEN 4 THEN s.party_id = f.operator_id
                    ELSE true END;

-- The purse side, by issuer: money in and out of the float (5 operator's, 9 unit's), debts made and repaid (6).
WITH f AS MATERIALIZED (
  SELECT CASE WHEN grouping(issuer_operator) = 0 THEN 4 ELSE 5 END AS level, issuer_operator,
       coalesce(sum(transaction_count) FILTER (WHERE kind = 3), 0) AS topups,
       coalesce(sum(CASE WHEN debit_kind IN (5, 9) THEN amount_fen WHEN credit_kind IN (5, 9) THEN -amount_fen END)
                FILTER (WHERE kind NOT IN (14, 15)), 0) AS topup, -- an operator that bears a load (14) has topped up nobody
       coalesce(sum(amount_fen) FILTER (WHERE debit_kind = 6), 0) AS debt_made,
       coalesce(sum(amount_fen) FILTER (WHERE credit_kind = 6), 0) AS debt_repaid
  FROM settlement_clearingline
 WHERE run_id = %(run)s AND (kind < 20 AND kind <> 12 OR kind = 33) -- what is paid out to holders is no longer topped up
 GROUP BY GROUPING SETS ((issuer_operator), ())
)
UPDATE settlement_sheetrow s
   SET topup_count = f.topups, topup_fen = f.topup, debt_made_fen = f.debt_made, debt_repaid_fen = f.debt_repaid
  FROM f
 WHERE s.run_id = %(run)s AND s.business_date IS NULL AND s.level = f.level AND (f.level = 5 OR s.party_id = f.issuer_operator);

WITH n AS MATERIALIZED (
  SELECT CASE WHEN grouping(operator_id) = 0 THEN 4 ELSE 5 END AS level, operator_id,
       coalesce(sum(receivable), 0) AS receivable, coalesce(sum(payable), 0) AS payable
  FROM (SELECT creditor_id AS operator_id, amount_fen AS receivable, 0 AS payable
          FROM settlement_nettingline WHERE run_id = %(run)s
        UNION ALL
        SELECT debtor_id, 0, amount_fen FROM settlement_nettingline WHERE run_id = %(run)s) p
 GROUP BY GROUPING SETS ((operator_id), ())
)
UPDATE settlement_sheetrow s
   SET receivable_fen = n.receivable, payable_fen = n.payable, position_fen = n.receivable - n.payable
  FROM n
 WHERE s.run_id = %(run)s AND s.business_date IS NULL AND s.level = n.level AND (n.level = 5 OR s.party_id = n.operator_id);

UPDATE settlement_sheetrow s SET name = p.name
  FROM settlement_party p
 WHERE s.run_id = %(run)s AND p.run_id = s.run_id AND p.level = least(s.level, 4) AND p.party_id = s.party_id AND s.level >= 2;

UPDATE settlement_sheetrow SET name = '公共商户 Public merchants' WHERE run_id = %(run)s AND level = 3 AND party_id = 0;

UPDATE settlement_sheetrow s SET name = d.tid FROM devices_terminal d WHERE s.run_id = %(run)s AND s.level = 1 AND d.id = s.party_id;
