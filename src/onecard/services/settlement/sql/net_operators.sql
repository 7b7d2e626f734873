-- What operators owe one another, gross, each way a line of its own: the issuer owes the acquirer what its holders spent there,
-- and every acquirer owes the root the platform's part of the fees.
DELETE FROM settlement_nettingline WHERE run_id = %(run)s;

INSERT INTO settlement_nettingline (run_id, debtor_id, creditor_id, basis, transaction_count, amount_fen)
SELECT %(run)s, issuer_operator, operator_id, 'purchases', sum(transaction_count), sum(signed_fen)
  FROM settlement_merchant_line
 WHERE run_id = %(run)s AND issuer_operator <> operator_id AND NOT kept
 GROUP BY issuer_operator, operator_id;

INSERT INTO settlement_nettingline (run_id, debtor_id, creditor_id, basis, transaction_count, amount_fen)
SELECT %(run)s, s.operator_id, o.party_id, 'fees', 0, sum(s.root_fee_fen)
  FROM settlement_merchantsettlement s
  JOIN settlement_party o ON o.run_id = s.run_id AND o.level = 4 AND o.root
 WHERE s.run_id = %(run)s AND s.operator_id <> o.party_id
 GROUP BY s.operator_id, o.party_id
HAVING sum(s.root_fee_fen) <> 0;
