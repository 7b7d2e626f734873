-- Changes of lines and terminals are told on channel `directory`, as those of the tree are.
SELECT operators_watch_directory('devices_line', 'line');
SELECT operators_watch_directory('devices_terminal', 'terminal');
-- The line a terminal came from and the one it went to have changed as well: both list their terminals.
SELECT operators_watch_directory('devices_terminal', 'line', 'line_id');

-- N3: a terminal speaks over a line of its merchant's own unit; over an operator's line only for that operator's merchants.
CREATE FUNCTION devices_check_terminal_line() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT n.id INTO wrong
      FROM new_rows n
      JOIN devices_line l ON l.id = n.line_id
      JOIN operators_merchant m ON m.id = n.merchant_id
     WHERE NOT coalesce(l.unit_id = m.unit_id, false) AND NOT coalesce(l.operator_id = m.operator_id, false)
     LIMIT 1;
    IF FOUND THEN
        PERFORM operators_refuse('terminal_line_owner', format('terminal %s: the line is of another unit or operator', wrong));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_line_insert AFTER INSERT ON devices_terminal
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION devices_check_terminal_line();
CREATE TRIGGER check_line_update AFTER UPDATE ON devices_terminal
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION devices_check_terminal_line();
