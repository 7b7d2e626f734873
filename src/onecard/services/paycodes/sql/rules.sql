-- Defaults from the beginning, and what nobody changes afterwards.
INSERT INTO paycodes_codelimit (valid_from, lifetime_s, offline_code_fen, offline_day_fen, per_minute, per_day, created_by, created_at)
VALUES ('2020-01-01', 60, 5000, 20000, 20, 300, 'onecard', now());

CREATE FUNCTION paycodes_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON paycodes_paycodeuse
    FOR EACH STATEMENT EXECUTE FUNCTION paycodes_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON paycodes_paycodeuse
    FOR EACH STATEMENT EXECUTE FUNCTION paycodes_refuse_change();

-- A held payment is kept for good; it is settled once.
CREATE FUNCTION paycodes_keep_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.settled_at IS NULL AND NEW.settled_at IS NOT NULL
       AND (NEW.terminal_id, NEW.terminal_seq, NEW.card_no, NEW.merchant, NEW.amount_fen, NEW.occurred_at, NEW.received_at, NEW.result, NEW.code)
         = (OLD.terminal_id, OLD.terminal_seq, OLD.card_no, OLD.merchant, OLD.amount_fen, OLD.occurred_at, OLD.received_at, OLD.result, OLD.code) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a held payment is kept as it came' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep_held BEFORE UPDATE OR DELETE ON paycodes_heldpayment FOR EACH ROW EXECUTE FUNCTION paycodes_keep_held();
