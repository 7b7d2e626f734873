-- The desk's money (C3): several legs of one card's account in one call — deposit, fee, cash in and out — under the lane lock, exactly
-- once by key (terminal -3). Which legs there may be is held here: nobody can move anything but what this account and its operator's
-- own books have to do with a card.

-- p_orig[n] NULL: a new leg; otherwise the transfer that leg n undoes, whole and once. Answers code 0, or KEY_CONFLICT 10 where the key
-- was used for something else; the first transfer; and the public purse's balance.
CREATE OR REPLACE FUNCTION ledger.post_desk(
    p_seq bigint, p_card bigint, p_kind bigint[], p_debit bigint[], p_credit bigint[], p_amount bigint[], p_orig bigint[],
    p_business_date date, p_occurred timestamptz, OUT o_code bigint, OUT o_transfer bigint, OUT o_balance bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    c_desk CONSTANT bigint := -3;
    v_rows int := coalesce(cardinality(p_kind), 0);
    v_account ledger.account;
    v_lane ledger.lane;
    v_key ledger.posting_key;
    v_legs ledger.transfer[];
    v_debt bigint;
BEGIN
    ASSERT v_rows > 0 AND v_rows = ALL (ARRAY[cardinality(p_debit), cardinality(p_credit), cardinality(p_amount), cardinality(p_orig)]),
        'arrays of unequal length';
    SELECT a.* INTO v_account FROM ledger.card c JOIN ledger.account a ON a.account_no = c.account_no WHERE c.card_no = p_card;
    IF NOT FOUND THEN
        RAISE EXCEPTION '无此卡 / no such card: %', p_card USING ERRCODE = 'no_data_found';
    END IF;
    v_lane := ledger.lock_lane(v_account.lane);
    SELECT * INTO v_account FROM ledger.account WHERE account_no = v_account.account_no; -- as it stands under the lock
    SELECT balance_fen INTO o_balance FROM ledger.purse WHERE account_no = v_account.account_no AND unit_id = 0;
    SELECT * INTO v_key FROM ledger.posting_key WHERE terminal_id = c_desk AND terminal_seq = p_seq AND phase = 0;
    IF FOUND THEN
        o_transfer := v_key.transfer_id;
        o_code := CASE WHEN v_key.card_no = p_card AND v_key.lane = v_account.lane AND v_key.legs = v_rows AND NOT EXISTS (
                            SELECT FROM generate_series(1, v_rows) n
                              LEFT JOIN ledger.transfer t ON t.lane = v_key.lane AND t.id = v_key.transfer_id + n - 1
                             WHERE (t.kind, t.debit, t.credit, t.amount_fen, t.orig_id)
                                   IS DISTINCT FROM (p_kind[n]::smallint, p_debit[n], p_credit[n], p_amount[n], p_orig[n]))
                       THEN 0 ELSE 10 END;
        RETURN;
    END IF;

    FOR n IN 1..v_rows LOOP
        PERFORM ledger.check_desk_leg(v_account, p_kind[n], p_debit[n], p_credit[n], p_amount[n], p_orig[n]);
        v_legs := v_legs || ledger.plan_leg(p_kind[n]::int, p_debit[n], p_credit[n], p_amount[n], p_orig[n]);
    END LOOP;
    PERFORM ledger.post_legs(v_legs, ROW(0, 0, 0, 0, NULL, NULL, c_desk, p_seq, p_card, v_account.account_no, NULL, NULL, v_lane.last_batch,
                                         p_occurred, p_business_date, v_account.operator_id, v_lane.lane, 0)::ledger.transfer,
                             v_lane.last_id + 1);
    SELECT sum(CASE WHEN d / 100000000 = 6 THEN a WHEN c / 100000000 = 6 THEN -a ELSE 0 END) INTO v_debt
      FROM unnest(p_debit, p_credit, p_amount) AS x (d, c, a);
    IF v_debt <> 0 THEN
        PERFORM ledger.change_debt(v_account.account_no, v_debt);
    END IF;
    PERFORM ledger.change_deposit(p_card, v_account.operator_id, (
        SELECT sum(CASE WHEN c / 100000000 = 12 THEN a WHEN d / 100000000 = 12 THEN -a ELSE 0 END)
          FROM unnest(p_debit, p_credit, p_amount) AS x (d, c, a))::bigint);
    INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, transfer_id, occurred_at, posted_on, phase, op, code,
                                    legs, lane)
    VALUES (c_desk, p_seq, p_card, (SELECT sum(a) FROM unnest(p_amount) a), v_lane.last_id + 1, p_occurred, (now() AT TIME ZONE 'UTC')::date,
            0, p_kind[1], 0, v_rows, v_lane.lane);
    PERFORM ledger.chain_batch(v_lane, v_lane.last_id + v_rows);
    o_code := 0;
    o_transfer := v_lane.last_id + 1;
    SELECT balance_fen INTO o_balance FROM ledger.purse WHERE account_no = v_account.account_no AND unit_id = 0;
END $$;

-- The most an account of this holder may hold by law today; NULL is no cap. Nobody is anonymous too.
CREATE OR REPLACE FUNCTION ledger.legal_cap_of(p_holder bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT nullif(CASE WHEN p_holder IS NULL OR EXISTS (SELECT FROM ledger.anonymous_holder WHERE holder_id = p_holder)
                               THEN anonymous_fen ELSE registered_fen END, 0)
              FROM ledger.legal_cap WHERE valid_from <= (now() AT TIME ZONE 'Asia/Shanghai')::date ORDER BY valid_from DESC LIMIT 1);
END $$;

-- Raises unless a leg is one a desk may post for this account. A purse and its cash: the public one's is the operator's funding book
-- (5), a private one's the unit's (9). Fees (4), debts (6) and deposits (12) are the operator's.
CREATE OR REPLACE FUNCTION ledger.check_desk_leg(p_account ledger.account, p_kind bigint, p_debit bigint, p_credit bigint, p_amount bigint,
                                                 p_orig bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_purse bigint := nullif(CASE WHEN p_debit >= 1000000000000 THEN p_debit WHEN p_credit >= 1000000000000 THEN p_credit ELSE 0 END, 0);
    v_cash bigint := CASE WHEN v_purse % 100000 > 0 THEN 900000000 + v_purse % 100000 ELSE 500000000 + p_account.operator_id END;
    v_books bigint[] := ARRAY[400000000, 500000000, 600000000, 1200000000]::bigint[];
    v_orig ledger.transfer;
    v_limit bigint;
    v_after bigint;
BEGIN
    SELECT array_agg(b + p_account.operator_id ORDER BY b) INTO v_books FROM unnest(v_books) b; -- fee, funding, debt, deposit
    IF p_amount <= 0 THEN
        RAISE EXCEPTION '金额无效 / invalid amount: %', p_amount USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_amount';
    ELSIF v_purse IS NOT NULL AND NOT EXISTS (SELECT FROM ledger.purse WHERE account_no = p_account.account_no
            AND unit_id = v_purse % 100000 AND v_purse / 100000 = p_account.account_no) THEN
        RAISE EXCEPTION '不是该账户的钱包 / not a purse of the account: %', v_purse USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_leg';
    END IF;
    IF p_orig IS NOT NULL THEN
        SELECT * INTO v_orig FROM ledger.transfer WHERE lane = p_account.lane AND id = p_orig;
        IF v_orig.account_no IS DISTINCT FROM p_account.account_no OR v_orig.terminal_id <> -3
           OR (v_orig.debit, v_orig.credit, v_orig.amount_fen) IS DISTINCT FROM (p_credit, p_debit, p_amount)
           OR p_kind <> (CASE WHEN v_orig.kind < 20 THEN 9 WHEN v_orig.kind = 30 THEN 31 WHEN v_orig.kind = 31 THEN 30 ELSE v_orig.kind END)
           OR EXISTS (SELECT FROM ledger.transfer WHERE lane + 0 = p_account.lane AND orig_id = p_orig AND id > p_orig) THEN
            RAISE EXCEPTION '不是可撤销的柜台流水 / not a desk transfer that can be undone: %', p_orig
                USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_undo';
        END IF;
        RETURN;
    END IF;
    IF p_account.status = 3 THEN
        RAISE EXCEPTION '账户已销户 / account closed: %', p_account.account_no USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_account_closed';
    ELSIF p_account.status = 2 AND p_debit = v_purse THEN
        RAISE EXCEPTION '账户已冻结 / account frozen: %', p_account.account_no USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_account_frozen';
    ELSIF (CASE p_kind -- NULL (a side that is no purse compared with one) is a refusal too
        WHEN 3 THEN p_credit = v_purse AND p_debit = v_cash
        WHEN 11 THEN p_credit = v_books[3] AND (p_debit = v_purse OR p_debit = v_books[2])
        WHEN 30 THEN p_debit = v_books[2] AND p_credit = v_books[4]
        WHEN 31 THEN p_debit = v_books[4] AND p_credit = v_books[2]
        WHEN 32 THEN p_credit = v_books[1] AND (p_debit = v_purse OR p_debit = v_books[2] OR p_debit = v_books[4])
        WHEN 33 THEN p_debit = v_purse AND p_credit = v_cash
        ELSE false END) IS NOT TRUE THEN
        RAISE EXCEPTION '柜台不能记此分录 / no leg of a desk: kind %, % -> %', p_kind, p_debit, p_credit
            USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_leg';
    ELSIF p_kind = 3 THEN
        -- As post_batch asks it of a terminal's top-up: the card type's limit, and the law's, which counts what is in the chips too.
        SELECT balance_fen + p_amount INTO v_after FROM ledger.purse WHERE account_no = p_account.account_no AND unit_id = v_purse % 100000;
        SELECT limit_balance_fen INTO v_limit FROM ledger.card_type WHERE card_type_id = p_account.card_type_id;
        IF v_limit > 0 AND v_after > v_limit THEN
            RAISE EXCEPTION '超过余额上限 / over the balance limit: %', v_limit USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_balance_limit';
        END IF;
        IF v_purse % 100000 = 0 THEN
            v_after := v_after + (SELECT coalesce(sum(greatest(balance_fen, 0)), 0) FROM ledger.chip_purse WHERE account_no = p_account.account_no);
        END IF;
        v_limit := ledger.legal_cap_of(p_account.holder_id);
        IF v_after > v_limit THEN
            RAISE EXCEPTION '超过法定余额上限 / over the legal cap: %', v_limit USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_legal_cap';
        END IF;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION ledger.change_deposit(p_card bigint, p_operator int, p_delta bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_delta > 0 THEN
        INSERT INTO ledger.card_deposit AS d (card_no, operator_id, deposit_fen) VALUES (p_card, p_operator, p_delta)
            ON CONFLICT (card_no) DO UPDATE SET deposit_fen = d.deposit_fen + excluded.deposit_fen;
    ELSIF p_delta < 0 THEN
        UPDATE ledger.card_deposit SET deposit_fen = deposit_fen + p_delta WHERE card_no = p_card;
        IF NOT FOUND THEN
            RAISE EXCEPTION '该卡无押金 / no deposit is held for card %', p_card USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_deposit';
        END IF;
    END IF;
END $$;

-- The deposit goes with the holder to the card that replaces his old one: the book holds what it held.
CREATE OR REPLACE FUNCTION ledger.move_deposit(p_from bigint, p_to bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_card ledger.card;
    v_deposit bigint;
BEGIN
    SELECT * INTO v_card FROM ledger.card WHERE card_no = p_from;
    IF v_card.account_no IS DISTINCT FROM (SELECT account_no FROM ledger.card WHERE card_no = p_to) OR v_card.card_no IS NULL THEN
        RAISE EXCEPTION '两卡不属同一账户 / not cards of one account: %, %', p_from, p_to USING ERRCODE = 'check_violation', CONSTRAINT = 'desk_deposit';
    END IF;
    PERFORM ledger.lock_account(v_card.account_no);
    UPDATE ledger.card_deposit SET deposit_fen = 0 WHERE card_no = p_from AND deposit_fen > 0
    RETURNING (SELECT d.deposit_fen FROM ledger.card_deposit d WHERE d.card_no = p_from) INTO v_deposit;
    PERFORM ledger.change_deposit(p_to, v_card.operator_id, coalesce(v_deposit, 0));
    RETURN coalesce(v_deposit, 0);
END $$;

-- The number of the next record of a desk.
CREATE OR REPLACE FUNCTION ledger.next_desk_seq() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT nextval('ledger.desk_seq') $$;

-- Stops the postings of an account until the transaction ends, so that a desk may read what is there and settle it.
CREATE OR REPLACE FUNCTION ledger.lock_account_lane(p_account bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN PERFORM ledger.lock_account(p_account); END $$;
