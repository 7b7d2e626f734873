-- Checkpoints of book accounts: their balance up to an id of each lane, so that a balance is a checkpoint and a short sum.

-- Brings every book account that moved up to date; returns how many rows it wrote. Nobody who posts is stopped: a lane's row and its
-- transfers commit together, so in one snapshot all transfers up to last_id are there, and no later one can get a smaller id.
CREATE OR REPLACE FUNCTION ledger.checkpoint() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7310002); -- one at a time; the next statement's snapshot sees the one before
    WITH span AS MATERIALIZED (
        SELECT l.lane, coalesce(r.through_id, 0) AS from_id, l.last_id
          FROM ledger.lane l LEFT JOIN ledger.checkpoint_run r ON r.lane = l.lane
         WHERE l.last_id > coalesce(r.through_id, 0)
    ), moved AS (
        SELECT m.account_id, s.lane, s.last_id, sum(m.fen)::bigint AS fen
          FROM span s
          JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id AND t.id <= s.last_id
         CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) m(account_id, fen)
         WHERE m.account_id < 1000000000000
         GROUP BY m.account_id, s.lane, s.last_id
    ), written AS (
        INSERT INTO ledger.checkpoint AS c (account_id, lane, through_id, balance_fen)
        SELECT account_id, lane, last_id, fen FROM moved
            ON CONFLICT (account_id, lane) DO UPDATE SET through_id = excluded.through_id, balance_fen = c.balance_fen + excluded.balance_fen
        RETURNING 1
    ), run AS (
        INSERT INTO ledger.checkpoint_run (lane, through_id, made_at) SELECT lane, last_id, now() FROM span
            ON CONFLICT (lane) DO UPDATE SET through_id = excluded.through_id, made_at = excluded.made_at
    )
    SELECT count(*) INTO v_count FROM written;
    RETURN v_count;
END $$;
