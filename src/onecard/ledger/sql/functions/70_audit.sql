-- Where an audit begins, and the mark it leaves when it found everything in order.

CREATE OR REPLACE FUNCTION ledger.audit_span(p_full boolean) RETURNS TABLE (lane smallint, from_batch bigint, from_id bigint, to_batch bigint,
                                                                            to_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 4 SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.lane, CASE WHEN p_full THEN 0 ELSE coalesce(m.batch_no, 0) END, CASE WHEN p_full THEN 0 ELSE coalesce(m.through_id, 0) END,
           l.last_batch, l.last_id
      FROM ledger.lane l LEFT JOIN ledger.audit_mark m ON m.lane = l.lane
     WHERE l.last_id > CASE WHEN p_full THEN -1 ELSE coalesce(m.through_id, 0) END
$$;

CREATE OR REPLACE FUNCTION ledger.mark_audited(p_lane bigint[], p_batch bigint[], p_through bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO ledger.audit_mark AS m (lane, batch_no, through_id) SELECT * FROM unnest(p_lane, p_batch, p_through)
        ON CONFLICT (lane) DO UPDATE SET batch_no = greatest(m.batch_no, excluded.batch_no),
           through_id = greatest(m.through_id, excluded.through_id), audited_at = now()
$$;
