-- The ledger's copies of what it needs of cardholders where money is put in: the caps, and who is anonymous.
INSERT INTO people_legalcap (valid_from, anonymous_fen, registered_fen, basis, created_by, created_at) VALUES
    ('2012-11-01', 100000, 500000, '《支付机构预付卡业务管理办法》第五条、《单用途商业预付卡管理办法（试行）》第十八条', 'onecard', now());
INSERT INTO ledger.legal_cap (valid_from, anonymous_fen, registered_fen)
    SELECT valid_from, anonymous_fen, registered_fen FROM people_legalcap;
INSERT INTO ledger.anonymous_holder (holder_id) SELECT id FROM people_holder WHERE anonymous;

-- What has begun to hold is history: it stays, and nothing is put in before it.
CREATE FUNCTION people_keep_caps() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE today date := (now() AT TIME ZONE 'Asia/Shanghai')::date;
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.valid_from <= today OR TG_OP <> 'DELETE' AND NEW.valid_from < today THEN
        RAISE EXCEPTION 'a cap that has begun is not changed'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'legal_cap_begun';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM ledger.legal_cap WHERE valid_from = OLD.valid_from;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO ledger.legal_cap (valid_from, anonymous_fen, registered_fen)
            VALUES (NEW.valid_from, NEW.anonymous_fen, NEW.registered_fen);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_caps AFTER INSERT OR UPDATE OR DELETE ON people_legalcap
    FOR EACH ROW EXECUTE FUNCTION people_keep_caps();

CREATE FUNCTION people_keep_anonymous() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM ledger.anonymous_holder h USING old_rows o WHERE h.holder_id = o.id AND o.anonymous;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO ledger.anonymous_holder (holder_id) SELECT id FROM new_rows WHERE anonymous;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_anonymous_insert AFTER INSERT ON people_holder
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION people_keep_anonymous();
CREATE TRIGGER keep_anonymous_update AFTER UPDATE ON people_holder
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION people_keep_anonymous();
CREATE TRIGGER keep_anonymous_delete AFTER DELETE ON people_holder
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION people_keep_anonymous();
