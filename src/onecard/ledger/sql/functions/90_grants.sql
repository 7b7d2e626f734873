-- What the application role may do: read, and call the functions that move money. It changes no journal, key or purse by itself.

DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.name);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'onecard_app') THEN
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA ledger TO onecard_app;
    GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO onecard_app;
    -- Kept in step by the directory's own triggers, which run as the owner: settlement modes and limits decide over money.
    REVOKE INSERT, UPDATE, DELETE ON ledger.issuer, ledger.card_type, ledger.book_account FROM onecard_app;
    GRANT INSERT ON ledger.opening_row TO onecard_app;
    GRANT UPDATE (hold_ttl) ON ledger.parameter TO onecard_app;
    GRANT UPDATE (resolved_at, reason) ON ledger.quarantine TO onecard_app;
    FOR f IN SELECT p.oid::regprocedure AS name FROM pg_proc p
              WHERE p.pronamespace = 'ledger'::regnamespace AND (p.prosecdef OR p.proname IN ('id_at', 'id_time')) LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO onecard_app', f.name);
    END LOOP;
END $$;
