-- The operator's deposit book (12) gets its row and its name as the others do (operators/sql/ledger.sql).
CREATE TRIGGER open_deposit_book AFTER INSERT ON operators_operator
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_open_book_accounts(12);
INSERT INTO ledger.book_account (id, kind, ref_id, name)
SELECT 1200000000 + id, 12, id, name FROM operators_operator ON CONFLICT DO NOTHING;
CREATE FUNCTION cards_rename_deposit_book() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE ledger.book_account SET name = NEW.name WHERE id = 1200000000 + NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER rename_deposit_book AFTER UPDATE ON operators_operator
    FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION cards_rename_deposit_book();
