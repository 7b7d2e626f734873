-- What is signed and told apart by its hash or its version never changes under that name; automatic data only moves forward (D2).

CREATE FUNCTION rollouts_refuse(p_constraint text, p_message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = p_constraint, MESSAGE = p_message;
END $$;

-- Parts are read by substring: stored whole and plain, so that no part needs the content unpacked.
ALTER TABLE rollouts_blob ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE rollouts_blob
    ADD CONSTRAINT rollouts_blob_hash CHECK (sha256 = sha256(content)),
    ADD CONSTRAINT rollouts_blob_length CHECK (length = octet_length(content));

CREATE FUNCTION rollouts_fixed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM rollouts_refuse('rollouts_fixed', format('%s: what is signed never changes', TG_TABLE_NAME));
    RETURN NULL;
END $$;
CREATE TRIGGER fixed BEFORE UPDATE ON rollouts_blob FOR EACH ROW EXECUTE FUNCTION rollouts_fixed();
CREATE TRIGGER fixed BEFORE UPDATE ON rollouts_metadatafile FOR EACH ROW EXECUTE FUNCTION rollouts_fixed();
CREATE TRIGGER fixed BEFORE UPDATE ON rollouts_datatarget FOR EACH ROW EXECUTE FUNCTION rollouts_fixed();

CREATE FUNCTION rollouts_forward() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.name <> OLD.name OR NEW.version <= OLD.version OR NEW.previous <> OLD.version THEN
        PERFORM rollouts_refuse('rollouts_data_forward', format('%s: version %s after %s', OLD.name, NEW.version, OLD.version));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forward BEFORE UPDATE ON rollouts_publisheddata FOR EACH ROW EXECUTE FUNCTION rollouts_forward();

CREATE FUNCTION rollouts_check_release() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF to_jsonb(OLD) - ARRAY['state', 'released_at'] <> to_jsonb(NEW) - ARRAY['state', 'released_at'] THEN
        PERFORM rollouts_refuse('rollouts_release_fixed', format('release %s: only its state changes', OLD.id));
    END IF;
    IF (OLD.state, NEW.state) NOT IN (('draft', 'draft'), ('draft', 'released'), ('released', 'released'), ('released', 'withdrawn')) THEN
        PERFORM rollouts_refuse('rollouts_release_order', format('release %s: %s after %s', OLD.id, NEW.state, OLD.state));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_release BEFORE UPDATE ON rollouts_release FOR EACH ROW EXECUTE FUNCTION rollouts_check_release();
