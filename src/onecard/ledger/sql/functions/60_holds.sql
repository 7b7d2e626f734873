-- Holds that nobody ended: their money goes back to the purse when their time has run out.

-- Releases up to p_limit expired holds of a lane and says how many. The key is the hold's own: the state of its row makes it once.
CREATE OR REPLACE FUNCTION ledger.expire_holds(p_lane smallint, p_limit int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lane ledger.lane;
    v_hold ledger.hold;
    v_common ledger.transfer;
    v_count int := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.hold WHERE lane = p_lane AND state = 1 AND expires_at <= clock_timestamp()) THEN
        RETURN 0; -- nothing to do, and no lock taken to find out
    END IF;
    v_lane := ledger.lock_lane(p_lane);
    FOR v_hold IN SELECT * FROM ledger.hold WHERE lane = p_lane AND state = 1 AND expires_at <= clock_timestamp()
                   ORDER BY expires_at, transfer_id LIMIT p_limit LOOP
        v_count := v_count + 1;
        v_common := ROW(0, 0, 0, 0, NULL, NULL, -4, v_hold.transfer_id, v_hold.card_no, v_hold.account_no, NULL, NULL, v_lane.last_batch,
                        clock_timestamp(), (now() AT TIME ZONE 'Asia/Shanghai')::date, v_hold.operator_id, p_lane, 0)::ledger.transfer;
        PERFORM ledger.post_legs(
            ARRAY[ledger.plan_leg(6, 700000000 + v_hold.operator_id, v_hold.account_no * 100000 + v_hold.unit_id, v_hold.amount_fen,
                                  v_hold.transfer_id)],
            v_common, v_lane.last_id + v_count, v_hold.business_date, v_hold.meal);
        UPDATE ledger.hold SET state = 4 WHERE lane = p_lane AND transfer_id = v_hold.transfer_id;
    END LOOP;
    IF v_count > 0 THEN
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + v_count);
    END IF;
    RETURN v_count;
END $$;
