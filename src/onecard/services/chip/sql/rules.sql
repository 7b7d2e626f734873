-- What was kept is never lost (P5): content does not change, what is settled stays settled, and people's settlements are two people's.

CREATE FUNCTION chip_refuse(p_constraint text, p_message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = p_constraint, MESSAGE = p_message;
END $$;

CREATE FUNCTION chip_keep() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '不可删除 / never deleted: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON chip_heldrecord FOR EACH STATEMENT EXECUTE FUNCTION chip_keep();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON chip_decision FOR EACH STATEMENT EXECUTE FUNCTION chip_keep();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON chip_load FOR EACH STATEMENT EXECUTE FUNCTION chip_keep();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON chip_loaddoubt FOR EACH STATEMENT EXECUTE FUNCTION chip_keep();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE OR TRUNCATE ON chip_purchase FOR EACH STATEMENT EXECUTE FUNCTION chip_keep();

CREATE FUNCTION chip_check_record() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state <> 'open' OR to_jsonb(OLD) - ARRAY['state', 'how', 'settled_at', 'transfer_id', 'decision_id']
                              <> to_jsonb(NEW) - ARRAY['state', 'how', 'settled_at', 'transfer_id', 'decision_id'] THEN
        PERFORM chip_refuse('chip_record_kept', format('record %s: content and what is settled never change', OLD.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_record BEFORE UPDATE ON chip_heldrecord FOR EACH ROW EXECUTE FUNCTION chip_check_record();

-- Whatever people settle rests on a decision about that very row that two of them made.
CREATE FUNCTION chip_check_people() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM chip_decision d WHERE d.id = NEW.decision_id AND d.approved AND d.subject = TG_ARGV[0] AND d.subject_id = NEW.id) THEN
        PERFORM chip_refuse('chip_two_people', format('%s %s: no decision of two people', TG_ARGV[0], NEW.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_people BEFORE INSERT OR UPDATE ON chip_heldrecord
    FOR EACH ROW WHEN (NEW.how = 'people') EXECUTE FUNCTION chip_check_people('record');
CREATE TRIGGER check_people BEFORE INSERT OR UPDATE ON chip_loaddoubt
    FOR EACH ROW WHEN (NEW.how = 'people') EXECUTE FUNCTION chip_check_people('doubt');
CREATE TRIGGER check_people BEFORE INSERT OR UPDATE ON chip_counterhole
    FOR EACH ROW WHEN (NEW.how = 'people') EXECUTE FUNCTION chip_check_people('hole');

CREATE FUNCTION chip_check_decision() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.approved IS NOT NULL
       OR (OLD.subject, OLD.subject_id, OLD.operator_id, OLD.outcome, OLD.reason, OLD.requested_by, OLD.requested_at)
          IS DISTINCT FROM (NEW.subject, NEW.subject_id, NEW.operator_id, NEW.outcome, NEW.reason, NEW.requested_by, NEW.requested_at) THEN
        PERFORM chip_refuse('chip_decision_kept', format('decision %s: what was proposed and answered never changes', OLD.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_decision BEFORE UPDATE ON chip_decision FOR EACH ROW EXECUTE FUNCTION chip_check_decision();

-- A settled load moves no more: that it was written after its money had been given back is a doubt, a row of its own.
CREATE FUNCTION chip_check_load() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state <> 'taken' OR to_jsonb(OLD) - ARRAY['state', 'settled_at', 'tac'] <> to_jsonb(NEW) - ARRAY['state', 'settled_at', 'tac'] THEN
        PERFORM chip_refuse('chip_load_kept', format('load %s is settled', OLD.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_load BEFORE UPDATE ON chip_load FOR EACH ROW EXECUTE FUNCTION chip_check_load();

-- Ranges of one number never overlap, filled ones included: a counter is missing, or was, in one row.
ALTER TABLE chip_counterhole ADD CONSTRAINT chip_hole_card_once
    EXCLUDE USING gist (int8range(number, number, '[]') WITH =, int8range(first, last, '[]') WITH &&) WHERE (kind = 'card');
ALTER TABLE chip_counterhole ADD CONSTRAINT chip_hole_sam_once
    EXCLUDE USING gist (int8range(number, number, '[]') WITH =, int8range(first, last, '[]') WITH &&) WHERE (kind = 'sam');

INSERT INTO chip_chipparameter (id, max_counter_jump, max_age_days, max_future_s, max_amount_fen, max_balance_fen, alarm_hole_hours,
                                alarm_gray_hours, alarm_doubt_minutes, alarm_quarantine_hours)
VALUES (1, 300, 90, 600, 100000, 100000, 72, 72, 30, 48);
