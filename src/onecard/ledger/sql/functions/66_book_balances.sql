-- The balance of book accounts now: credits less debits, the checkpoint and what came after it.

CREATE OR REPLACE FUNCTION ledger.book_balances(p_accounts bigint[]) RETURNS TABLE (account_id bigint, balance_fen bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_from bigint[]; -- by lane + 1: what is summed already
    v_first bigint;  -- the smallest of them: where the index is entered
BEGIN
    SELECT array_agg(CASE WHEN l.lane IS NULL THEN 9223372036854775807 ELSE coalesce(r.through_id, 0) END ORDER BY n),
           min(coalesce(r.through_id, 0)) FILTER (WHERE l.last_id > coalesce(r.through_id, 0))
      INTO v_from, v_first
      FROM generate_series(0, 99) n LEFT JOIN ledger.lane l ON l.lane = n LEFT JOIN ledger.checkpoint_run r ON r.lane = n;
    RETURN QUERY
    SELECT a.id,
           (coalesce((SELECT sum(c.balance_fen) FROM ledger.checkpoint c WHERE c.account_id = a.id), 0)
            + coalesce((SELECT sum(t.amount_fen) FROM ledger.transfer t
                         WHERE t.credit = a.id AND t.credit < 1000000000000 AND t.id > v_first AND t.id > v_from[t.lane + 1]), 0)
            - coalesce((SELECT sum(t.amount_fen) FROM ledger.transfer t
                         WHERE t.debit = a.id AND t.debit < 1000000000000 AND t.id > v_first AND t.id > v_from[t.lane + 1]), 0))::bigint
      FROM unnest(p_accounts) a(id) WHERE a.id < 1000000000000;
END $$;
