-- Purchases from chips (P5): the second way in which records of terminals reach the journal. docs/chip.md explains it.
--
-- The chip was debited when the record was made: nothing here refuses for want of balance, a lost card or a limit. What is refused
-- (P2, an unknown card, a closed merchant, whatever p_precheck brings from the verification) leaves no key: the caller keeps the
-- record in quarantine, and a release posts it under the same key. p_released 1: two people have decided, so that only what makes
-- posting impossible is asked. A reversal that came before is no such thing: it undoes nothing that a chip has done, so what it left
-- under the key gives way to them.

-- One lane a call, under its lock; every key once a call. p_precheck: the smallest reason found so far (0: none). Answers in the
-- order given: the smallest code that applies, the chip purse's balance, the transfer, and the field that differs.
CREATE OR REPLACE FUNCTION ledger.post_chip(
    p_lane smallint, p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_purse_order bigint[],
    p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_precheck bigint[], p_released bigint[],
    OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[])
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_memoize = off
SET enable_material = off SET max_parallel_workers_per_gather = 0 SET jit = off
AS $$
DECLARE
    v_rows int := coalesce(cardinality(p_terminal), 0);
    v_lane ledger.lane;
    v_today date;
    v_unified int[];
    v_account bigint[];
    v_operator int[];
    v_posts boolean[];
    v_stray bigint;
    v_count int;
BEGIN
    ASSERT v_rows = ALL (ARRAY[cardinality(p_seq), cardinality(p_card), cardinality(p_merchant), cardinality(p_purse_order),
                               cardinality(p_amount), cardinality(p_occurred_us), cardinality(p_business_date),
                               cardinality(p_precheck), cardinality(p_released)]), 'arrays of unequal length';
    v_lane := ledger.lock_lane(p_lane);
    v_today := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    SELECT array_agg(operator_id) INTO v_unified FROM ledger.issuer WHERE unified;
    IF v_rows = 0 THEN
        o_code := '{}'; o_balance := '{}'; o_transfer := '{}'; o_field := '{}';
        RETURN;
    END IF;
    ASSERT (SELECT count(DISTINCT (t, s)) = v_rows FROM unnest(p_terminal, p_seq) q(t, s)), 'a key stands twice';

    -- 1 Find by index and decide. The order of precedence is that of post_batch: the smallest code that applies.
    SELECT array_agg(CASE WHEN known THEN CASE WHEN field > 0 THEN 10 WHEN state > 0 THEN 11 ELSE k_code END
                          WHEN account_no IS NULL THEN least(nullif(precheck, 0), 30)
                          WHEN precheck > 0 OR released = 0 AND NOT allowed OR amount < 0
                          THEN least(nullif(precheck, 0), CASE WHEN released = 0 AND NOT allowed THEN 40 END, CASE WHEN amount < 0 THEN 41 END)
                          ELSE 0 END ORDER BY ord),
           array_agg(CASE WHEN known AND field = 0 AND state = 0 THEN k_balance END ORDER BY ord),
           array_agg(CASE WHEN known AND field = 0 AND state = 0 THEN k_transfer END ORDER BY ord),
           array_agg(field ORDER BY ord), array_agg(account_no ORDER BY ord), array_agg(operator_id ORDER BY ord),
           array_agg(NOT known ORDER BY ord), max(account_no) FILTER (WHERE account_no / 10000000000 % 100 <> p_lane)
      INTO o_code, o_balance, o_transfer, o_field, v_account, v_operator, v_posts, v_stray
      FROM (SELECT i.ord, i.amount, i.precheck, i.released, k.op IS NOT NULL AND NOT (k.state = 2 AND i.released = 1) AS known, k.state, k.code AS k_code,
                   k.balance_after AS k_balance, k.transfer_id AS k_transfer, c.account_no, c.operator_id,
                   i.purse_order <> 2 AND coalesce(c.operator_id = ANY (v_unified), false) AS allowed,
                   CASE WHEN k.op IS NULL OR k.state = 2 THEN 0
                        WHEN k.op <> 13 THEN 1
                        WHEN k.card_no <> i.card THEN 2
                        WHEN k.amount_fen <> i.amount THEN 3
                        WHEN k.occurred_at <> to_timestamp(i.occurred_us / 1e6::float8) THEN 5
                        WHEN k.merchant <> i.merchant THEN 6
                        ELSE 0 END AS field
              FROM unnest(p_terminal, p_seq, p_card, p_merchant, p_purse_order, p_amount, p_occurred_us, p_precheck, p_released)
                   WITH ORDINALITY i(terminal, seq, card, merchant, purse_order, amount, occurred_us, precheck, released, ord)
              LEFT JOIN ledger.posting_key k ON k.terminal_id = i.terminal AND k.terminal_seq = i.seq AND k.phase = 0
              LEFT JOIN ledger.card c ON c.card_no = i.card
            OFFSET 0) q;
    ASSERT v_stray IS NULL, 'account of another lane: ' || v_stray;
    SELECT array_agg(posts AND code = 0 ORDER BY ord), count(*) FILTER (WHERE posts AND code = 0) INTO v_posts, v_count
      FROM unnest(v_posts, o_code) WITH ORDINALITY q(posts, code, ord);
    IF v_count > 0 THEN
        -- 2 Write: the purses that are not there yet, the legs in the order given, the purses, the keys.
        INSERT INTO ledger.chip_purse (card_no, account_no, lane)
        SELECT DISTINCT p_card[n], v_account[n], p_lane FROM generate_series(1, v_rows) n WHERE v_posts[n]
            ON CONFLICT DO NOTHING;
        WITH legs AS (
            INSERT INTO ledger.transfer (id, debit, credit, amount_fen, balance_after, prev_id, terminal_id, terminal_seq, card_no, account_no,
                                         batch_no, occurred_at, business_date, issuer_operator, lane, kind)
            SELECT v_lane.last_id + r.ord, r.card, r.merchant, r.amount,
                   p.balance_fen - sum(r.amount) OVER own, coalesce(lag(v_lane.last_id + r.ord) OVER own, p.last_transfer_id),
                   r.terminal, r.seq, r.card, r.account, v_lane.last_batch, to_timestamp(r.occurred_us / 1e6::float8),
                   date '2000-01-01' + r.bdate::int, r.operator, p_lane, 13
              FROM unnest(p_terminal, p_seq, p_card, p_merchant, p_amount, p_occurred_us, p_business_date, v_account, v_operator, v_posts)
                   WITH ORDINALITY r(terminal, seq, card, merchant, amount, occurred_us, bdate, account, operator, posts, ord)
              JOIN ledger.chip_purse p ON p.card_no = r.card
             WHERE r.posts
            WINDOW own AS (PARTITION BY r.card ORDER BY r.ord)
            RETURNING id, card_no, amount_fen, balance_after
        ), answered AS (
            SELECT array_agg(coalesce(o.balance, l.balance_after) ORDER BY o.ord) AS balances,
                   array_agg(coalesce(o.transfer, l.id) ORDER BY o.ord) AS transfers
              FROM unnest(o_balance, o_transfer) WITH ORDINALITY o(balance, transfer, ord) LEFT JOIN legs l ON l.id = v_lane.last_id + o.ord
        ), moved AS (
            UPDATE ledger.chip_purse p
               SET balance_fen = p.balance_fen - m.fen, seq = p.seq + m.n, last_transfer_id = m.last_id
              FROM (SELECT card_no, sum(amount_fen) AS fen, count(*) AS n, max(id) AS last_id FROM legs GROUP BY card_no) m
             WHERE p.card_no = m.card_no
            RETURNING 1
        )
        SELECT balances, transfers INTO o_balance, o_transfer FROM answered, (SELECT count(*) FROM moved) q;
        IF 1 = ANY (p_released) THEN
            DELETE FROM ledger.posting_key k
             USING unnest(p_terminal, p_seq, p_released, v_posts) r(terminal, seq, released, posts)
             WHERE k.terminal_id = r.terminal AND k.terminal_seq = r.seq AND k.phase = 0 AND k.state = 2 AND r.posts AND r.released = 1;
        END IF;
        INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, merchant, transfer_id, balance_after, occurred_at,
                                        posted_on, phase, op, code, legs, lane)
        SELECT r.terminal, r.seq, r.card, r.amount, r.merchant, r.transfer, r.balance, to_timestamp(r.occurred_us / 1e6::float8),
               v_today, 0, 13, 0, 1, p_lane
          FROM unnest(p_terminal, p_seq, p_card, p_merchant, p_amount, p_occurred_us, o_transfer, o_balance, v_posts)
               r(terminal, seq, card, merchant, amount, occurred_us, transfer, balance, posts)
         WHERE r.posts;
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + v_rows);
    END IF;
    SELECT array_agg(coalesce(b, 0) ORDER BY ord), array_agg(coalesce(t, 0) ORDER BY ord) INTO o_balance, o_transfer
      FROM unnest(o_balance, o_transfer) WITH ORDINALITY q(b, t, ord);
END $$;
