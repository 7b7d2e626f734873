-- The day cut's stop: waits for every posting in flight and holds new ones back until the caller's transaction ends, which is a
-- few milliseconds. In lane order, like everybody who takes more than one. SECURITY DEFINER: the application may not lock rows
-- of a table it may not update.
CREATE OR REPLACE FUNCTION ledger.lock_lanes() RETURNS TABLE (o_lane smallint, o_last_id bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, ledger AS $$
  SELECT l.lane, l.last_id FROM ledger.lane l ORDER BY l.lane FOR UPDATE
$$;
REVOKE ALL ON FUNCTION ledger.lock_lanes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.lock_lanes() TO onecard_app;
