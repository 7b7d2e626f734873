-- Single legs, row by row: what the rare operations (COMMIT, RELEASE, VOID, REFUND, REVERSAL, hold expiry) are made of.

-- Adds a leg to a plan; post_legs gives it the rest. Only kind, sides, amount and what it undoes are known here.
CREATE OR REPLACE FUNCTION ledger.plan_leg(p_kind int, p_debit bigint, p_credit bigint, p_amount bigint, p_orig bigint)
RETURNS ledger.transfer LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(0, p_debit, p_credit, p_amount, NULL, NULL, 0, 0, NULL, NULL, NULL, p_orig, 0, NULL, NULL, NULL, 0, p_kind)::ledger.transfer
$$;

-- Posts planned legs from id p_id on, linked where there are several, moving the purses they name. p_common carries the fields that
-- all legs share. Where p_back_day is given, what comes back to a purse no longer counts to that day's (and meal's) limits.
CREATE OR REPLACE FUNCTION ledger.post_legs(p_legs ledger.transfer[], p_common ledger.transfer, p_id bigint,
                                            p_back_day date DEFAULT NULL, p_back_meal int DEFAULT 0) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_leg ledger.transfer;
    v_purse bigint;
    v_balance bigint; -- of the purse moved last
    v_amount bigint;
    v_count int := coalesce(cardinality(p_legs), 0);
BEGIN
    FOR n IN 1..v_count LOOP
        v_leg := p_legs[n];
        v_leg.id := p_id + n - 1;
        IF v_count > 1 THEN
            v_leg.link_id := p_id;
        END IF;
        v_leg.lane := p_common.lane;
        v_leg.terminal_id := p_common.terminal_id;
        v_leg.terminal_seq := p_common.terminal_seq;
        v_leg.card_no := p_common.card_no;
        v_leg.account_no := p_common.account_no;
        v_leg.batch_no := p_common.batch_no;
        v_leg.occurred_at := p_common.occurred_at;
        v_leg.business_date := p_common.business_date;
        v_leg.issuer_operator := p_common.issuer_operator;
        ASSERT v_leg.debit < 1000000000000 OR v_leg.credit < 1000000000000, 'a transfer touches one purse at most';
        v_purse := CASE WHEN v_leg.debit >= 1000000000000 THEN v_leg.debit WHEN v_leg.credit >= 1000000000000 THEN v_leg.credit END;
        IF v_purse IS NOT NULL THEN
            v_amount := CASE WHEN v_leg.credit = v_purse THEN v_leg.amount_fen ELSE -v_leg.amount_fen END;
            IF v_purse < 100000000000000000 THEN -- a chip purse's number is its card's
                SELECT last_transfer_id INTO STRICT v_leg.prev_id FROM ledger.chip_purse WHERE card_no = v_purse;
                UPDATE ledger.chip_purse SET balance_fen = balance_fen + v_amount, seq = seq + 1, last_transfer_id = v_leg.id
                 WHERE card_no = v_purse
                RETURNING balance_fen INTO STRICT v_balance;
            ELSE
                SELECT last_transfer_id INTO STRICT v_leg.prev_id FROM ledger.purse
                 WHERE account_no = v_purse / 100000 AND unit_id = v_purse % 100000;
                UPDATE ledger.purse
                   SET balance_fen = balance_fen + v_amount, seq = seq + 1, last_transfer_id = v_leg.id,
                       day_spent_fen = CASE WHEN v_amount > 0 AND day = p_back_day THEN greatest(day_spent_fen - v_amount, 0) ELSE day_spent_fen END,
                       meal_spent_fen = CASE WHEN v_amount > 0 AND day = p_back_day AND meal = p_back_meal
                                             THEN greatest(meal_spent_fen - v_amount, 0) ELSE meal_spent_fen END
                 WHERE account_no = v_purse / 100000 AND unit_id = v_purse % 100000
                RETURNING balance_fen INTO STRICT v_balance;
            END IF;
            v_leg.balance_after := v_balance;
        END IF;
        INSERT INTO ledger.transfer SELECT v_leg.*;
    END LOOP;
    RETURN v_balance;
END $$;

-- What of a leg has been given back so far, net of what was itself undone. The bound on id leaves out older partitions; lane + 0 keeps
-- the planner from reading everything after p_id by the primary key instead of the few rows of orig_id.
CREATE OR REPLACE FUNCTION ledger.undone_fen(p_lane smallint, p_id bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(x.amount_fen - coalesce((SELECT sum(y.amount_fen) FROM ledger.transfer y
                                                  WHERE y.orig_id = x.id AND y.lane + 0 = p_lane AND y.id > x.id), 0)), 0)::bigint
      FROM ledger.transfer x WHERE x.orig_id = p_id AND x.lane + 0 = p_lane AND x.id > p_id
$$;

-- The legs that give back p_amount of one leg of an original (kind p_kind), and by how much they change the account's debt.
-- p_planned: the legs of this record planned so far, because one purse may stand in two of them.
-- Money that must come out of a purse (a top-up or refund undone) stops at its floor: the shortfall becomes a debt.
CREATE OR REPLACE FUNCTION ledger.plan_undo(p_leg ledger.transfer, p_kind int, p_amount bigint, p_account bigint, p_operator int,
                                            p_planned ledger.transfer[], OUT o_legs ledger.transfer[], OUT o_debt bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_debt_book bigint := 600000000 + p_operator;
    v_part bigint;
    v_purse bigint;
BEGIN
    o_debt := 0;
    IF p_leg.credit >= 1000000000000 THEN -- money had gone into a purse
        SELECT least(balance_fen - floor_fen - coalesce((SELECT sum(l.amount_fen) FROM unnest(p_planned) l WHERE l.debit = p_leg.credit), 0),
                     p_amount) INTO STRICT v_part FROM ledger.purse
         WHERE account_no = p_leg.credit / 100000 AND unit_id = p_leg.credit % 100000;
        IF v_part > 0 THEN
            o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, p_leg.debit, v_part, p_leg.id);
        END IF;
        IF p_amount > v_part THEN
            o_debt := p_amount - v_part;
            o_legs := o_legs || ledger.plan_leg(10, v_debt_book, p_leg.debit, o_debt, p_leg.id);
        END IF;
    ELSIF p_leg.credit = v_debt_book THEN -- a debt had been repaid: it is owed again
        o_debt := p_amount;
        o_legs := o_legs || ledger.plan_leg(p_kind, v_debt_book, p_leg.debit, p_amount, p_leg.id);
    ELSIF p_leg.debit >= 1000000000000 THEN -- a purse had paid
        o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, p_leg.debit, p_amount, p_leg.id);
    ELSE -- a debt had been made, or a hold had paid: first off what is owed, the rest to the holder
        IF p_leg.debit = v_debt_book THEN
            SELECT least(debt_fen, p_amount) INTO STRICT v_part FROM ledger.account WHERE account_no = p_account;
            IF v_part > 0 OR p_amount = 0 THEN
                o_debt := -v_part;
                o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, v_debt_book, v_part, p_leg.id);
            END IF;
            SELECT account_no * 100000 + unit_id INTO v_purse FROM ledger.purse WHERE account_no = p_account ORDER BY unit_id LIMIT 1;
        ELSE
            v_part := 0;
            SELECT account_no * 100000 + unit_id INTO STRICT v_purse FROM ledger.hold
             WHERE lane = p_leg.lane AND transfer_id = p_leg.orig_id;
        END IF;
        IF p_amount > v_part THEN
            o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, v_purse, p_amount - v_part, p_leg.id);
        END IF;
    END IF;
END $$;
