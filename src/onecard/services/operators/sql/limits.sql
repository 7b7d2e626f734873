-- O1, O2: counters on the operator row, kept by statement-level triggers, so that one COPY of 300,000 rows costs one update.
-- The CHECKs on the counters (models.py) are the limits: whoever comes past one loses his whole transaction.

-- keep_count(counter, owner column, condition of what counts): adds up what a statement changed and moves the owners' counters.
CREATE FUNCTION operators_keep_count() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    counter  text := TG_ARGV[0];
    owner    text := TG_ARGV[1];
    counted  text := TG_ARGV[2];
    parts    text[] := '{}';
    owners   int[];
    deltas   int[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        parts := parts || format('SELECT %I AS id, 1 AS n FROM new_rows WHERE %s', owner, counted);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        parts := parts || format('SELECT %I AS id, -1 AS n FROM old_rows WHERE %s', owner, counted);
    END IF;
    EXECUTE format(
        'SELECT array_agg(id ORDER BY id), array_agg(n ORDER BY id)
           FROM (SELECT id, sum(n)::int AS n FROM (%s) c WHERE id IS NOT NULL GROUP BY id HAVING sum(n) <> 0) d',
        array_to_string(parts, ' UNION ALL ')) INTO owners, deltas;
    -- Not only thrift: an UPDATE of no rows would fire the operators' own statement triggers again, without end.
    IF owners IS NULL THEN
        RETURN NULL;
    END IF;
    -- Locked in id order before the update, whose own order nobody promises.
    PERFORM 1 FROM operators_operator WHERE id = ANY (owners) ORDER BY id FOR NO KEY UPDATE;
    EXECUTE format(
        'UPDATE operators_operator o SET %1$I = o.%1$I + d.n FROM unnest($1, $2) AS d (id, n) WHERE o.id = d.id', counter)
        USING owners, deltas;
    RETURN NULL;
END $$;

-- Counters are the triggers' alone: what a caller writes into them is ignored, so that a stale save() does no harm.
CREATE FUNCTION operators_protect_counters() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.holder_count := 0;
        NEW.unit_count := 0;
        NEW.child_count := 0;
    ELSIF pg_trigger_depth() < 2 THEN
        NEW.holder_count := OLD.holder_count;
        NEW.unit_count := OLD.unit_count;
        NEW.child_count := OLD.child_count;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER protect_counters BEFORE INSERT OR UPDATE ON operators_operator
    FOR EACH ROW EXECUTE FUNCTION operators_protect_counters();

CREATE TRIGGER count_children_insert AFTER INSERT ON operators_operator
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('child_count', 'parent_id', 'status <> ''closed''');
CREATE TRIGGER count_children_update AFTER UPDATE ON operators_operator
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('child_count', 'parent_id', 'status <> ''closed''');
CREATE TRIGGER count_children_delete AFTER DELETE ON operators_operator
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('child_count', 'parent_id', 'status <> ''closed''');

-- A closed unit is detached: it gives its place free.
CREATE TRIGGER count_units_insert AFTER INSERT ON operators_unit
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('unit_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_units_update AFTER UPDATE ON operators_unit
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('unit_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_units_delete AFTER DELETE ON operators_unit
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('unit_count', 'operator_id', 'state <> ''closed''');

-- Emptying a table at a stroke would leave the counters behind.
CREATE FUNCTION operators_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is counted (O1, O2): delete rows, do not truncate', TG_TABLE_NAME;
END $$;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON operators_unit
    FOR EACH STATEMENT EXECUTE FUNCTION operators_refuse_truncate();

-- Counters change with every holder: keep those updates on the row's own page.
ALTER TABLE operators_operator SET (fillfactor = 50);
