-- What was in force when canaries came was named to everybody; from here on what everybody is named only grows, as versions do (D2).

CREATE OR REPLACE FUNCTION rollouts_forward() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.name = OLD.name AND NEW.version = OLD.version AND NEW.previous = OLD.previous AND NEW.named > OLD.named THEN
        RETURN NEW;
    END IF;
    IF NEW.name <> OLD.name OR NEW.version <= OLD.version OR NEW.previous <> OLD.version OR NEW.named < OLD.named THEN
        PERFORM rollouts_refuse('rollouts_data_forward', format('%s: version %s after %s', OLD.name, NEW.version, OLD.version));
    END IF;
    RETURN NEW;
END $$;

UPDATE rollouts_publisheddata SET named = version;
