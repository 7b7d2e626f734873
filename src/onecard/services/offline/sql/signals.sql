-- The figures to begin with, and the signals of what a unit's files are made from. Signals are rows that are only added: whoever
-- changes a person, a terminal or a meal period never waits for somebody else here.

INSERT INTO offline_offlinepolicy (one, fallback_ms, guard_permille, hold_over_cards, hold_over_permille)
VALUES (true, 3000, 50, 500, 200);
INSERT INTO offline_cardlimit (others, offline, per_transaction_fen, per_day_fen, per_day_count, meals_only, changed_by, changed_at)
VALUES (false, true, 5000, 20000, 20, false, 'onecard', now()), (true, true, 2000, 5000, 5, false, 'onecard', now());
INSERT INTO offline_terminallimit (per_transaction_fen, total_fen, start_minute, end_minute, changed_by, changed_at)
VALUES (5000, 20000000, 0, 1440, 'onecard', now());
INSERT INTO offline_change (unit_id, kind) VALUES (NULL, 'rules'), (NULL, 'cards');

-- offline_note(kind, column of the unit)
CREATE FUNCTION offline_note() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_old jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
    v_new jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
BEGIN
    INSERT INTO offline_change (unit_id, kind)
    SELECT DISTINCT u, TG_ARGV[0] FROM (VALUES ((v_old ->> TG_ARGV[1])::int), ((v_new ->> TG_ARGV[1])::int)) AS c (u) WHERE u IS NOT NULL;
    RETURN NULL;
END $$;

-- Of a terminal and a merchant: the unit whose front-end they stand behind, which a merchant of the operator does not name itself.
CREATE FUNCTION offline_note_terminals() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'operators_merchant' THEN
        INSERT INTO offline_change (unit_id, kind)
        SELECT DISTINCT l.unit_id, 'rules' FROM devices_terminal t JOIN devices_line l ON l.id = t.line_id
         WHERE t.merchant_id = NEW.id AND l.kind = 'front_end' AND l.unit_id IS NOT NULL;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO offline_change (unit_id, kind)
        SELECT DISTINCT l.unit_id, 'rules' FROM added t JOIN devices_line l ON l.id = t.line_id
         WHERE l.kind = 'front_end' AND l.unit_id IS NOT NULL;
    ELSE
        INSERT INTO offline_change (unit_id, kind)
        SELECT DISTINCT l.unit_id, 'rules' FROM devices_line l
         WHERE l.id IN (OLD.line_id, NEW.line_id) AND l.kind = 'front_end' AND l.unit_id IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER offline_note AFTER INSERT OR UPDATE OR DELETE ON operators_mealperiod
    FOR EACH ROW EXECUTE FUNCTION offline_note('rules', 'unit_id');
CREATE TRIGGER offline_note AFTER UPDATE ON operators_unit
    FOR EACH ROW WHEN (OLD.purse_order <> NEW.purse_order OR OLD.operator_id <> NEW.operator_id)
    EXECUTE FUNCTION offline_note('rules', 'id');
CREATE TRIGGER offline_note AFTER UPDATE ON people_holder
    FOR EACH ROW WHEN (OLD.department_id IS DISTINCT FROM NEW.department_id AND NEW.unit_id IS NOT NULL)
    EXECUTE FUNCTION offline_note('cards', 'unit_id');
CREATE TRIGGER offline_note AFTER UPDATE ON people_department
    FOR EACH ROW WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id) EXECUTE FUNCTION offline_note('cards', 'unit_id');
CREATE TRIGGER offline_note_rules AFTER INSERT OR UPDATE OF kind, state, unit_id ON devices_line
    FOR EACH ROW WHEN (NEW.kind = 'front_end' AND NEW.state = 'active') EXECUTE FUNCTION offline_note('rules', 'unit_id');
CREATE TRIGGER offline_note_cards AFTER INSERT OR UPDATE OF kind, state, unit_id ON devices_line
    FOR EACH ROW WHEN (NEW.kind = 'front_end' AND NEW.state = 'active') EXECUTE FUNCTION offline_note('cards', 'unit_id');
CREATE TRIGGER offline_note_added AFTER INSERT ON devices_terminal REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION offline_note_terminals();
CREATE TRIGGER offline_note AFTER UPDATE ON devices_terminal
    FOR EACH ROW WHEN (OLD.line_id IS DISTINCT FROM NEW.line_id OR OLD.merchant_id <> NEW.merchant_id)
    EXECUTE FUNCTION offline_note_terminals();
CREATE TRIGGER offline_note AFTER UPDATE ON operators_merchant
    FOR EACH ROW WHEN (OLD.public <> NEW.public OR OLD.purse_order IS DISTINCT FROM NEW.purse_order)
    EXECUTE FUNCTION offline_note_terminals();
