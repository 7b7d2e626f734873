-- C2: the journal of personalisation only grows; what stood before a card was touched must be readable after whatever happened.
CREATE FUNCTION issuing_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'issuing_journal_append_only',
        MESSAGE = 'the journal of personalisation is append-only';
END $$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON issuing_journalline
    FOR EACH STATEMENT EXECUTE FUNCTION issuing_refuse_change();

-- C1: what a job has been given stays what it was, and an ended job stays ended.
CREATE FUNCTION issuing_keep_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.card_no IS NOT NULL AND NEW.card_no IS DISTINCT FROM OLD.card_no THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'issuing_job_number_stays',
            MESSAGE = format('job %s has its card number', OLD.id);
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        (OLD.state, NEW.state) IN (
            ('queued', 'claimed'), ('queued', 'rolled_back'), ('queued', 'done'), ('queued', 'failed'),
            ('claimed', 'writing'), ('claimed', 'verifying'), ('claimed', 'rolled_back'), ('claimed', 'failed'),
            ('writing', 'verifying'), ('writing', 'rolled_back'), ('writing', 'failed'),
            ('verifying', 'done'), ('verifying', 'writing'), ('verifying', 'rolled_back'), ('verifying', 'failed'))
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'issuing_job_transition',
            MESSAGE = format('job %s: %s -> %s', OLD.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_job BEFORE UPDATE ON issuing_job FOR EACH ROW EXECUTE FUNCTION issuing_keep_job();
