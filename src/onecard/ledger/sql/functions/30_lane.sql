-- A lane's lock, its ids and its chain: what every writer of the journal begins and ends with.

-- Takes the lane's lock and sets ids aside from the one returned in last_id + 1; a clock set back does not bring ids back.
CREATE OR REPLACE FUNCTION ledger.lock_lane(p_lane smallint) RETURNS ledger.lane
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_lane ledger.lane;
BEGIN
    SELECT * INTO STRICT v_lane FROM ledger.lane WHERE lane = p_lane FOR UPDATE;
    v_lane.last_id := greatest(v_lane.last_id, ledger.id_at(clock_timestamp()) - 1);
    IF v_lane.last_id + 1 >= v_lane.partitioned_to THEN
        v_lane.partitioned_to := ledger.partitioned_to(v_lane.last_id + 1);
    END IF;
    v_lane.last_batch := v_lane.last_batch + 1;
    RETURN v_lane;
END $$;

-- Ends a batch: chains its hash to the one before (sha256 of hash before, number, rows in id order) and moves the lane on. p_lane is
-- what lock_lane gave; p_legs the batch's rows in id order, read back from the journal when the caller does not have them.
CREATE OR REPLACE FUNCTION ledger.chain_batch(p_lane ledger.lane, p_last_id bigint, p_legs ledger.transfer[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_hash bytea;
BEGIN
    IF p_legs IS NULL THEN
        p_legs := ARRAY(SELECT t FROM ledger.transfer t WHERE t.lane = p_lane.lane AND t.id > p_lane.last_id AND t.id <= p_last_id ORDER BY t.id);
        IF cardinality(p_legs) = 0 THEN
            RETURN; -- nothing moved: no link in the chain
        END IF;
    END IF;
    INSERT INTO ledger.posting_batch (batch_no, first_id, last_id, posted_at, row_count, lane, hash)
    SELECT p_lane.last_batch, p_lane.last_id + 1, p_last_id, clock_timestamp(), count(*), p_lane.lane,
           sha256(p_lane.last_hash || int8send(p_lane.last_batch) || string_agg(record_send(l), ''::bytea)) FROM unnest(p_legs) l
    RETURNING hash INTO v_hash;
    UPDATE ledger.lane SET last_id = p_last_id, last_batch = p_lane.last_batch, last_hash = v_hash, partitioned_to = p_lane.partitioned_to
     WHERE lane = p_lane.lane;
END $$;
