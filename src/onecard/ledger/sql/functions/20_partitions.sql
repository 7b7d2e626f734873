-- Partitions of the journal, a month each. Attached, not created in place: ATTACH does not stop who is posting.

CREATE OR REPLACE FUNCTION ledger.ensure_partitions(p_months int DEFAULT 3, p_from timestamptz DEFAULT now()) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_month timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_name text;
    v_made int := 0;
BEGIN
    ASSERT p_months BETWEEN 0 AND 1200;
    FOR n IN 0..p_months LOOP
        v_name := 'transfer_' || to_char(v_month, 'YYYY"m"MM');
        -- Asked by query: to_regclass may answer from a cache that does not know what another session has just made.
        IF NOT EXISTS (SELECT FROM pg_class WHERE relname = v_name AND relnamespace = 'ledger'::regnamespace) THEN
            PERFORM pg_advisory_xact_lock(7310001);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_class WHERE relname = v_name AND relnamespace = 'ledger'::regnamespace) THEN
            EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.transfer INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
            EXECUTE format('ALTER TABLE ledger.transfer ATTACH PARTITION ledger.%I FOR VALUES FROM (%s) TO (%s)', v_name,
                           ledger.id_at(v_month AT TIME ZONE 'UTC'),
                           ledger.id_at((v_month + interval '1 month') AT TIME ZONE 'UTC'));
            -- Row triggers come down from the parent by themselves, statement triggers do not.
            EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', v_name);
            v_made := v_made + 1;
        END IF;
        v_month := v_month + interval '1 month';
    END LOOP;
    RETURN v_made;
END $$;

-- Called at every migration; the worker calls it daily, and posting itself when it meets a month without a partition.
DO $$ BEGIN PERFORM ledger.ensure_partitions(6); END $$;

-- The id up to which partitions stand, once the month of p_id has one; 30_lane keeps it in the lane's row.
CREATE OR REPLACE FUNCTION ledger.partitioned_to(p_id bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_month timestamp := date_trunc('month', ledger.id_time(p_id) AT TIME ZONE 'UTC');
BEGIN
    PERFORM ledger.ensure_partitions(1, v_month AT TIME ZONE 'UTC');
    RETURN ledger.id_at((v_month + interval '1 month') AT TIME ZONE 'UTC');
END $$;
