-- G2: a revoked line stays revoked, and no certificate is issued to it any more: a device that comes back gets a new line.
CREATE FUNCTION devices_check_revoked_line() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state = 'revoked' AND (NEW.state <> 'revoked' OR NEW.certificate_sha256 IS DISTINCT FROM OLD.certificate_sha256) THEN
        PERFORM operators_refuse('line_revoked_for_good', format('line %s is revoked', NEW.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_revoked BEFORE UPDATE ON devices_line
    FOR EACH ROW EXECUTE FUNCTION devices_check_revoked_line();
