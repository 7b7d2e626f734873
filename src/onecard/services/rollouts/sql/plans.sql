-- The order of a roll-out (D2): only what two people want runs; what has ended stays ended, for roll-outs and for devices.

CREATE FUNCTION rollouts_check_rollout() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'approved'), ('draft', 'cancelled'), ('approved', 'running'), ('approved', 'cancelled'),
        ('running', 'paused'), ('paused', 'running'), ('running', 'stopped'), ('paused', 'stopped'), ('running', 'finished'),
        ('running', 'cancelled'), ('paused', 'cancelled')) THEN
        PERFORM rollouts_refuse('rollouts_order', format('roll-out %s: %s after %s', OLD.id, NEW.state, OLD.state));
    END IF;
    IF (OLD.release_id, OLD.target, OLD.canary_units, OLD.window_start, OLD.window_end, OLD.created_by)
       IS DISTINCT FROM (NEW.release_id, NEW.target, NEW.canary_units, NEW.window_start, NEW.window_end, NEW.created_by)
       OR (OLD.approved_by IS NOT NULL AND OLD.approved_by IS DISTINCT FROM NEW.approved_by) THEN
        PERFORM rollouts_refuse('rollouts_fixed', format('roll-out %s: what was planned and approved never changes', OLD.id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_rollout BEFORE UPDATE ON rollouts_rollout FOR EACH ROW EXECUTE FUNCTION rollouts_check_rollout();

-- A roll-out begins as a draft: nobody puts in one that is approved already.
CREATE FUNCTION rollouts_begin_as_draft() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state <> 'draft' OR NEW.approved_by IS NOT NULL THEN
        PERFORM rollouts_refuse('rollouts_order', 'a roll-out begins as a draft');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER begin_as_draft BEFORE INSERT ON rollouts_rollout FOR EACH ROW EXECUTE FUNCTION rollouts_begin_as_draft();

CREATE FUNCTION rollouts_check_action() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- A device that was told of a cancellation too late says what it has done: that is the truth about it.
    IF OLD.state IN ('done', 'failed', 'refused') AND NEW.state <> OLD.state
       OR OLD.state = 'cancelled' AND NEW.state NOT IN ('cancelled', 'done', 'failed', 'refused') THEN
        PERFORM rollouts_refuse('rollouts_action_ended', format('action %s has ended: %s', OLD.id, OLD.state));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_action BEFORE UPDATE OF state ON rollouts_action FOR EACH ROW EXECUTE FUNCTION rollouts_check_action();
