-- COMMIT, RELEASE, VOID, REFUND and REVERSAL (P4), one record a call. Called by post_batch only, under the lane lock, for records whose
-- key is new and whose card is known. docs/ledger.md says what each does and why.

-- Earlier forms, which were not told the purses and the meal that a late commit needs.
DROP FUNCTION IF EXISTS ledger.post_special(ledger.lane, bigint, smallint, bigint, bigint, bigint, bigint, bigint, timestamptz, date, bigint, bigint);
DROP FUNCTION IF EXISTS ledger.plan_special(smallint, ledger.posting_key, ledger.account, bigint, bigint, bigint, date);

CREATE OR REPLACE FUNCTION ledger.post_special(
    p_lane ledger.lane, p_id bigint, p_op smallint, p_terminal bigint, p_seq bigint, p_card bigint, p_merchant bigint, p_unit bigint,
    p_purse_order bigint, p_amount bigint, p_occurred timestamptz, p_business_date date, p_meal smallint, p_orig_terminal bigint,
    p_orig_seq bigint,
    OUT o_code bigint, OUT o_balance bigint, OUT o_transfer bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_key ledger.posting_key;  -- the original's
    v_account ledger.account;
    v_plan record;
    v_legs ledger.transfer[];
    v_common ledger.transfer;
    v_orig_terminal bigint := CASE WHEN p_op = 9 THEN p_terminal ELSE coalesce(nullif(p_orig_terminal, 0), p_terminal) END;
    v_orig_seq bigint := CASE WHEN p_op = 9 THEN p_seq ELSE p_orig_seq END;
BEGIN
    SELECT a.* INTO STRICT v_account FROM ledger.card c JOIN ledger.account a ON a.account_no = c.account_no WHERE c.card_no = p_card;
    SELECT * INTO v_key FROM ledger.posting_key WHERE terminal_id = v_orig_terminal AND terminal_seq = v_orig_seq AND phase = 0;

    SELECT * INTO v_plan
      FROM ledger.plan_special(p_op, v_key, v_account, p_card, p_merchant, p_unit, p_purse_order, p_amount, p_occurred, p_business_date);
    o_code := v_plan.o_code;
    v_legs := v_plan.o_legs;
    IF v_legs IS NOT NULL THEN
        v_common := ROW(0, 0, 0, 0, NULL, NULL, p_terminal, p_seq, p_card, v_account.account_no, NULL, NULL, p_lane.last_batch, p_occurred,
                        p_business_date, v_account.operator_id, p_lane.lane, 0)::ledger.transfer;
        o_balance := ledger.post_legs(v_legs, v_common, p_id, v_plan.o_back_day, v_plan.o_back_meal);
        o_transfer := p_id;
        IF v_plan.o_late THEN
            PERFORM ledger.count_spent(v_legs, p_business_date, p_meal);
        END IF;
        IF v_plan.o_debt <> 0 THEN
            PERFORM ledger.change_debt(v_account.account_no, v_plan.o_debt);
        END IF;
    END IF;
    IF o_balance IS NULL THEN -- no purse moved: tell the first purse's balance
        SELECT balance_fen INTO o_balance FROM ledger.purse WHERE account_no = v_account.account_no ORDER BY unit_id LIMIT 1;
    END IF;
    IF o_code = 0 THEN
        PERFORM ledger.close_original(p_lane.lane, p_op, v_key, p_amount, v_legs);
    END IF;
    IF p_op = 9 AND v_key.op IS NULL THEN
        -- The reversal came first: a tombstone, so that the late original is refused as reversed.
        INSERT INTO ledger.posting_key (terminal_id, terminal_seq, posted_on, phase, op, code, state, lane)
        VALUES (p_terminal, p_seq, (now() AT TIME ZONE 'UTC')::date, 0, 0, 11, 2, p_lane.lane);
    END IF;
    INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, merchant, orig_terminal, orig_seq, transfer_id,
                                    balance_after, occurred_at, posted_on, phase, op, code, legs, meal, lane)
    VALUES (p_terminal, p_seq, p_card, p_amount, p_merchant, CASE WHEN p_op < 9 THEN v_orig_terminal END,
            CASE WHEN p_op < 9 THEN v_orig_seq END, o_transfer, o_balance, p_occurred, (now() AT TIME ZONE 'UTC')::date,
            CASE WHEN p_op = 9 THEN 1 ELSE 0 END, p_op, o_code, coalesce(cardinality(v_legs), 0),
            CASE WHEN v_plan.o_late THEN p_meal ELSE 0 END, p_lane.lane);
END $$;

-- Decides one record and plans its legs; moves nothing. o_legs is NULL where nothing is to move.
CREATE OR REPLACE FUNCTION ledger.plan_special(
    p_op smallint, p_key ledger.posting_key, p_account ledger.account, p_card bigint, p_merchant bigint, p_unit bigint, p_purse_order bigint,
    p_amount bigint, p_occurred timestamptz, p_business_date date,
    OUT o_code int, OUT o_legs ledger.transfer[], OUT o_debt bigint, OUT o_back_day date, OUT o_back_meal int, OUT o_late boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_hold ledger.hold;
    v_hold_book bigint;
    v_leg ledger.transfer;
    v_undo record;
    v_rest bigint;
    v_left bigint := p_amount; -- of a refund: still to give back
    v_undone boolean := false;
BEGIN
    o_code := 0;
    o_debt := 0;
    o_late := false;
    IF p_key.op IS NULL THEN
        o_code := CASE WHEN p_op = 9 THEN 0 ELSE 60 END;
        RETURN;
    ELSIF p_op < 9 AND (p_key.code > 0 OR p_key.state > 0) THEN
        o_code := 60; -- refused or reversed: there is nothing to follow
        RETURN;
    ELSIF (SELECT c.account_no FROM ledger.card c WHERE c.card_no = p_key.card_no) IS DISTINCT FROM p_account.account_no
          OR p_op < 9 AND p_key.merchant <> p_merchant
          OR p_op = 9 AND (p_key.card_no <> p_card OR p_amount > 0 AND p_amount <> p_key.amount_fen OR p_key.op = 6
                           OR p_key.op > 9) -- what a chip has done, no message undoes
          OR p_op IN (5, 6) AND p_key.op <> 4
          OR p_op IN (7, 8) AND p_key.op NOT IN (1, 2, 5)
          OR p_op = 7 AND p_amount > 0 AND p_amount <> p_key.amount_fen THEN
        o_code := CASE WHEN p_op = 9 AND p_key.card_no <> p_card AND p_key.code = 30 THEN 0 ELSE 61 END;
        RETURN;
    ELSIF p_key.code > 0 THEN
        RETURN; -- the reversal of a refused record: nothing had moved
    END IF;

    o_back_meal := p_key.meal;
    IF p_op IN (5, 6) OR p_op = 9 AND p_key.op = 4 THEN
        SELECT * INTO STRICT v_hold FROM ledger.hold WHERE lane = p_key.lane AND transfer_id = p_key.transfer_id;
        o_back_day := v_hold.business_date;
        v_hold_book := 700000000 + v_hold.operator_id;
        -- A commit counts by its own time: what was sold while the hold stood may come up days later, when the money has gone back.
        o_late := p_op = 5 AND v_hold.state = 4 AND p_occurred < v_hold.expires_at;
        IF p_op = 9 AND v_hold.state IN (3, 4) THEN
            RETURN; -- given back already
        ELSIF v_hold.state <> 1 AND NOT o_late OR p_op = 5 AND v_hold.expires_at <= least(clock_timestamp(), p_occurred) THEN
            o_code := 63;
        ELSIF p_op = 5 AND p_amount > v_hold.amount_fen THEN
            o_code := 41;
            o_late := false;
        ELSIF o_late THEN
            SELECT l.o_legs, l.o_debt INTO o_legs, o_debt
              FROM ledger.plan_late_commit(p_account, p_merchant, p_unit, p_purse_order, p_amount) l;
        ELSE
            IF p_op = 5 THEN
                o_legs := o_legs || ledger.plan_leg(5, v_hold_book, v_hold.merchant, p_amount, v_hold.transfer_id);
            END IF;
            v_rest := v_hold.amount_fen - CASE WHEN p_op = 5 THEN p_amount ELSE 0 END;
            IF v_rest > 0 THEN
                o_legs := o_legs || ledger.plan_leg(CASE WHEN p_op = 9 THEN 9 ELSE 6 END, v_hold_book,
                                                    v_hold.account_no * 100000 + v_hold.unit_id, v_rest, v_hold.transfer_id);
            END IF;
        END IF;
        RETURN;
    END IF;

    -- VOID, REFUND, and REVERSAL of the rest: leg by leg, the last leg first.
    FOR v_leg IN SELECT * FROM ledger.transfer t WHERE t.lane = p_key.lane AND t.id >= p_key.transfer_id
                    AND t.id < p_key.transfer_id + p_key.legs ORDER BY t.id DESC LOOP
        CONTINUE WHEN p_key.op = 5 AND v_leg.kind = 6; -- what a commit gave back to the holder stays there
        o_back_day := v_leg.business_date;
        IF p_op = 7 AND v_leg.business_date <> p_business_date THEN
            o_code := 61; -- a void is of the same business day; afterwards it is a refund
            o_legs := NULL;
            RETURN;
        END IF;
        v_rest := v_leg.amount_fen - ledger.undone_fen(v_leg.lane, v_leg.id);
        v_undone := v_undone OR v_rest < v_leg.amount_fen;
        IF p_op = 8 THEN
            v_rest := least(v_rest, v_left);
            v_left := v_left - v_rest;
        END IF;
        CONTINUE WHEN v_rest = 0 AND (p_op = 8 OR v_leg.amount_fen > 0);
        IF p_op = 9 AND v_leg.debit BETWEEN 700000000 AND 799999999 THEN -- back onto the hold, which is open again (close_original)
            o_legs := o_legs || ledger.plan_leg(9, v_leg.credit, v_leg.debit, v_rest, v_leg.id);
        ELSE
            v_undo := ledger.plan_undo(v_leg, p_op, v_rest, p_account.account_no, p_account.operator_id, o_legs);
            o_legs := o_legs || v_undo.o_legs;
            o_debt := o_debt + v_undo.o_debt;
        END IF;
    END LOOP;
    IF p_op = 8 AND v_left > 0 OR p_op = 7 AND v_undone THEN
        o_code := 62;
        o_legs := NULL;
        o_debt := 0;
    END IF;
END $$;

-- What a record that was approved does to its original: the hold it ended, the key it reversed, the quarantine it emptied.
CREATE OR REPLACE FUNCTION ledger.close_original(p_lane smallint, p_op smallint, p_key ledger.posting_key, p_amount bigint,
                                                 p_legs ledger.transfer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_op IN (5, 6) THEN
        UPDATE ledger.hold SET state = CASE p_op WHEN 5 THEN 2 ELSE 3 END, committed_fen = CASE p_op WHEN 5 THEN p_amount ELSE 0 END
         WHERE lane = p_lane AND transfer_id = p_key.transfer_id;
    ELSIF p_op = 9 AND p_key.op IS NOT NULL THEN
        UPDATE ledger.posting_key SET state = 1 WHERE terminal_id = p_key.terminal_id AND terminal_seq = p_key.terminal_seq AND phase = 0;
        IF p_key.op = 4 AND p_key.code = 0 THEN
            UPDATE ledger.hold SET state = 3 WHERE lane = p_lane AND transfer_id = p_key.transfer_id AND state = 1;
        ELSIF p_key.op = 5 AND p_key.code = 0 AND ledger.is_late_commit(p_key) THEN
            UPDATE ledger.hold h SET state = 4, committed_fen = 0 -- expired, as before
              FROM ledger.posting_key k
             WHERE k.terminal_id = p_key.orig_terminal AND k.terminal_seq = p_key.orig_seq AND k.phase = 0
               AND h.lane = p_lane AND h.transfer_id = k.transfer_id;
        ELSIF p_key.op = 5 AND p_key.code = 0 THEN
            -- The hold stands again over what comes back from the merchant; the rest of it is with the holder already.
            UPDATE ledger.hold h
               SET state = CASE WHEN p_legs IS NULL THEN 3 ELSE 1 END, committed_fen = 0,
                   amount_fen = CASE WHEN p_legs IS NULL THEN 0 ELSE (p_legs[1]).amount_fen END
              FROM ledger.posting_key k
             WHERE k.terminal_id = p_key.orig_terminal AND k.terminal_seq = p_key.orig_seq AND k.phase = 0
               AND h.lane = p_lane AND h.transfer_id = k.transfer_id;
        ELSIF p_key.op IN (2, 5) AND p_key.code > 0 THEN
            UPDATE ledger.quarantine SET resolved_at = clock_timestamp(), reason = 'reversed'
             WHERE terminal_id = p_key.terminal_id AND terminal_seq = p_key.terminal_seq AND resolved_at IS NULL;
        END IF;
    END IF;
END $$;

-- The legs of a commit whose hold has expired since: as an advice, from the purses in the merchant's order (P2), and what they lack is owed.
-- They follow no leg: what the hold had taken is given back already.
CREATE OR REPLACE FUNCTION ledger.plan_late_commit(p_account ledger.account, p_merchant bigint, p_unit bigint, p_purse_order bigint,
                                                   p_amount bigint, OUT o_legs ledger.transfer[], OUT o_debt bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_private bigint := nullif(p_unit, 0);
    v_purse record;
    v_part bigint;
BEGIN
    o_debt := p_amount;
    FOR v_purse IN
        SELECT p.unit_id, p.balance_fen - p.floor_fen AS available
          FROM unnest(CASE p_purse_order WHEN 1 THEN ARRAY[0::bigint] WHEN 2 THEN ARRAY[v_private] WHEN 3 THEN ARRAY[v_private, 0]
                                         ELSE ARRAY[0, v_private] END) WITH ORDINALITY u(unit, place)
          JOIN ledger.purse p ON p.account_no = p_account.account_no AND p.unit_id = u.unit
         WHERE p.unit_id > 0 OR EXISTS (SELECT FROM ledger.issuer WHERE operator_id = p_account.operator_id AND unified)
         ORDER BY u.place
    LOOP
        v_part := least(v_purse.available, o_debt);
        IF v_part > 0 THEN
            o_legs := o_legs || ledger.plan_leg(5, p_account.account_no * 100000 + v_purse.unit_id, p_merchant, v_part, NULL);
            o_debt := o_debt - v_part;
        END IF;
    END LOOP;
    IF o_debt > 0 THEN
        o_legs := o_legs || ledger.plan_leg(10, 600000000 + p_account.operator_id, p_merchant, o_debt, NULL);
    END IF;
END $$;

-- Whether a commit that was posted took nothing from its hold's book.
CREATE OR REPLACE FUNCTION ledger.is_late_commit(p_key ledger.posting_key) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.debit NOT BETWEEN 700000000 AND 799999999 FROM ledger.transfer t WHERE t.lane = p_key.lane AND t.id = p_key.transfer_id
$$;

-- Counts to the limits what legs took out of purses on a date, as an advice counts: a later day's counters are left alone.
CREATE OR REPLACE FUNCTION ledger.count_spent(p_legs ledger.transfer[], p_date date, p_meal smallint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE ledger.purse p
       SET day = p_date, day_spent_fen = CASE WHEN p.day = p_date THEN p.day_spent_fen ELSE 0 END + l.amount_fen,
           meal = CASE WHEN p_meal > 0 THEN p_meal WHEN p.day = p_date THEN p.meal ELSE 0 END,
           meal_spent_fen = CASE WHEN p_meal > 0 THEN CASE WHEN p.day = p_date AND p.meal = p_meal THEN p.meal_spent_fen ELSE 0 END + l.amount_fen
                                 WHEN p.day = p_date THEN p.meal_spent_fen ELSE 0 END
      FROM unnest(p_legs) l
     WHERE l.debit >= 100000000000000000 AND p.account_no = l.debit / 100000 AND p.unit_id = l.debit % 100000
       AND (p.day IS NULL OR p.day <= p_date)
$$;

-- Why a commit stands in quarantine, for the person who decides; the answer's code stands beside it.
CREATE OR REPLACE FUNCTION ledger.commit_reason(p_terminal bigint, p_orig_terminal bigint, p_orig_seq bigint, p_code bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_code = 41 THEN '完成金额超过预授权 / committed more than was held'
                WHEN p_code <> 63 THEN '预授权完成被拒绝 / a commit was refused'
                WHEN h.state = 2 THEN '该预授权此前已完成 / its hold was committed before'
                WHEN h.state = 3 THEN '该预授权此前已撤销 / its hold was released before'
                ELSE '预授权到期之后才完成 / committed after its hold had expired' END
      FROM (SELECT) one
      LEFT JOIN ledger.posting_key k ON k.terminal_id = coalesce(nullif(p_orig_terminal, 0), p_terminal) AND k.terminal_seq = p_orig_seq AND k.phase = 0
      LEFT JOIN ledger.hold h ON h.lane = k.lane AND h.transfer_id = k.transfer_id
$$;
