-- Accounts, purses and cards: opening them in bulk or one by one, and their standing. Everything that posting reads is changed under
-- the lane lock, so that when a call returns no later batch can have used what was before.

-- Opens the next p_limit accounts of a job's lane with their cards, purses and opening balances (OPENING, from the operator's or the
-- unit's funding book). One transaction a chunk; accounts that exist already are left alone, so a load that was cut off is repeated.
CREATE OR REPLACE FUNCTION ledger.open_accounts(p_job bigint, p_lane smallint, p_limit int DEFAULT 10000,
                                                OUT o_opened int, OUT o_skipped int, OUT o_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane(p_lane);
    v_to bigint;
    v_last bigint;
BEGIN
    SELECT max(account_no) INTO v_to
      FROM (SELECT account_no FROM ledger.opening_row WHERE job = p_job AND lane = p_lane ORDER BY account_no LIMIT p_limit) q;
    DELETE FROM ledger.opening_row o USING ledger.account a
     WHERE o.job = p_job AND o.lane = p_lane AND o.account_no <= v_to AND a.account_no = o.account_no;
    GET DIAGNOSTICS o_skipped = ROW_COUNT;

    INSERT INTO ledger.account (account_no, holder_id, operator_id, unit_id, card_type_id, lane)
    SELECT account_no, holder_id, operator_id, unit_id, card_type_id, lane FROM ledger.opening_row
     WHERE job = p_job AND lane = p_lane AND account_no <= v_to ORDER BY account_no;
    GET DIAGNOSTICS o_opened = ROW_COUNT;
    INSERT INTO ledger.card (card_no, account_no, valid_until, status, medium, operator_id, card_type_id)
    SELECT card_no, account_no, valid_until, card_status, medium, operator_id, card_type_id FROM ledger.opening_row
     WHERE job = p_job AND lane = p_lane AND account_no <= v_to ORDER BY card_no;

    -- Purse 1 of an account is the public one; ids in account order, two set aside per account.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, balance_after, terminal_id, terminal_seq, card_no, account_no, batch_no,
                                 occurred_at, business_date, issuer_operator, lane, kind)
    SELECT v_lane.last_id + n * 2 + (purse > 0)::int, book, account_no * 100000 + purse, fen, fen, -1, account_no * 2 + (purse > 0)::int,
           card_no, account_no, v_lane.last_batch, now(), (now() AT TIME ZONE 'Asia/Shanghai')::date, operator_id, p_lane, 12
      FROM (SELECT o.*, row_number() OVER (ORDER BY account_no) AS n FROM ledger.opening_row o
             WHERE job = p_job AND lane = p_lane AND account_no <= v_to) o
     CROSS JOIN LATERAL (VALUES (0, public_fen, 500000000::bigint + operator_id),
                                (private_unit, private_fen, 900000000::bigint + private_unit)) p(purse, fen, book)
     WHERE fen > 0 AND purse IS NOT NULL
     ORDER BY n, purse;
    INSERT INTO ledger.purse (account_no, unit_id, balance_fen, seq, last_transfer_id)
    SELECT account_no, purse, fen, (fen > 0)::int, CASE WHEN fen > 0 THEN v_lane.last_id + n * 2 + (purse > 0)::int END
      FROM (SELECT o.*, row_number() OVER (ORDER BY account_no) AS n FROM ledger.opening_row o
             WHERE job = p_job AND lane = p_lane AND account_no <= v_to) o
     CROSS JOIN LATERAL (VALUES (0, public_fen), (private_unit, coalesce(private_fen, 0))) p(purse, fen)
     WHERE fen IS NOT NULL AND purse IS NOT NULL
     ORDER BY account_no, purse;
    DELETE FROM ledger.opening_row WHERE job = p_job AND lane = p_lane AND account_no <= v_to;

    v_last := v_lane.last_id + (o_opened + 1) * 2;
    PERFORM ledger.chain_batch(v_lane, v_last);
    o_more := EXISTS (SELECT FROM ledger.opening_row WHERE job = p_job AND lane = p_lane);
END $$;

-- One account with its first card; NULL fen or unit: no such purse.
CREATE OR REPLACE FUNCTION ledger.open_account(
    p_account bigint, p_card bigint, p_operator int, p_card_type int, p_holder bigint DEFAULT NULL, p_unit int DEFAULT 0,
    p_public_fen bigint DEFAULT 0, p_private_unit int DEFAULT NULL, p_private_fen bigint DEFAULT 0, p_medium int DEFAULT 1,
    p_card_status int DEFAULT 1, p_valid_until date DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job bigint := -pg_backend_pid();
    v_opened int;
BEGIN
    INSERT INTO ledger.opening_row (job, account_no, card_no, holder_id, public_fen, private_fen, private_unit, operator_id, unit_id,
                                    card_type_id, valid_until, medium, card_status)
    VALUES (v_job, p_account, p_card, p_holder, p_public_fen, p_private_fen, p_private_unit, p_operator, p_unit, p_card_type,
            p_valid_until, p_medium, p_card_status);
    SELECT o_opened INTO v_opened FROM ledger.open_accounts(v_job, (p_account / 10000000000 % 100)::smallint);
    IF v_opened = 0 THEN
        RAISE EXCEPTION '账户已存在 / account exists: %', p_account USING ERRCODE = 'unique_violation';
    END IF;
END $$;

-- A further purse of an account, at zero; a purse that is there stays as it is.
CREATE OR REPLACE FUNCTION ledger.add_purse(p_account bigint, p_unit int, p_floor_fen bigint DEFAULT 0) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ledger.lock_account(p_account);
    INSERT INTO ledger.purse (account_no, unit_id, floor_fen) VALUES (p_account, p_unit, p_floor_fen) ON CONFLICT DO NOTHING;
END $$;

-- A further card of an account (C4), denied from the start where the account owes.
CREATE OR REPLACE FUNCTION ledger.add_card(p_card bigint, p_account bigint, p_medium int DEFAULT 1, p_status int DEFAULT 1,
                                           p_valid_until date DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_account ledger.account := ledger.lock_account(p_account);
BEGIN
    INSERT INTO ledger.card (card_no, account_no, valid_until, status, medium, denied, operator_id, card_type_id, account_status)
    VALUES (p_card, p_account, p_valid_until, p_status, p_medium, v_account.debt_fen > 0, v_account.operator_id, v_account.card_type_id,
            v_account.status);
    IF v_account.debt_fen > 0 THEN
        INSERT INTO ledger.deny_list (card_no, reason) VALUES (p_card, 1);
    END IF;
END $$;

-- Lost (2) and frozen (3) cards stand on the deny list for as long as they are.
CREATE OR REPLACE FUNCTION ledger.set_card_status(p_card bigint, p_status int, p_valid_until date DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_account bigint;
BEGIN
    SELECT account_no INTO v_account FROM ledger.card WHERE card_no = p_card;
    IF NOT FOUND THEN
        RAISE EXCEPTION '无此卡 / no such card: %', p_card USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM ledger.lock_account(v_account);
    UPDATE ledger.card SET status = p_status, valid_until = coalesce(p_valid_until, valid_until) WHERE card_no = p_card;
    DELETE FROM ledger.deny_list WHERE card_no = p_card AND reason IN (2, 3) AND reason <> p_status;
    IF p_status IN (2, 3) THEN
        INSERT INTO ledger.deny_list (card_no, reason) VALUES (p_card, p_status) ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Active (1), frozen (2) or closed (3). An account with money, a debt or an open hold is not closed.
CREATE OR REPLACE FUNCTION ledger.set_account_status(p_account bigint, p_status int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_account ledger.account := ledger.lock_account(p_account);
BEGIN
    IF p_status = 3 AND (v_account.debt_fen > 0
            OR EXISTS (SELECT FROM ledger.purse WHERE account_no = p_account AND balance_fen <> 0)
            OR EXISTS (SELECT FROM ledger.hold WHERE account_no = p_account AND state = 1)) THEN
        RAISE EXCEPTION '账户未结清 / account not settled: %', p_account USING ERRCODE = 'check_violation';
    END IF;
    UPDATE ledger.account SET status = p_status WHERE account_no = p_account;
    UPDATE ledger.card SET account_status = p_status WHERE account_no = p_account;
END $$;

-- Changes that are not money (holder, card type, unit) need no lock of their own, but go this way because the app role cannot update.
CREATE OR REPLACE FUNCTION ledger.set_account_terms(p_account bigint, p_holder bigint, p_card_type int, p_unit int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ledger.lock_account(p_account);
    UPDATE ledger.account SET holder_id = p_holder, card_type_id = p_card_type, unit_id = p_unit WHERE account_no = p_account;
    UPDATE ledger.card SET card_type_id = p_card_type WHERE account_no = p_account;
END $$;

CREATE OR REPLACE FUNCTION ledger.lock_account(p_account bigint) RETURNS ledger.account
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_account ledger.account;
BEGIN
    PERFORM FROM ledger.lane WHERE lane = p_account / 10000000000 % 100 FOR UPDATE;
    SELECT * INTO v_account FROM ledger.account WHERE account_no = p_account;
    IF NOT FOUND THEN
        RAISE EXCEPTION '无此账户 / no such account: %', p_account USING ERRCODE = 'no_data_found';
    END IF;
    RETURN v_account;
END $$;
