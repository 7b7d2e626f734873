-- What the ledger needs to know of the tree, in the same transaction: settlement mode, card limits, book accounts.
-- SECURITY DEFINER: the application role has no right to write these tables itself.

CREATE FUNCTION operators_sync_issuer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ledger.issuer (operator_id, unified) VALUES (NEW.id, NEW.settlement_mode = 'unified')
    ON CONFLICT (operator_id) DO UPDATE SET unified = excluded.unified;
    RETURN NULL;
END $$;
CREATE TRIGGER sync_issuer_insert AFTER INSERT ON operators_operator
    FOR EACH ROW EXECUTE FUNCTION operators_sync_issuer();
CREATE TRIGGER sync_issuer_update AFTER UPDATE ON operators_operator
    FOR EACH ROW WHEN (OLD.settlement_mode <> NEW.settlement_mode) EXECUTE FUNCTION operators_sync_issuer();

CREATE FUNCTION operators_sync_card_type() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ledger.card_type (card_type_id, limit_txn_fen, limit_meal_fen, limit_day_fen, limit_balance_fen)
    VALUES (NEW.id, NEW.limit_txn_fen, NEW.limit_meal_fen, NEW.limit_day_fen, NEW.limit_balance_fen)
    ON CONFLICT (card_type_id) DO UPDATE SET
        limit_txn_fen = excluded.limit_txn_fen, limit_meal_fen = excluded.limit_meal_fen,
        limit_day_fen = excluded.limit_day_fen, limit_balance_fen = excluded.limit_balance_fen;
    RETURN NULL;
END $$;
CREATE TRIGGER sync_card_type AFTER INSERT OR UPDATE ON operators_cardtype
    FOR EACH ROW EXECUTE FUNCTION operators_sync_card_type();

-- open_book_accounts(kind …): one book account a kind for each new row, id = kind * 10^8 + row id; a new name is carried over.
-- They are never deleted: transfers name them.
CREATE FUNCTION operators_open_book_accounts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO ledger.book_account (id, kind, ref_id, name)
    SELECT k.kind::bigint * 100000000 + n.id, k.kind, n.id, n.name
      FROM new_rows n CROSS JOIN unnest(TG_ARGV::smallint[]) AS k (kind)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE ledger.book_account.name IS DISTINCT FROM excluded.name;
    RETURN NULL;
END $$;
-- Merchant 1; unit 2 and its private purse funds 9; operator 3 own, 4 fee income, 5 funding, 6 debts, 7 holds, 8 payable,
-- 10 bank settlement, 11 netting.
CREATE TRIGGER open_book_accounts_insert AFTER INSERT ON operators_merchant
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_open_book_accounts(1);
CREATE TRIGGER open_book_accounts_update AFTER UPDATE ON operators_merchant
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_open_book_accounts(1);
CREATE TRIGGER open_book_accounts_insert AFTER INSERT ON operators_unit
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_open_book_accounts(2, 9);
CREATE TRIGGER open_book_accounts_update AFTER UPDATE ON operators_unit
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_open_book_accounts(2, 9);
CREATE TRIGGER open_book_accounts AFTER INSERT ON operators_operator
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION operators_open_book_accounts(3, 4, 5, 6, 7, 8, 10, 11);
-- By row and only for the name: the counters of an operator change far too often for a statement trigger over eight accounts.
CREATE FUNCTION operators_rename_book_accounts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE ledger.book_account SET name = NEW.name
     WHERE id = ANY (SELECT kind::bigint * 100000000 + NEW.id FROM unnest('{3,4,5,6,7,8,10,11}'::int[]) AS k (kind));
    RETURN NULL;
END $$;
CREATE TRIGGER rename_book_accounts AFTER UPDATE ON operators_operator
    FOR EACH ROW WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION operators_rename_book_accounts();
