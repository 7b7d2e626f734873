-- Posting: the one way in which records of terminals reach the journal (P2, P4). docs/ledger.md explains it.
--
-- The lane row is the lock: whoever holds it is the only writer of the lane's purses, so nothing else is locked. Separate statements
-- over arrays, one lane a call, because that is what also runs on Citus workers. The settings pin plans that go by index whatever the
-- tables hold: arrays carry no statistics, and one hash join over the journal would stop a city.

CREATE OR REPLACE FUNCTION ledger.post_batch(
    p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[],
    p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[],
    p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[],
    OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_memoize = off
SET enable_material = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $$
DECLARE
    v_rows int := coalesce(cardinality(p_op), 0);
    v_lane ledger.lane;
    v_now timestamptz;
    v_today date;
    v_base bigint;
    v_accounts bigint[];
    v_stray bigint;
    v_in_order boolean;
    v_repeated boolean := false;
    v_unified int[];   -- operators of the unified settlement mode
    v_types int[];     -- the card types, and their limits
    v_max_txn bigint[];
    v_max_meal bigint[];
    v_max_day bigint[];
    v_max_balance bigint[];
    v_cap_anonymous bigint;  -- the legal caps in force; NULL: none
    v_cap_registered bigint;
    v_ord bigint[];
    v_keys ledger.posting_key[];
    v_legs ledger.transfer[];
    v_purses ledger.purse[];
    v_tids tid[];
    v_extra ledger.extra_legs[];
    v_special bigint[];
    v_holds boolean;
    v_quarantine boolean;
    v_answer record;
    v_count int;
BEGIN
    ASSERT v_rows = ALL (ARRAY[cardinality(p_terminal), cardinality(p_seq), cardinality(p_card), cardinality(p_merchant),
                               cardinality(p_unit), cardinality(p_purse_order), cardinality(p_amount), cardinality(p_occurred_us),
                               cardinality(p_business_date), cardinality(p_meal), cardinality(p_orig_terminal),
                               cardinality(p_orig_seq), cardinality(p_precheck)]), 'arrays of unequal length';
    ASSERT 1 <= ALL (p_op) AND 9 >= ALL (p_op), 'not an operation that posts';
    v_lane := ledger.lock_lane(p_lane);
    v_base := v_lane.last_id + 1;
    v_now := clock_timestamp();
    v_today := (v_now AT TIME ZONE 'UTC')::date;

    -- What is small and the same for all rows is read once a call, not joined row by row.
    SELECT array_agg(card_type_id), array_agg(limit_txn_fen), array_agg(limit_meal_fen), array_agg(limit_day_fen), array_agg(limit_balance_fen),
           ARRAY(SELECT operator_id FROM ledger.issuer WHERE unified)
      INTO v_types, v_max_txn, v_max_meal, v_max_day, v_max_balance, v_unified FROM ledger.card_type;
    SELECT nullif(anonymous_fen, 0), nullif(registered_fen, 0) INTO v_cap_anonymous, v_cap_registered FROM ledger.legal_cap
     WHERE valid_from <= (v_now AT TIME ZONE 'Asia/Shanghai')::date ORDER BY valid_from DESC LIMIT 1;

    -- What was refused on line and made off line all the same, because the refusal did not arrive in time, has happened: the advice
    -- takes the refusal's place (ADR 0071). A reversed purchase keeps its row.
    IF 2 = ANY (p_op) THEN
        DELETE FROM ledger.posting_key k
         USING unnest(p_op, p_terminal, p_seq, p_card, p_amount, p_merchant) i(op, terminal, seq, card, amount, merchant)
         WHERE i.op = 2 AND k.terminal_id = i.terminal AND k.terminal_seq = i.seq AND k.phase = 0 AND k.op = 1 AND k.state = 0
           AND k.code >= 20 AND k.card_no = i.card AND k.amount_fen = i.amount AND k.merchant = i.merchant;
    END IF;

    -- 1 Find, by index, all that a row needs, and decide. OFFSET 0 keeps each level's columns from being computed again above it.
    --   Eight ids are set aside per row, so that an id follows from the row's place.
    SELECT array_agg(ord), array_agg(code), array_agg(coalesce(balance, 0)), array_agg(coalesce(transfer, 0)), array_agg(field),
           array_agg(account_no),
           max(account_no) FILTER (WHERE account_no / 10000000000 % 100 <> p_lane),
           array_agg(ROW(terminal, seq, card, amount, merchant, orig_terminal, orig_seq, transfer, balance, occurred, v_today,
                         is_reversal, op, code, legs, meal, 0, p_lane)::ledger.posting_key) FILTER (WHERE NOT known AND NOT special),
           array_agg(ROW(id, CASE WHEN op = 3 THEN merchant ELSE purse END,
                         CASE op WHEN 3 THEN purse WHEN 4 THEN 700000000 + operator_id ELSE merchant END,
                         first_fen, balance, f_last, terminal, seq, card, account_no, CASE WHEN legs > 1 THEN id END, NULL,
                         v_lane.last_batch, occurred, bdate, operator_id, p_lane, op)::ledger.transfer) FILTER (WHERE has_first),
           array_agg(ROW(account_no, balance, 0, f_seq, id,
                         CASE WHEN uncounted THEN f_day_spent WHEN f_day >= bdate THEN f_day_spent + first_fen ELSE first_fen END,
                         CASE WHEN uncounted THEN f_meal_spent
                              WHEN meal > 0 THEN CASE WHEN f_day >= bdate AND f_meal = meal THEN f_meal_spent ELSE 0 END + first_fen
                              WHEN f_day >= bdate THEN f_meal_spent ELSE 0 END,
                         CASE WHEN uncounted THEN f_day ELSE greatest(f_day, bdate) END,
                         f_unit,
                         CASE WHEN uncounted THEN f_meal WHEN meal > 0 THEN meal WHEN f_day >= bdate THEN f_meal ELSE 0 END
                        )::ledger.purse) FILTER (WHERE has_first),
           array_agg(f_tid) FILTER (WHERE has_first),
           array_agg(ROW(id, terminal, seq, card, account_no, merchant, s_unit, second_fen, debt_fen, repaid_fen, occurred, bdate,
                         operator_id, meal, op, has_first)::ledger.extra_legs) FILTER (WHERE legs > 1 OR legs = 1 AND NOT has_first),
           array_agg(ord) FILTER (WHERE special),
           coalesce(bool_or(posts AND op = 4), false),
           coalesce(bool_or(op = 5 AND amount > 0 OR op = 2 AND code NOT IN (0, 11)), false)
      INTO v_ord, o_code, o_balance, o_transfer, o_field, v_accounts, v_stray, v_keys, v_legs, v_purses, v_tids, v_extra, v_special, v_holds,
           v_quarantine
      FROM (
        SELECT c.*,
               posts AND has_purse_leg AS has_first,
               op = 3 OR op = 2 AND f_day > bdate AS uncounted, -- neither a top-up nor yesterday's offline record counts to today's limits
               CASE WHEN op = 2 THEN rest ELSE 0 END AS debt_fen,
               CASE WHEN posts THEN id WHEN known AND code NOT IN (10, 11) THEN k_transfer END AS transfer,
               CASE WHEN posts THEN f_balance + CASE WHEN op = 3 THEN first_fen ELSE -first_fen END
                    WHEN NOT known THEN CASE WHEN code >= 40 THEN f_balance END
                    WHEN code NOT IN (10, 11) THEN k_balance END AS balance,
               CASE WHEN posts THEN has_purse_leg::int + (second_fen > 0)::int
                                    + (rest > 0 OR repaid_fen > 0 OR NOT has_purse_leg)::int ELSE 0 END AS legs
          FROM (
            SELECT b.*,
                   NOT known AND code = 0 AND op <= 4 AS posts,
                   NOT known AND code = 0 AND op >= 5 AS special,
                   f > 0 AND (first_fen > 0 OR amount = 0) AS has_purse_leg
              FROM (
                SELECT a.*,
                       amount - repaid_fen - first_fen - second_fen AS rest,
                       account_no * 100000 + f_unit AS purse,
                       -- The order of precedence: the smallest code that applies.
                       CASE WHEN known THEN CASE WHEN field > 0 THEN 10 ELSE k_code END
                            WHEN refusal > 0 THEN refusal
                            WHEN op >= 5 THEN CASE WHEN op IN (5, 8) AND amount <= 0 THEN 41 ELSE 0 END
                            WHEN op = 2 THEN CASE WHEN amount < 0 THEN 41 ELSE 0 END
                            WHEN f = 0 THEN 40
                            WHEN amount <= 0 THEN 41
                            -- The card type's limit, and the law's, which counts what is in the chip too; NULL is no limit.
                            WHEN op = 3 THEN CASE WHEN f_balance + first_fen > nullif(v_max_balance[card_type], 0)
                                                       OR f_balance + first_fen + CASE WHEN f = 1 THEN chip_fen ELSE 0 END > legal_cap THEN 45
                                                  ELSE 0 END
                            WHEN v_max_txn[card_type] > 0 AND amount > v_max_txn[card_type] THEN 42
                            WHEN meal > 0 AND v_max_meal[card_type] > 0 AND meal_spent + amount > v_max_meal[card_type] THEN 43
                            WHEN v_max_day[card_type] > 0 AND day_spent + amount > v_max_day[card_type] THEN 44
                            WHEN amount > first_fen + second_fen THEN 50
                            ELSE 0 END AS code
                  FROM (
                    SELECT ord, op, terminal, seq, card, merchant, amount, meal, occurred, bdate, orig_terminal, orig_seq, is_reversal, id, known,
                           field, k_code, k_balance, k_transfer, refusal, account_no, operator_id, card_type, repaid_fen, legal_cap, chip_fen, f,
                           CASE f WHEN 1 THEN 0 WHEN 2 THEN unit END AS f_unit,
                           CASE f WHEN 1 THEN u_tid WHEN 2 THEN v_tid END AS f_tid,
                           CASE f WHEN 1 THEN u_balance WHEN 2 THEN v_balance END AS f_balance,
                           CASE f WHEN 1 THEN u_seq WHEN 2 THEN v_seq END AS f_seq,
                           CASE f WHEN 1 THEN u_last WHEN 2 THEN v_last END AS f_last,
                           CASE f WHEN 1 THEN u_day WHEN 2 THEN v_day END AS f_day,
                           CASE f WHEN 1 THEN u_day_spent WHEN 2 THEN v_day_spent END AS f_day_spent,
                           CASE f WHEN 1 THEN u_meal WHEN 2 THEN v_meal END AS f_meal,
                           CASE f WHEN 1 THEN u_meal_spent WHEN 2 THEN v_meal_spent END AS f_meal_spent,
                           CASE WHEN op = 3 THEN amount - repaid_fen
                                ELSE least(amount, CASE f WHEN 1 THEN u_avail WHEN 2 THEN v_avail ELSE 0 END) END AS first_fen,
                           -- The rest from the second purse, where the order names both. A hold is not split.
                           CASE WHEN op > 2 THEN 0 WHEN purse_order = 3 AND f = 2 AND u_avail > 0 THEN least(greatest(amount - v_avail, 0), u_avail)
                                WHEN purse_order = 4 AND f = 1 AND v_avail > 0 THEN least(greatest(amount - u_avail, 0), v_avail)
                                ELSE 0 END AS second_fen,
                           CASE WHEN f = 1 THEN unit ELSE 0 END AS s_unit,
                           -- Limits count what was spent from every purse that this merchant may use.
                           CASE WHEN u_day >= bdate THEN u_day_spent ELSE 0 END + CASE WHEN v_day >= bdate THEN v_day_spent ELSE 0 END AS day_spent,
                           CASE WHEN u_day >= bdate AND u_meal = meal THEN u_meal_spent ELSE 0 END
                           + CASE WHEN v_day >= bdate AND v_meal = meal THEN v_meal_spent ELSE 0 END AS meal_spent
                      FROM (
                        SELECT i.ord, i.op, i.terminal, i.seq, i.card, i.merchant, i.unit, i.purse_order, i.amount, i.meal,
                               to_timestamp(i.occurred_us / 1e6::float8) AS occurred,
                               date '2000-01-01' + i.bdate::int AS bdate,
                               CASE WHEN i.op BETWEEN 5 AND 8 THEN CASE WHEN i.ot = 0 THEN i.terminal ELSE i.ot END END AS orig_terminal,
                               CASE WHEN i.op BETWEEN 5 AND 8 THEN i.os END AS orig_seq,
                               CASE WHEN i.op = 9 THEN 1 ELSE 0 END AS is_reversal,
                               v_base + (i.ord - 1) * 8 AS id,
                               k.op IS NOT NULL AS known, k.balance_after AS k_balance, k.transfer_id AS k_transfer,
                               CASE WHEN k.state > 0 THEN 11 ELSE k.code END AS k_code,
                               CASE WHEN k.op IS NULL OR k.state = 2 THEN 0
                                    -- A purchase whose on-line answer never came and which was then made off line comes up as an advice
                                    -- under its own number: the same purchase (ADR 0071).
                                    WHEN k.op <> i.op AND NOT (k.op <= 2 AND i.op <= 2) THEN 1
                                    WHEN k.card_no <> i.card THEN 2
                                    WHEN k.amount_fen <> i.amount THEN 3
                                    WHEN k.orig_seq <> i.os OR k.orig_terminal <> CASE WHEN i.ot = 0 THEN i.terminal ELSE i.ot END THEN 4
                                    -- An offline record carries its own time. On line a gateway may have stamped a retry anew, but a day's
                                    -- distance is a sequence number used again.
                                    WHEN CASE WHEN i.op = 2 AND k.op = 2 THEN k.occurred_at <> to_timestamp(i.occurred_us / 1e6::float8)
                                         ELSE abs(extract(epoch FROM k.occurred_at)::bigint - i.occurred_us / 1000000) > 86400 END THEN 5
                                    WHEN k.merchant <> i.merchant THEN 6
                                    ELSE 0 END AS field,
                               -- What the directory and the card refuse. O4: what stands on a device still comes up; what ends or undoes
                               -- a record is not stopped by a closed merchant.
                               CASE WHEN i.precheck > 0 AND NOT (i.op = 2 AND i.precheck IN (22, 23)
                                                                 OR i.op IN (5, 6, 9) AND i.precheck IN (21, 22, 23)) THEN i.precheck
                                    WHEN c.account_no IS NULL THEN 30
                                    WHEN i.op = 2 OR i.op IN (5, 6, 9) THEN 0
                                    WHEN i.op >= 7 THEN CASE WHEN c.account_status = 3 THEN 36 ELSE 0 END
                                    WHEN c.status IN (0, 5) THEN 31
                                    WHEN c.status = 2 THEN 32
                                    WHEN c.status = 3 OR c.account_status = 2 THEN 33
                                    WHEN c.status = 4 OR c.valid_until < date '2000-01-01' + i.bdate::int THEN 34
                                    WHEN c.denied AND i.op <> 3 THEN 35
                                    WHEN c.account_status = 3 THEN 36
                                    ELSE 0 END AS refusal,
                               c.account_no, c.operator_id, array_position(v_types, c.card_type_id) AS card_type,
                               CASE WHEN i.op = 3 THEN least(coalesce(a.debt_fen, 0), i.amount) ELSE 0 END AS repaid_fen,
                               CASE WHEN a.holder_id IS NULL OR n.holder_id IS NOT NULL THEN v_cap_anonymous ELSE v_cap_registered END AS legal_cap,
                               CASE WHEN i.op = 3 THEN (SELECT coalesce(sum(greatest(h.balance_fen, 0)), 0)::bigint FROM ledger.chip_purse h
                                                         WHERE h.account_no = c.account_no) ELSE 0 END AS chip_fen,
                               -- P2: 0 no purse, 1 the public, 2 the private one. Of two, the first in order that has something; a hold
                               -- takes the first that has it all.
                               CASE WHEN i.purse_order < 3 THEN CASE WHEN u.account_no IS NOT NULL THEN 1 WHEN v.account_no IS NOT NULL THEN 2 ELSE 0 END
                                    WHEN i.purse_order = 3 THEN
                                        CASE WHEN v.balance_fen - v.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 2
                                             WHEN u.balance_fen - u.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 1
                                             WHEN v.account_no IS NOT NULL THEN 2 WHEN u.account_no IS NOT NULL THEN 1 ELSE 0 END
                                    ELSE
                                        CASE WHEN u.balance_fen - u.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 1
                                             WHEN v.balance_fen - v.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 2
                                             WHEN u.account_no IS NOT NULL THEN 1 WHEN v.account_no IS NOT NULL THEN 2 ELSE 0 END
                               END AS f,
                               u.ctid AS u_tid, u.balance_fen - u.floor_fen AS u_avail, u.balance_fen AS u_balance, u.seq AS u_seq,
                               u.last_transfer_id AS u_last, u.day AS u_day, u.day_spent_fen AS u_day_spent, u.meal AS u_meal,
                               u.meal_spent_fen AS u_meal_spent,
                               v.ctid AS v_tid, v.balance_fen - v.floor_fen AS v_avail, v.balance_fen AS v_balance, v.seq AS v_seq,
                               v.last_transfer_id AS v_last, v.day AS v_day, v.day_spent_fen AS v_day_spent, v.meal AS v_meal,
                               v.meal_spent_fen AS v_meal_spent
                          FROM unnest(p_op, p_terminal, p_seq, p_card, p_merchant, p_unit, p_purse_order, p_amount, p_occurred_us,
                                      p_business_date, p_meal, p_orig_terminal, p_orig_seq, p_precheck) WITH ORDINALITY
                               i(op, terminal, seq, card, merchant, unit, purse_order, amount, occurred_us, bdate, meal, ot, os, precheck, ord)
                          LEFT JOIN ledger.posting_key k ON k.terminal_id = i.terminal AND k.terminal_seq = i.seq
                                    AND k.phase = CASE WHEN i.op = 9 THEN 1 ELSE 0 END
                          LEFT JOIN ledger.card c ON c.card_no = i.card
                          LEFT JOIN ledger.account a ON a.account_no = CASE WHEN i.op = 3 THEN c.account_no END -- what a top-up may repay
                          LEFT JOIN ledger.anonymous_holder n ON n.holder_id = a.holder_id
                          -- P2: the public purse where the issuer settles unified and the merchant takes it, the private one of its unit.
                          LEFT JOIN ledger.purse u ON u.account_no = c.account_no
                                    AND u.unit_id = CASE WHEN i.purse_order IN (1, 3, 4) AND c.operator_id = ANY (v_unified) AND i.op <= 4 THEN 0 END
                          LEFT JOIN ledger.purse v ON v.account_no = c.account_no
                                    AND v.unit_id = CASE WHEN i.purse_order IN (2, 3, 4) AND i.unit > 0 AND i.op <= 4 THEN i.unit END
                         OFFSET 0) j OFFSET 0) a OFFSET 0) b OFFSET 0) c OFFSET 0) q;

    IF v_rows = 0 THEN
        o_code := '{}'; o_balance := '{}'; o_transfer := '{}'; o_field := '{}';
        RETURN;
    END IF;
    ASSERT v_stray IS NULL, 'account of another lane: ' || v_stray;
    IF v_rows > 1 THEN
        SELECT bool_and(ord = place), count(DISTINCT account) < count(account) OR count(DISTINCT hashint8extended(terminal, seq)) < v_rows
          INTO v_in_order, v_repeated
          FROM unnest(v_ord, v_accounts, p_terminal, p_seq) WITH ORDINALITY q(ord, account, terminal, seq, place);
        ASSERT v_in_order, 'answers out of order';
    END IF;
    IF v_repeated THEN -- one account or one key twice: nothing is written yet, take the rows in turns
        SELECT * INTO o_code, o_balance, o_transfer, o_field
          FROM ledger.post_in_turns(p_lane, p_op, p_terminal, p_seq, p_card, p_merchant, p_unit, p_purse_order, p_amount, p_occurred_us,
                                    p_business_date, p_meal, p_orig_terminal, p_orig_seq, p_precheck);
        RETURN;
    END IF;

    -- 2 Write. A key that another lane has just used stops the whole call (unique_violation): the caller repeats it.
    IF v_keys IS NOT NULL THEN
        INSERT INTO ledger.posting_key SELECT k.* FROM unnest(v_keys) k;
    END IF;
    IF v_legs IS NOT NULL THEN
        INSERT INTO ledger.transfer SELECT l.* FROM unnest(v_legs) l;
        UPDATE ledger.purse p
           SET balance_fen = n.balance_fen, seq = p.seq + 1, last_transfer_id = n.last_transfer_id, day = n.day,
               day_spent_fen = n.day_spent_fen, meal = n.meal, meal_spent_fen = n.meal_spent_fen
          FROM unnest(v_tids, v_purses) n(tid, account_no, balance_fen, floor_fen, seq, last_transfer_id, day_spent_fen, meal_spent_fen, day,
                                          unit_id, meal)
         WHERE p.ctid = n.tid AND p.account_no = n.account_no AND p.unit_id = n.unit_id AND p.seq = n.seq;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        ASSERT v_count = cardinality(v_legs), 'a purse moved without the lane lock';
    END IF;
    IF v_holds THEN
        INSERT INTO ledger.hold (transfer_id, account_no, card_no, merchant, amount_fen, terminal_id, terminal_seq, expires_at,
                                 business_date, unit_id, operator_id, lane, meal)
        SELECT l.id, l.account_no, l.card_no, p_merchant[(l.id - v_base) / 8 + 1], l.amount_fen, l.terminal_id, l.terminal_seq,
               v_now + q.hold_ttl, l.business_date, l.debit % 100000, l.issuer_operator, p_lane, p_meal[(l.id - v_base) / 8 + 1]
          FROM unnest(v_legs) l, ledger.parameter q WHERE l.kind = 4;
    END IF;
    IF v_extra IS NOT NULL THEN
        PERFORM ledger.post_extra_legs(p_lane, v_lane.last_batch, v_extra);
    END IF;
    IF v_special IS NOT NULL THEN -- rare, row by row
        FOR n IN 1..cardinality(v_special) LOOP
            v_count := v_special[n];
            SELECT * INTO v_answer
              FROM ledger.post_special(v_lane, v_base + (v_count - 1) * 8, p_op[v_count]::smallint, p_terminal[v_count], p_seq[v_count],
                                       p_card[v_count], p_merchant[v_count], p_unit[v_count], p_purse_order[v_count], p_amount[v_count],
                                       to_timestamp(p_occurred_us[v_count] / 1e6::float8),
                                       date '2000-01-01' + p_business_date[v_count]::int, p_meal[v_count]::smallint,
                                       p_orig_terminal[v_count], p_orig_seq[v_count]);
            o_code[v_count] := v_answer.o_code;
            o_balance[v_count] := coalesce(v_answer.o_balance, 0);
            o_transfer[v_count] := coalesce(v_answer.o_transfer, 0);
        END LOOP;
    END IF;
    IF v_quarantine THEN -- what has happened and could not be posted: a person decides
        INSERT INTO ledger.quarantine (terminal_id, terminal_seq, card_no, merchant, amount_fen, occurred_at, business_date, code, reason)
        SELECT p_terminal[n], p_seq[n], p_card[n], p_merchant[n], p_amount[n], to_timestamp(p_occurred_us[n] / 1e6::float8),
               date '2000-01-01' + p_business_date[n]::int, o_code[n],
               CASE p_op[n] WHEN 2 THEN 'advice' ELSE ledger.commit_reason(p_terminal[n], p_orig_terminal[n], p_orig_seq[n], o_code[n]) END
          FROM generate_series(1, v_rows) n WHERE (p_op[n] = 2 OR p_op[n] = 5 AND p_amount[n] > 0) AND o_code[n] NOT IN (0, 11)
            ON CONFLICT DO NOTHING;
    END IF;

    -- 3 Chain the batch. Where the first legs are all there is, they need not be read back.
    IF v_legs IS NULL AND v_extra IS NULL AND v_special IS NULL THEN
        RETURN;
    END IF;
    PERFORM ledger.chain_batch(v_lane, v_base + v_rows * 8 - 1, CASE WHEN v_extra IS NULL AND v_special IS NULL THEN v_legs END);
END $$;
