-- Clears one lane window: every transfer in it is counted in exactly one line, whether a merchant is part of it or not.
-- A book account's number is kind * 10^8 + ref; a chip's is its card number, of 16 digits; a purse's is account number * 10^5 + unit,
-- which is never below 10^17. What is in a chip is public money.
-- Kinds from 20 on are settlement's own postings and the desk's (deposits, fees, cash): kept, so that lines and journal agree, but they
-- belong to no merchant.
DELETE FROM settlement_clearingline WHERE run_id = %(run)s AND lane = %(lane)s;

INSERT INTO settlement_clearingline (run_id, lane, terminal_id, merchant_id, issuer_operator, kind, business_date, debit_kind,
                                     credit_kind, private, transfer_count, transaction_count, zero_count, item_count, amount_fen)
SELECT %(run)s, %(lane)s, terminal_id,
       CASE WHEN kind >= 20 THEN 0 WHEN credit_kind = 1 THEN mod(credit, 100000000) WHEN debit_kind = 1 THEN mod(debit, 100000000)
            ELSE 0 END AS merchant,
       issuer_operator, kind, business_date, debit_kind, credit_kind, private,
       count(*),
       count(*) FILTER (WHERE first_leg),
       count(*) FILTER (WHERE first_leg AND amount_fen = 0),
       coalesce(sum(item) FILTER (WHERE first_leg AND amount_fen > 0), 0),
       sum(amount_fen)
  FROM (SELECT t.terminal_id, t.kind, t.business_date, t.debit, t.credit, t.amount_fen,
               coalesce(t.issuer_operator, 0) AS issuer_operator,
               CASE WHEN t.debit < 10000000000 THEN t.debit / 100000000 ELSE 0 END AS debit_kind,
               CASE WHEN t.credit < 10000000000 THEN t.credit / 100000000 ELSE 0 END AS credit_kind,
               t.link_id IS NULL OR t.link_id = t.id AS first_leg,
               CASE WHEN t.debit >= 100000000000000000 THEN mod(t.debit, 100000) <> 0
                    WHEN t.credit >= 100000000000000000 THEN mod(t.credit, 100000) <> 0
                    ELSE false END AS private,
               CASE WHEN t.kind IN (1, 2, 5, 13) OR t.kind = 10 AND t.orig_id IS NULL THEN 1
                    WHEN t.kind = 7 THEN -1
                    WHEN t.kind = 9 AND t.debit BETWEEN 100000000 AND 199999999 THEN -1
                    -- the reversal of a void brings the item back, that of a refund brings none: a refund took none away
                    WHEN t.kind IN (9, 10) THEN CASE (SELECT o.kind FROM ledger.transfer o WHERE o.lane = t.lane AND o.id = t.orig_id)
                                         WHEN 7 THEN 1 ELSE 0 END
                    ELSE 0 END AS item
          FROM ledger.transfer t
         WHERE t.lane = %(lane)s AND t.id > %(from_id)s AND t.id <= %(through_id)s) t
 GROUP BY terminal_id, merchant, issuer_operator, kind, business_date, debit_kind, credit_kind, private;

UPDATE settlement_settlementwindow w
   SET cleared = true, transfer_count = l.transfer_count, amount_fen = l.amount_fen
  FROM (SELECT coalesce(sum(transfer_count), 0) AS transfer_count, coalesce(sum(amount_fen), 0) AS amount_fen
          FROM settlement_clearingline WHERE run_id = %(run)s AND lane = %(lane)s) l
 WHERE w.run_id = %(run)s AND w.lane = %(lane)s;
