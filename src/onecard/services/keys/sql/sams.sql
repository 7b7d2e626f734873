-- The order of a module's states, its append-only log, and NOTIFY on channel `sams`: payload `<number>:<state>:<terminal or 0>`,
-- or `*` when one statement changed many.

CREATE FUNCTION keys_sam_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.id <> OLD.id OR OLD.serial IS NOT NULL AND NEW.serial IS DISTINCT FROM OLD.serial
       OR NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
        'ordered>received', 'ordered>scrapped', 'received>personalised', 'received>blocked', 'received>scrapped',
        'personalised>bound', 'personalised>blocked', 'personalised>scrapped', 'personalised>received',
        'bound>personalised', 'bound>blocked',
        'blocked>received', 'blocked>personalised', 'blocked>bound', 'blocked>scrapped') THEN
        RAISE EXCEPTION 'SAM % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'sam_order_of_states';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE UPDATE ON keys_sam FOR EACH ROW EXECUTE FUNCTION keys_sam_moves();
CREATE TRIGGER keep BEFORE DELETE ON keys_sam FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('sam_kept');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON keys_samevent
    FOR EACH ROW EXECUTE FUNCTION keys_refuse_change('sam_log_final');

CREATE FUNCTION keys_sam_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 51) n) > 50 THEN
        PERFORM pg_notify('sams', '*');
    ELSE
        PERFORM pg_notify('sams', n.id || ':' || n.state || ':' || coalesce(n.terminal_id, 0)) FROM new_rows n;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER notify_insert AFTER INSERT ON keys_sam REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION keys_sam_notify();
CREATE TRIGGER notify_update AFTER UPDATE ON keys_sam REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION keys_sam_notify();
