-- Transfers between book accounts (fees, settlement, netting) on the book lane 99, exactly once by key.

-- Answers in the order given: code 0, or KEY_CONFLICT 10 where the key was used for another transfer; and the transfer's id.
CREATE OR REPLACE FUNCTION ledger.post_book(
    p_key_terminal bigint, p_key_seq bigint[], p_kind bigint[], p_debit bigint[], p_credit bigint[], p_amount bigint[],
    p_business_date date, OUT o_code bigint[], OUT o_transfer bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane(99::smallint);
    v_rows int := coalesce(cardinality(p_key_seq), 0);
    v_known boolean[];
    v_today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    ASSERT p_key_terminal < 0, 'book transfers have a system key';
    ASSERT v_rows = ALL (ARRAY[cardinality(p_kind), cardinality(p_debit), cardinality(p_credit), cardinality(p_amount)]),
        'arrays of unequal length';
    ASSERT (SELECT count(DISTINCT s) = count(*) FROM unnest(p_key_seq) s), 'a key stands twice';
    ASSERT 1000000000000 > ALL (p_debit || p_credit), 'not a book account';
    SELECT coalesce(array_agg(k.op IS NOT NULL ORDER BY i.ord), '{}'),
           coalesce(array_agg(CASE WHEN k.op IS NULL THEN 0 WHEN t.debit = i.debit AND t.credit = i.credit AND t.amount_fen = i.amount
                                        AND t.kind = i.kind THEN 0 ELSE 10 END ORDER BY i.ord), '{}'),
           coalesce(array_agg(coalesce(k.transfer_id, v_lane.last_id + i.ord) ORDER BY i.ord), '{}')
      INTO v_known, o_code, o_transfer
      FROM unnest(p_key_seq, p_kind, p_debit, p_credit, p_amount) WITH ORDINALITY i(seq, kind, debit, credit, amount, ord)
      LEFT JOIN ledger.posting_key k ON k.terminal_id = p_key_terminal AND k.terminal_seq = i.seq AND k.phase = 0
      LEFT JOIN ledger.transfer t ON t.lane = 99 AND t.id = k.transfer_id;
    IF false = ANY (v_known) THEN
        INSERT INTO ledger.posting_key (terminal_id, terminal_seq, amount_fen, merchant, transfer_id, occurred_at, posted_on, phase, op, code,
                                        legs, lane)
        SELECT p_key_terminal, p_key_seq[n], p_amount[n], p_credit[n], o_transfer[n], now(), v_today, 0, p_kind[n], 0, 1, 99
          FROM generate_series(1, v_rows) n WHERE NOT v_known[n];
        INSERT INTO ledger.transfer (id, debit, credit, amount_fen, terminal_id, terminal_seq, batch_no, occurred_at, business_date, lane, kind)
        SELECT o_transfer[n], p_debit[n], p_credit[n], p_amount[n], p_key_terminal, p_key_seq[n], v_lane.last_batch, now(), p_business_date, 99,
               p_kind[n]
          FROM generate_series(1, v_rows) n WHERE NOT v_known[n];
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + v_rows);
    END IF;
END $$;
