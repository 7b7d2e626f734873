-- The order of a module's states. Out of 'blocked' leads the scrap heap, and an approved request (sam_unblock) that is carried out
-- in this very transaction; the terminal of a blocked module stays.

CREATE OR REPLACE FUNCTION keys_sam_moves() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    own CONSTANT bigint := pg_current_xact_id()::text::bigint;
    ahead bigint;  -- how far the transaction (or savepoint) that approved lies behind the beginning of our own
BEGIN
    IF NEW.id <> OLD.id OR OLD.serial IS NOT NULL AND NEW.serial IS DISTINCT FROM OLD.serial
       OR OLD.state = 'blocked' AND NEW.state <> 'scrapped' AND NEW.terminal_id IS DISTINCT FROM OLD.terminal_id
       OR NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
        'ordered>received', 'ordered>scrapped', 'received>personalised', 'received>blocked', 'received>scrapped',
        'personalised>bound', 'personalised>blocked', 'personalised>scrapped', 'personalised>received',
        'bound>personalised', 'bound>blocked',
        'blocked>received', 'blocked>personalised', 'blocked>bound', 'blocked>scrapped') THEN
        RAISE EXCEPTION 'SAM % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'sam_order_of_states';
    END IF;
    IF OLD.state = 'blocked' AND NEW.state NOT IN ('blocked', 'scrapped') THEN
        SELECT (r.xmin::text::bigint - own) & 4294967295 INTO ahead FROM keys_keyrequest r
            WHERE r.action = 'sam_unblock' AND r.sam_no = OLD.id AND r.state = 'executed' ORDER BY r.decided_at DESC LIMIT 1;
        -- We see the row, so that a writer who is still at work is ourselves.
        IF ahead IS NULL OR ahead >= 2147483648 OR pg_xact_status((own + ahead)::text::xid8) <> 'in progress' THEN
            RAISE EXCEPTION 'SAM % is blocked, and no request to lift it is carried out', OLD.id
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'sam_unblocked_by_two';
        END IF;
    END IF;
    RETURN NEW;
END $$;
