-- What holds the stock of modules (the order of states: sam_moves.sql): an append-only log, and NOTIFY on channel `sams`: payload `<number>:<state>:<terminal or 0>`,
-- or `*` when one statement changed many.

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
