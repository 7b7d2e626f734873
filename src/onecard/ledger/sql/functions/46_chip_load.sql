-- Money into a chip (圈存) and back out of it (P5). docs/chip.md explains it.
--
-- A transfer touches one purse, so a load is two linked legs over the issuing operator's transit book (kind 13), which is at zero
-- after each of them. Phase 0 of the key is the load or the unload, phase 2 the undoing of a load: a terminal's own REVERSAL (phase 1)
-- cannot come between.

-- Takes p_amount from the card's public purse, or from the book account p_payer, and gives it to the chip purse. The answer's
-- balance is the public purse's. Refusals are kept under the key; 45, the chip's own maximum, is the caller's to ask before.
CREATE OR REPLACE FUNCTION ledger.load_chip(
    p_terminal bigint, p_seq bigint, p_card bigint, p_amount bigint, p_occurred timestamptz, p_business_date date, p_payer bigint DEFAULT NULL,
    OUT o_code int, OUT o_balance bigint, OUT o_transfer bigint, OUT o_field int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane((p_card / 10000000000 % 100)::smallint);
    v_card ledger.card;
    v_purse ledger.purse;
    v_transit bigint;
BEGIN
    SELECT * INTO o_code, o_balance, o_transfer, o_field FROM ledger.chip_key(p_terminal, p_seq, 0, 14, p_card, p_amount, NULL);
    IF o_code IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO v_card FROM ledger.card WHERE card_no = p_card;
    SELECT * INTO v_purse FROM ledger.purse WHERE account_no = v_card.account_no AND unit_id = 0;
    o_code := CASE WHEN v_card.card_no IS NULL THEN 30
                   WHEN p_payer IS NOT NULL THEN CASE WHEN p_amount <= 0 THEN 41 ELSE 0 END
                   WHEN v_card.status IN (0, 5) THEN 31
                   WHEN v_card.status = 2 THEN 32
                   WHEN v_card.status = 3 OR v_card.account_status = 2 THEN 33
                   WHEN v_card.status = 4 OR v_card.valid_until < p_business_date THEN 34
                   WHEN v_card.denied THEN 35
                   WHEN v_card.account_status = 3 THEN 36
                   WHEN v_purse.account_no IS NULL
                        OR NOT EXISTS (SELECT FROM ledger.issuer WHERE operator_id = v_card.operator_id AND unified) THEN 40
                   WHEN p_amount <= 0 THEN 41
                   WHEN v_purse.balance_fen - v_purse.floor_fen < p_amount THEN 50
                   ELSE 0 END;
    o_balance := CASE WHEN o_code = 0 OR o_code >= 40 THEN v_purse.balance_fen END;
    IF o_code = 0 THEN
        PERFORM ledger.lock_chip_purse(p_card);
        v_transit := 1300000000 + v_card.operator_id;
        PERFORM ledger.post_legs(
            ARRAY[ledger.plan_leg(14, coalesce(p_payer, v_card.account_no * 100000), v_transit, p_amount, NULL),
                  ledger.plan_leg(14, v_transit, p_card, p_amount, NULL)],
            ledger.chip_common(v_lane, p_terminal, p_seq, v_card, p_occurred, p_business_date), v_lane.last_id + 1);
        o_transfer := v_lane.last_id + 1;
        o_balance := v_purse.balance_fen - CASE WHEN p_payer IS NULL THEN p_amount ELSE 0 END;
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + 2);
    END IF;
    INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, transfer_id, balance_after, occurred_at, posted_on, phase,
                                    op, code, legs, lane)
    VALUES (p_terminal, p_seq, p_card, p_amount, o_transfer, o_balance, p_occurred, (now() AT TIME ZONE 'UTC')::date, 0, 14, o_code,
            CASE WHEN o_code = 0 THEN 2 ELSE 0 END, v_lane.lane);
END $$;

-- Gives a load's money back to where it came from: the chip was not written. Once, whoever asks.
CREATE OR REPLACE FUNCTION ledger.undo_chip_load(
    p_terminal bigint, p_seq bigint, p_card bigint, p_occurred timestamptz, p_business_date date,
    OUT o_code int, OUT o_balance bigint, OUT o_transfer bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane((p_card / 10000000000 % 100)::smallint);
    v_key ledger.posting_key;
    v_card ledger.card;
    v_legs ledger.transfer[];
    v_taken ledger.transfer[];
BEGIN
    SELECT o.o_code, o.o_balance, o.o_transfer INTO o_code, o_balance, o_transfer
      FROM ledger.chip_key(p_terminal, p_seq, 2, 15, p_card, NULL, NULL) o;
    IF o_code IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO v_key FROM ledger.posting_key WHERE terminal_id = p_terminal AND terminal_seq = p_seq AND phase = 0;
    o_code := CASE WHEN v_key.op IS NULL OR v_key.op = 14 AND v_key.code > 0 THEN 60 WHEN v_key.op <> 14 OR v_key.card_no <> p_card THEN 61 ELSE 0 END;
    IF o_code > 0 THEN
        RETURN; -- nothing is kept: what is undone must be there first
    END IF;
    SELECT * INTO STRICT v_card FROM ledger.card WHERE card_no = p_card;
    SELECT array_agg(t ORDER BY t.id) INTO v_taken FROM ledger.transfer t
     WHERE t.lane = v_key.lane AND t.id BETWEEN v_key.transfer_id AND v_key.transfer_id + 1;
    ASSERT cardinality(v_taken) = 2, 'a load has two legs';
    v_legs := ARRAY[ledger.plan_leg(15, p_card, (v_taken[2]).debit, v_key.amount_fen, (v_taken[2]).id),
                    ledger.plan_leg(15, (v_taken[1]).credit, (v_taken[1]).debit, v_key.amount_fen, (v_taken[1]).id)];
    PERFORM ledger.post_legs(v_legs, ledger.chip_common(v_lane, p_terminal, p_seq, v_card, p_occurred, p_business_date), v_lane.last_id + 1);
    o_transfer := v_lane.last_id + 1;
    SELECT balance_fen INTO o_balance FROM ledger.purse WHERE account_no = v_card.account_no AND unit_id = 0;
    PERFORM ledger.chain_batch(v_lane, v_lane.last_id + 2);
    UPDATE ledger.posting_key SET state = 1 WHERE terminal_id = p_terminal AND terminal_seq = p_seq AND phase = 0;
    INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, transfer_id, balance_after, occurred_at, posted_on, phase,
                                    op, code, legs, lane)
    VALUES (p_terminal, p_seq, p_card, v_key.amount_fen, o_transfer, o_balance, p_occurred, (now() AT TIME ZONE 'UTC')::date, 2, 15, 0, 2,
            v_lane.lane);
END $$;

-- Takes money out of a chip purse into the account's public purse (return, replacement): p_amount, or all of it where that is NULL.
-- Whether the chip's counters are complete is the caller's to know. Nothing inside is code 0 without a transfer.
CREATE OR REPLACE FUNCTION ledger.unload_chip(
    p_terminal bigint, p_seq bigint, p_card bigint, p_amount bigint, p_occurred timestamptz, p_business_date date,
    OUT o_code int, OUT o_balance bigint, OUT o_transfer bigint, OUT o_amount bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane((p_card / 10000000000 % 100)::smallint);
    v_card ledger.card;
    v_chip ledger.chip_purse;
    v_purse ledger.purse;
    v_transit bigint;
BEGIN
    SELECT o.o_code, o.o_balance, o.o_transfer, o.o_amount INTO o_code, o_balance, o_transfer, o_amount
      FROM ledger.chip_key(p_terminal, p_seq, 0, 16, p_card, p_amount, NULL) o;
    IF o_code IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO v_card FROM ledger.card WHERE card_no = p_card;
    SELECT * INTO v_chip FROM ledger.chip_purse WHERE card_no = p_card;
    SELECT * INTO v_purse FROM ledger.purse WHERE account_no = v_card.account_no AND unit_id = 0;
    o_amount := coalesce(p_amount, v_chip.balance_fen, 0);
    o_code := CASE WHEN v_card.card_no IS NULL THEN 30
                   WHEN v_card.account_status = 3 THEN 36
                   WHEN v_purse.account_no IS NULL AND o_amount > 0 THEN 40
                   WHEN o_amount < 0 AND p_amount IS NOT NULL THEN 41
                   WHEN coalesce(v_chip.balance_fen, 0) < greatest(o_amount, 0) OR o_amount < 0 THEN 50
                   ELSE 0 END;
    o_balance := v_purse.balance_fen;
    IF o_code = 0 AND o_amount > 0 THEN
        v_transit := 1300000000 + v_card.operator_id;
        PERFORM ledger.post_legs(
            ARRAY[ledger.plan_leg(16, p_card, v_transit, o_amount, NULL),
                  ledger.plan_leg(16, v_transit, v_card.account_no * 100000, o_amount, NULL)],
            ledger.chip_common(v_lane, p_terminal, p_seq, v_card, p_occurred, p_business_date), v_lane.last_id + 1);
        o_transfer := v_lane.last_id + 1;
        o_balance := v_purse.balance_fen + o_amount;
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + 2);
    END IF;
    INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, transfer_id, balance_after, occurred_at, posted_on, phase,
                                    op, code, legs, lane)
    VALUES (p_terminal, p_seq, p_card, o_amount, o_transfer, o_balance, p_occurred, (now() AT TIME ZONE 'UTC')::date, 0, 16, o_code,
            CASE WHEN o_transfer IS NULL THEN 0 ELSE 2 END, v_lane.lane);
END $$;

-- The first answer of a key, or KEY_CONFLICT and the field; o_code NULL where the key is new. p_amount NULL: not compared.
CREATE OR REPLACE FUNCTION ledger.chip_key(p_terminal bigint, p_seq bigint, p_phase int, p_op int, p_card bigint, p_amount bigint,
                                           p_merchant bigint, OUT o_code int, OUT o_balance bigint, OUT o_transfer bigint, OUT o_field int,
                                           OUT o_amount bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN field > 0 THEN 10 WHEN k.state > 0 AND k.phase = 0 THEN 11 ELSE k.code END,
           CASE WHEN field = 0 THEN k.balance_after END, CASE WHEN field = 0 THEN k.transfer_id END, field,
           CASE WHEN field = 0 THEN k.amount_fen END
      FROM (SELECT *, CASE WHEN q.state = 2 THEN 0 WHEN q.op <> p_op THEN 1 WHEN q.card_no <> p_card THEN 2
                           WHEN q.amount_fen <> p_amount THEN 3 WHEN q.merchant <> p_merchant THEN 6 ELSE 0 END AS field
              FROM ledger.posting_key q WHERE q.terminal_id = p_terminal AND q.terminal_seq = p_seq AND q.phase = p_phase) k
$$;

-- What the legs of a load or an unload share.
CREATE OR REPLACE FUNCTION ledger.chip_common(p_lane ledger.lane, p_terminal bigint, p_seq bigint, p_card ledger.card, p_occurred timestamptz,
                                              p_business_date date) RETURNS ledger.transfer
LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(0, 0, 0, 0, NULL, NULL, p_terminal, p_seq, p_card.card_no, p_card.account_no, NULL, NULL, p_lane.last_batch, p_occurred,
               p_business_date, p_card.operator_id, p_lane.lane, 0)::ledger.transfer
$$;
