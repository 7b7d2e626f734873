-- NOTIFY on channel `directory`, payload `table:id`, or `table:*` when one statement changed many rows; sent at commit.

-- directory_notify(name in the payload, id column, columns that do not matter …)
CREATE FUNCTION operators_directory_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    collapse_over CONSTANT int := 50;
    ignored  text[] := TG_ARGV[2:];
    changed  bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        EXECUTE format('SELECT array_agg(DISTINCT %1$I) FROM new_rows WHERE %1$I IS NOT NULL', TG_ARGV[1]) INTO changed;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format('SELECT array_agg(DISTINCT %1$I) FROM old_rows WHERE %1$I IS NOT NULL', TG_ARGV[1]) INTO changed;
    ELSE
        EXECUTE format(
            'SELECT array_agg(DISTINCT i) FROM (
                 SELECT unnest(ARRAY[n.%1$I, o.%1$I]::bigint[]) AS i
                   FROM new_rows n FULL JOIN old_rows o ON o.id = n.id
                  WHERE to_jsonb(n) - $1 IS DISTINCT FROM to_jsonb(o) - $1) c WHERE i IS NOT NULL', TG_ARGV[1])
            INTO changed USING ignored;
    END IF;
    IF cardinality(changed) > collapse_over THEN
        PERFORM pg_notify('directory', TG_ARGV[0] || ':*');
    ELSIF changed IS NOT NULL THEN
        PERFORM pg_notify('directory', TG_ARGV[0] || ':' || i) FROM unnest(changed) AS c (i);
    END IF;
    RETURN NULL;
END $$;

-- watch_directory(table, payload name, id column, ignored columns): the three triggers of one table.
CREATE FUNCTION operators_watch_directory(
    p_table regclass, p_name text, p_id_column text DEFAULT 'id', p_ignored text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    arguments text;
BEGIN
    SELECT string_agg(quote_literal(a), ', ') INTO arguments FROM unnest(ARRAY[p_name, p_id_column] || p_ignored) AS x (a);
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION operators_directory_notify(%s)', 'notify_insert_' || p_name, p_table, arguments);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION operators_directory_notify(%s)', 'notify_update_' || p_name, p_table, arguments);
    EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION operators_directory_notify(%s)', 'notify_delete_' || p_name, p_table, arguments);
END $$;

SELECT operators_watch_directory('operators_operator', 'operator', p_ignored => '{holder_count,unit_count,child_count,holder_cap}');
SELECT operators_watch_directory('operators_unit', 'unit');
SELECT operators_watch_directory('operators_merchant', 'merchant');
SELECT operators_watch_directory('operators_cardtype', 'card_type');
-- The id in a meal period's payload is that of its unit: after a deletion its own would lead nowhere.
SELECT operators_watch_directory('operators_mealperiod', 'meal_period', 'unit_id');
