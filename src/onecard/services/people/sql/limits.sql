-- O2: the cap on an operator's cardholders, counted once a statement (a COPY of 300,000 rows is one update of the counter).
CREATE TRIGGER count_holders_insert AFTER INSERT ON people_holder
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('holder_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_holders_update AFTER UPDATE ON people_holder
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('holder_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_holders_delete AFTER DELETE ON people_holder
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_keep_count('holder_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON people_holder
    FOR EACH STATEMENT EXECUTE FUNCTION operators_refuse_truncate();

-- A holder belongs to the operator of the unit. Without ON UPDATE CASCADE on purpose: a unit whose holders have accounts with one
-- issuer cannot be handed to another operator by moving one row.
ALTER TABLE people_holder ADD CONSTRAINT holder_unit_operator
    FOREIGN KEY (unit_id, operator_id) REFERENCES operators_unit (id, operator_id);
