-- The legs of a batch beyond the first (P2 split, debts), set-based. Called by post_batch only, under the lane lock.

CREATE OR REPLACE FUNCTION ledger.post_extra_legs(p_lane smallint, p_batch bigint, p_rows ledger.extra_legs[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The rest from the second purse: its leg, then its balance. The first purse's leg is posted already.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, balance_after, prev_id, terminal_id, terminal_seq, card_no, account_no,
                                 link_id, batch_no, occurred_at, business_date, issuer_operator, lane, kind)
    SELECT r.id + 1, r.account_no * 100000 + r.second_unit, r.merchant, r.second_fen, p.balance_fen - r.second_fen, p.last_transfer_id,
           r.terminal_id, r.terminal_seq, r.card_no, r.account_no, r.id, p_batch, r.occurred_at, r.business_date, r.operator_id, p_lane, r.op
      FROM unnest(p_rows) r JOIN ledger.purse p ON p.account_no = r.account_no AND p.unit_id = r.second_unit
     WHERE r.second_fen > 0;
    UPDATE ledger.purse p
       SET balance_fen = p.balance_fen - r.second_fen, seq = p.seq + 1, last_transfer_id = r.id + 1,
           day = greatest(p.day, r.business_date),
           day_spent_fen = CASE WHEN r.op = 2 AND p.day > r.business_date THEN p.day_spent_fen
                                WHEN p.day >= r.business_date THEN p.day_spent_fen + r.second_fen ELSE r.second_fen END,
           meal = CASE WHEN r.op = 2 AND p.day > r.business_date THEN p.meal WHEN r.meal > 0 THEN r.meal
                       WHEN p.day >= r.business_date THEN p.meal ELSE 0 END,
           meal_spent_fen = CASE WHEN r.op = 2 AND p.day > r.business_date THEN p.meal_spent_fen
                                 WHEN r.meal > 0 AND p.day >= r.business_date AND p.meal = r.meal THEN p.meal_spent_fen + r.second_fen
                                 WHEN r.meal > 0 THEN r.second_fen
                                 WHEN p.day >= r.business_date THEN p.meal_spent_fen ELSE 0 END
      FROM unnest(p_rows) r
     WHERE r.second_fen > 0 AND p.account_no = r.account_no AND p.unit_id = r.second_unit;

    -- What no purse of the account covers is owed: the operator's debt book pays the merchant, the account owes the operator.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, terminal_id, terminal_seq, card_no, account_no, link_id, batch_no,
                                 occurred_at, business_date, issuer_operator, lane, kind)
    SELECT r.id + r.has_first::int + (r.second_fen > 0)::int, 600000000 + r.operator_id, r.merchant, r.debt_fen, r.terminal_id,
           r.terminal_seq, r.card_no, r.account_no, CASE WHEN r.has_first THEN r.id END, p_batch, r.occurred_at, r.business_date,
           r.operator_id, p_lane, 10
      FROM unnest(p_rows) r WHERE r.op = 2 AND (r.debt_fen > 0 OR NOT r.has_first);

    -- A top-up repays first: funding to the debt book.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, terminal_id, terminal_seq, card_no, account_no, link_id, batch_no,
                                 occurred_at, business_date, issuer_operator, lane, kind)
    SELECT r.id + r.has_first::int, r.merchant, 600000000 + r.operator_id, r.repaid_fen, r.terminal_id, r.terminal_seq, r.card_no,
           r.account_no, CASE WHEN r.has_first THEN r.id END, p_batch, r.occurred_at, r.business_date, r.operator_id, p_lane, 11
      FROM unnest(p_rows) r WHERE r.repaid_fen > 0;

    PERFORM ledger.change_debt(r.account_no, r.debt_fen - r.repaid_fen) FROM unnest(p_rows) r WHERE r.debt_fen <> r.repaid_fen;
END $$;

-- Changes what an account owes by p_delta and keeps the deny list in step: denied while anything is owed, and no longer.
CREATE OR REPLACE FUNCTION ledger.change_debt(p_account bigint, p_delta bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_debt bigint;
BEGIN
    UPDATE ledger.account SET debt_fen = debt_fen + p_delta WHERE account_no = p_account RETURNING debt_fen INTO STRICT v_debt;
    IF p_delta > 0 THEN
        UPDATE ledger.card SET denied = true WHERE account_no = p_account AND NOT denied;
        INSERT INTO ledger.deny_list (card_no, reason) SELECT card_no, 1 FROM ledger.card WHERE account_no = p_account ORDER BY card_no
            ON CONFLICT DO NOTHING;
    ELSIF v_debt = 0 THEN
        DELETE FROM ledger.deny_list d USING ledger.card c WHERE c.account_no = p_account AND d.card_no = c.card_no AND d.reason = 1;
        UPDATE ledger.card SET denied = false WHERE account_no = p_account AND denied;
    END IF;
END $$;
