-- A held payment is never lost: what came in does not change, what is settled stays settled, and only two people settle one.

CREATE FUNCTION paycodes_refuse(p_constraint text, p_message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = p_constraint, MESSAGE = p_message;
END $$;

CREATE FUNCTION paycodes_never_deleted() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '不可删除 / never deleted: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON paycodes_heldpayment FOR EACH STATEMENT EXECUTE FUNCTION paycodes_never_deleted();
CREATE TRIGGER keep BEFORE DELETE OR TRUNCATE ON paycodes_helddecision FOR EACH STATEMENT EXECUTE FUNCTION paycodes_never_deleted();

CREATE OR REPLACE FUNCTION paycodes_keep_held() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_settling text[] := ARRAY['state', 'settled_at', 'decision_id', 'transfer_id'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN
            PERFORM paycodes_refuse('pay_code_held_two_people', 'a payment comes in open');
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'open' OR to_jsonb(OLD) - v_settling <> to_jsonb(NEW) - v_settling THEN
        PERFORM paycodes_refuse('pay_code_held_kept', format('held payment %s: content and what is settled never change', OLD.id));
    END IF;
    IF NEW.state <> 'open' AND NOT EXISTS (
        SELECT FROM paycodes_helddecision d WHERE d.id = NEW.decision_id AND d.held_id = NEW.id AND d.approved
           AND d.outcome = CASE NEW.state WHEN 'posted' THEN 'release' WHEN 'refused' THEN 'refuse' END) THEN
        PERFORM paycodes_refuse('pay_code_held_two_people', format('held payment %s: no such decision of two people', NEW.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_held BEFORE INSERT OR UPDATE ON paycodes_heldpayment FOR EACH ROW EXECUTE FUNCTION paycodes_keep_held();

CREATE FUNCTION paycodes_check_decision() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_answer text[] := ARRAY['decided_by', 'decided_at', 'approved'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.approved IS NOT NULL OR NOT EXISTS (SELECT FROM paycodes_heldpayment h WHERE h.id = NEW.held_id AND h.state = 'open') THEN
            PERFORM paycodes_refuse('pay_code_decision_kept', 'a proposal begins open, about an open payment');
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.approved IS NOT NULL OR to_jsonb(OLD) - v_answer <> to_jsonb(NEW) - v_answer THEN
        PERFORM paycodes_refuse('pay_code_decision_kept', format('decision %s: what was proposed and answered never changes', OLD.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_decision BEFORE INSERT OR UPDATE ON paycodes_helddecision FOR EACH ROW EXECUTE FUNCTION paycodes_check_decision();
