-- C2: a job stays what it was asked for; which old card it replaces cannot change under way.
CREATE FUNCTION issuing_keep_purpose() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = 'issuing_job_purpose_stays',
        MESSAGE = format('job %s is to %s card %s', OLD.id, OLD.purpose, OLD.old_card_no);
END $$;
CREATE TRIGGER keep_purpose BEFORE UPDATE ON issuing_job FOR EACH ROW
    WHEN ((NEW.purpose, NEW.old_card_no, NEW.fee_waived) IS DISTINCT FROM (OLD.purpose, OLD.old_card_no, OLD.fee_waived))
    EXECUTE FUNCTION issuing_keep_purpose();
