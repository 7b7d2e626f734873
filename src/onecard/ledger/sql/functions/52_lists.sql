-- Signals what front-ends have to be told: a change of the deny list, of a unit's cards. The list itself is the index card_barred.

CREATE OR REPLACE FUNCTION ledger.note_cards_added() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.list_change (unit_id, barred)
    SELECT a.unit_id, bool_or(n.denied OR n.status > 1 OR n.account_status > 1)
      FROM added n JOIN ledger.account a ON a.account_no = n.account_no GROUP BY a.unit_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger.note_card_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.list_change (unit_id, barred)
    SELECT a.unit_id, (OLD.denied OR OLD.status > 1 OR OLD.account_status > 1) <> (NEW.denied OR NEW.status > 1 OR NEW.account_status > 1)
      FROM ledger.account a WHERE a.account_no = NEW.account_no;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION ledger.note_account_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.list_change (unit_id, barred) SELECT DISTINCT u, false FROM unnest(ARRAY[OLD.unit_id, NEW.unit_id]) AS c (u);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER note_added AFTER INSERT ON ledger.card REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.note_cards_added();
CREATE OR REPLACE TRIGGER note_changed AFTER UPDATE ON ledger.card FOR EACH ROW
    WHEN ((OLD.status, OLD.account_status, OLD.denied, OLD.card_type_id, OLD.valid_until)
          IS DISTINCT FROM (NEW.status, NEW.account_status, NEW.denied, NEW.card_type_id, NEW.valid_until))
    EXECUTE FUNCTION ledger.note_card_changed();
CREATE OR REPLACE TRIGGER note_changed AFTER UPDATE ON ledger.account FOR EACH ROW
    WHEN (OLD.unit_id <> NEW.unit_id OR OLD.holder_id IS DISTINCT FROM NEW.holder_id)
    EXECUTE FUNCTION ledger.note_account_changed();

-- What has changed since it was taken last. In one transaction with the publication: what fails is taken again.
CREATE OR REPLACE FUNCTION ledger.take_list_changes() RETURNS TABLE (unit_id int, barred boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH taken AS (DELETE FROM ledger.list_change c RETURNING c.unit_id, c.barred)
    SELECT t.unit_id, bool_or(t.barred) FROM taken t GROUP BY t.unit_id;
$$;
