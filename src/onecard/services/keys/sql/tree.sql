-- What holds the key tree whatever a program does: the order of states, identities that never change, one vault that stays.

CREATE FUNCTION keys_key_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.key_set_id, NEW.use, NEW.algorithm, NEW.level, NEW.owner, NEW.version, NEW.index, NEW.parent_id, NEW.factor,
        NEW.origin, NEW.exportable, NEW.kcv, NEW.public, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.key_set_id, OLD.use, OLD.algorithm, OLD.level, OLD.owner, OLD.version, OLD.index, OLD.parent_id, OLD.factor,
        OLD.origin, OLD.exportable, OLD.kcv, OLD.public, OLD.created_at)
       OR (NEW.state <> 'destroyed' AND (NEW.blob, NEW.object_id) IS DISTINCT FROM (OLD.blob, OLD.object_id)) THEN
        RAISE EXCEPTION 'key % keeps what it is', OLD.id USING ERRCODE = 'restrict_violation', CONSTRAINT = 'key_identity';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('pending', 'active'), ('active', 'retiring'), ('active', 'retired'), ('retiring', 'retired'), ('retiring', 'active'),
        ('pending', 'destroyed'), ('retired', 'destroyed'), ('retiring', 'destroyed')) THEN
        RAISE EXCEPTION 'key % does not go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'key_transition';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moves BEFORE UPDATE ON keys_key FOR EACH ROW EXECUTE FUNCTION keys_key_moves();

CREATE FUNCTION keys_stays() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% keeps its rows', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', CONSTRAINT = 'keys_stay';
END $$;
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON keys_key FOR EACH STATEMENT EXECUTE FUNCTION keys_stays();
CREATE TRIGGER stays BEFORE DELETE OR TRUNCATE ON keys_vaultheader FOR EACH STATEMENT EXECUTE FUNCTION keys_stays();

-- Processes keep the tree in memory and look at this stamp before each use.
CREATE FUNCTION keys_stamp() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE public.keys_vaultheader SET tree_stamp = tree_stamp + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER stamp AFTER INSERT OR UPDATE ON keys_key FOR EACH STATEMENT EXECUTE FUNCTION keys_stamp();
CREATE TRIGGER stamp AFTER INSERT OR UPDATE ON keys_keyset FOR EACH STATEMENT EXECUTE FUNCTION keys_stamp();

INSERT INTO keys_keyset (code, name, levels, algorithm) VALUES ('PURSE', '公共钱包', 2, 0);
