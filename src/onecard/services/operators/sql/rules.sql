-- Rules over more than one row: a unit's life (O3) and the purse a settlement mode allows (P1, P2).
-- A refusal is a check_violation that carries a constraint name; errors.py turns the name into rule, number and words.

CREATE FUNCTION operators_refuse(p_constraint text, p_message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = p_constraint, MESSAGE = p_message;
END $$;

-- A merchant's operator is its unit's operator, and follows the unit to another one.
ALTER TABLE operators_merchant ADD CONSTRAINT merchant_unit_operator
    FOREIGN KEY (unit_id, operator_id) REFERENCES operators_unit (id, operator_id) ON UPDATE CASCADE;

-- O3: the same table as lifecycle.TRANSITIONS, and where to go back to from suspended and expired.
CREATE FUNCTION operators_check_unit_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state IN ('suspended', 'expired') THEN
            NEW.resume_state := coalesce(NEW.resume_state, 'active');
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state = NEW.state THEN
        NEW.resume_state := OLD.resume_state;
        RETURN NEW;
    END IF;
    IF NOT (
        (OLD.state, NEW.state) IN (
            ('applied', 'opened'), ('applied', 'closed'),
            ('opened', 'commissioning'), ('opened', 'suspended'), ('opened', 'expired'), ('opened', 'closed'),
            ('commissioning', 'active'), ('commissioning', 'suspended'), ('commissioning', 'expired'), ('commissioning', 'closed'),
            ('active', 'suspended'), ('active', 'expired'), ('active', 'closed'),
            ('suspended', 'closed'), ('expired', 'closed'))
        OR (OLD.state IN ('suspended', 'expired') AND NEW.state = OLD.resume_state)
    ) THEN
        PERFORM operators_refuse('unit_transition', format('unit %s: %s -> %s', NEW.id, OLD.state, NEW.state));
    END IF;
    NEW.resume_state := CASE WHEN NEW.state IN ('suspended', 'expired') THEN OLD.state END;
    RETURN NEW;
END $$;
CREATE TRIGGER check_unit_state BEFORE INSERT OR UPDATE ON operators_unit
    FOR EACH ROW EXECUTE FUNCTION operators_check_unit_state();

-- P2: under independent settlement only the private purse (2) is taken, and there is no public merchant.
-- The operator is locked so that its mode stands still until the row that rests on it is committed; with the lock the counters take
-- (a weaker one first would make two creators wait for each other), and only when something that matters has changed, so that
-- suspending a unit never waits for a load of cardholders.
CREATE FUNCTION operators_check_purse_order() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    is_public CONSTANT text := CASE TG_TABLE_NAME WHEN 'operators_merchant' THEN 'public' ELSE 'false' END;
    changed   CONSTANT text := CASE TG_OP WHEN 'INSERT' THEN 'SELECT * FROM new_rows' ELSE format(
        'SELECT n.* FROM new_rows n JOIN old_rows o ON o.id = n.id
          WHERE (n.operator_id, n.purse_order) IS DISTINCT FROM (o.operator_id, o.purse_order)%s',
        CASE TG_TABLE_NAME WHEN 'operators_merchant' THEN ' OR n.public <> o.public' ELSE '' END) END;
    wrong     record;
BEGIN
    EXECUTE format('SELECT 1 FROM operators_operator o WHERE o.id IN (SELECT operator_id FROM (%s) c)
                     ORDER BY o.id FOR NO KEY UPDATE', changed);
    EXECUTE format(
        'SELECT c.id, %s AS public FROM (%s) c JOIN operators_operator o ON o.id = c.operator_id
          WHERE o.settlement_mode = ''independent'' AND (%s OR c.purse_order <> 2) ORDER BY 2 DESC LIMIT 1',
        is_public, changed, is_public) INTO wrong;
    IF wrong.id IS NULL THEN
        RETURN NULL;
    ELSIF wrong.public THEN
        PERFORM operators_refuse('merchant_public_unified', format('merchant %s: a public merchant needs a unified operator', wrong.id));
    END IF;
    PERFORM operators_refuse('purse_order_independent', format('%s %s: independent settlement takes private purses only', TG_TABLE_NAME, wrong.id));
    RETURN NULL;
END $$;
CREATE TRIGGER purse_order_insert AFTER INSERT ON operators_unit
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_check_purse_order();
CREATE TRIGGER purse_order_update AFTER UPDATE ON operators_unit
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_check_purse_order();
CREATE TRIGGER purse_order_insert AFTER INSERT ON operators_merchant
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_check_purse_order();
CREATE TRIGGER purse_order_update AFTER UPDATE ON operators_merchant
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION operators_check_purse_order();

CREATE FUNCTION operators_check_settlement_mode() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM operators_merchant m
                WHERE m.operator_id = NEW.id AND (m.public OR m.purse_order <> 2)) THEN
        PERFORM operators_refuse('settlement_mode_in_use', format('operator %s has merchants that take the public purse', NEW.code));
    END IF;
    IF EXISTS (SELECT FROM operators_unit u WHERE u.operator_id = NEW.id AND u.state <> 'closed' AND u.purse_order <> 2) THEN
        PERFORM operators_refuse('settlement_mode_in_use', format('operator %s has units that take the public purse', NEW.code));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER check_settlement_mode AFTER UPDATE ON operators_operator
    FOR EACH ROW WHEN (OLD.settlement_mode <> NEW.settlement_mode AND NEW.settlement_mode = 'independent')
    EXECUTE FUNCTION operators_check_settlement_mode();
