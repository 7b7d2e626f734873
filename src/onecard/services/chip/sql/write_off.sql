-- What was proposed and answered never changes, the sum of a write-off neither.
CREATE OR REPLACE FUNCTION chip_check_decision() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.approved IS NOT NULL
       OR (OLD.subject, OLD.subject_id, OLD.operator_id, OLD.outcome, OLD.amount_fen, OLD.reason, OLD.requested_by, OLD.requested_at)
          IS DISTINCT FROM
          (NEW.subject, NEW.subject_id, NEW.operator_id, NEW.outcome, NEW.amount_fen, NEW.reason, NEW.requested_by, NEW.requested_at) THEN
        PERFORM chip_refuse('chip_decision_kept', format('decision %s: what was proposed and answered never changes', OLD.id));
    END IF;
    RETURN NEW;
END $$;
