-- What holds the custody of keys whatever a program does: components vanish with their ceremony, decisions and logs are final.

CREATE FUNCTION keys_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_ARGV[0];
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON keys_ceremonyevent
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('ceremony_log_final');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON keys_transcript
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('transcript_final');
CREATE TRIGGER keep BEFORE DELETE ON keys_ceremony FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('ceremony_final');
CREATE TRIGGER keep BEFORE DELETE ON keys_ceremonycomponent FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('component_final');
CREATE TRIGGER keep BEFORE DELETE ON keys_keyrequest FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('key_request_final');

CREATE FUNCTION keys_ceremony_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state IN ('done', 'aborted') OR (OLD.state = 'handing_out' AND NEW.state NOT IN ('handing_out', 'done'))
       OR (NEW.use, NEW.algorithm, NEW.threshold, NEW.count, NEW.opened_by, NEW.opened_at)
          IS DISTINCT FROM (OLD.use, OLD.algorithm, OLD.threshold, OLD.count, OLD.opened_by, OLD.opened_at) THEN
        RAISE EXCEPTION 'ceremony % cannot change so', OLD.id USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ceremony_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE UPDATE ON keys_ceremony FOR EACH ROW EXECUTE FUNCTION keys_ceremony_moves();

-- At commit: of a ceremony that has ended no component is left, not even sealed.
CREATE FUNCTION keys_ceremony_wiped() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.keys_ceremonycomponent p
               WHERE p.ceremony_id = NEW.id AND (p.sealed IS NOT NULL OR p.state <> 'wiped')) THEN
        RAISE EXCEPTION 'ceremony % has ended with components left', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ceremony_wiped';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wiped AFTER UPDATE ON keys_ceremony DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.state IN ('done', 'aborted')) EXECUTE FUNCTION keys_ceremony_wiped();

-- A custodian is named when the ceremony is opened and stays; nothing comes back into an ended ceremony.
CREATE FUNCTION keys_component_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state = 'wiped' OR (NEW.ceremony_id, NEW.number, NEW.custodian)
                              IS DISTINCT FROM (OLD.ceremony_id, OLD.number, OLD.custodian) THEN
        RAISE EXCEPTION 'component % cannot change so', OLD.id USING ERRCODE = 'restrict_violation', CONSTRAINT = 'component_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE UPDATE ON keys_ceremonycomponent FOR EACH ROW EXECUTE FUNCTION keys_component_moves();

CREATE FUNCTION keys_request_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- A decision is written before it is carried out; what came of it is filled in once, in the same transaction.
    IF OLD.state <> 'waiting' AND NOT (OLD.state = 'executed' AND OLD.result = '{}'
           AND to_jsonb(NEW) - 'result' = to_jsonb(OLD) - 'result')
       OR (NEW.action, NEW.key_id, NEW.sam_no, NEW.parameters, NEW.reason, NEW.requested_by, NEW.requested_at, NEW.expires_at)
          IS DISTINCT FROM
          (OLD.action, OLD.key_id, OLD.sam_no, OLD.parameters, OLD.reason, OLD.requested_by, OLD.requested_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'request % is decided', OLD.id USING ERRCODE = 'restrict_violation', CONSTRAINT = 'key_request_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE UPDATE ON keys_keyrequest FOR EACH ROW EXECUTE FUNCTION keys_request_moves();

CREATE FUNCTION keys_request_waits() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state <> 'waiting' THEN
        RAISE EXCEPTION 'a request begins by waiting' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'key_request_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER waits BEFORE INSERT ON keys_keyrequest FOR EACH ROW EXECUTE FUNCTION keys_request_waits();
