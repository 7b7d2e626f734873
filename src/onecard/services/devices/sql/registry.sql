-- D1: a device that goes to another unit takes no data along. Held here whatever code moves it.

CREATE FUNCTION devices_place_owner(p_line bigint, p_terminal bigint, p_operator bigint, OUT unit_id bigint, OUT operator_id bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT l.unit_id, coalesce(l.operator_id, u.operator_id)
      FROM devices_line l LEFT JOIN operators_unit u ON u.id = l.unit_id WHERE l.id = p_line
    UNION ALL
    SELECT m.unit_id, m.operator_id
      FROM devices_terminal t JOIN operators_merchant m ON m.id = t.merchant_id WHERE t.id = p_terminal
    UNION ALL
    SELECT NULL, p_operator WHERE p_operator IS NOT NULL
$$;

-- Before the row changes: what must not be left behind or taken along.
CREATE FUNCTION devices_before_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    was record;
    goes record;
BEGIN
    was := devices_place_owner(OLD.line_id, OLD.terminal_id, OLD.operator_id);
    goes := devices_place_owner(NEW.line_id, NEW.terminal_id, NEW.operator_id);
    -- Records that have not come up belong to the place it leaves.
    IF coalesce(current_setting('onecard.leave_unsent', true), '') <> 'on' AND EXISTS (
        SELECT FROM devices_devicestatus s
         WHERE (s.line_id = OLD.line_id OR s.terminal_id = OLD.terminal_id) AND s.backlog > 0) THEN
        PERFORM operators_refuse('device_unsent', format('device %s has unsent records', OLD.id));
    END IF;
    IF was.unit_id IS DISTINCT FROM goes.unit_id OR was.operator_id IS DISTINCT FROM goes.operator_id THEN
        IF EXISTS (SELECT FROM keys_sam k WHERE k.terminal_id = OLD.terminal_id
                    OR k.terminal_id IN (SELECT t.id FROM devices_terminal t WHERE t.line_id = OLD.line_id
                                          AND EXISTS (SELECT FROM devices_line l WHERE l.id = t.line_id AND l.kind = 'terminal'))) THEN
            PERFORM operators_refuse('device_sam', format('device %s carries a bound SAM', OLD.id));
        END IF;
        NEW.place := CASE WHEN NEW.place = OLD.place THEN '' ELSE NEW.place END;
        NEW.note := CASE WHEN NEW.note = OLD.note THEN '' ELSE NEW.note END;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER device_before_move BEFORE UPDATE OF line_id, terminal_id, operator_id ON devices_device FOR EACH ROW
    WHEN ((OLD.line_id, OLD.terminal_id, OLD.operator_id) IS DISTINCT FROM (NEW.line_id, NEW.terminal_id, NEW.operator_id))
    EXECUTE FUNCTION devices_before_move();

-- After it: its own values, the certificate it speaks by and what the old place last heard go; the move is written down.
CREATE FUNCTION devices_after_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    was record;
    goes record;
    left_unit boolean;
BEGIN
    was := devices_place_owner(OLD.line_id, OLD.terminal_id, OLD.operator_id);
    goes := devices_place_owner(NEW.line_id, NEW.terminal_id, NEW.operator_id);
    left_unit := was.unit_id IS DISTINCT FROM goes.unit_id OR was.operator_id IS DISTINCT FROM goes.operator_id;
    DELETE FROM devices_devicestatus WHERE line_id = OLD.line_id OR terminal_id = OLD.terminal_id;
    -- The key stays on the box: whoever holds it must not speak for the place any more.
    UPDATE devices_line SET certificate_sha256 = NULL, certificate_until = NULL
     WHERE id = OLD.line_id AND certificate_sha256 IS NOT NULL AND state <> 'revoked';
    UPDATE devices_terminal SET certificate_sha256 = NULL, certificate_until = NULL
     WHERE id = OLD.terminal_id AND certificate_sha256 IS NOT NULL;
    IF left_unit THEN
        DELETE FROM devices_deviceoverride WHERE device_id = OLD.id;
    END IF;
    INSERT INTO devices_devicemove (device_id, at, who, note, from_line_id, from_terminal_id, from_operator_id,
                                    to_line_id, to_terminal_id, to_operator_id, left_unit)
    VALUES (NEW.id, clock_timestamp(), coalesce(nullif(current_setting('onecard.who', true), ''), session_user),
            coalesce(current_setting('onecard.note', true), ''), OLD.line_id, OLD.terminal_id, was.operator_id,
            NEW.line_id, NEW.terminal_id, goes.operator_id, left_unit);
    RETURN NULL;
END $$;
CREATE TRIGGER device_after_move AFTER UPDATE OF line_id, terminal_id, operator_id ON devices_device FOR EACH ROW
    WHEN ((OLD.line_id, OLD.terminal_id, OLD.operator_id) IS DISTINCT FROM (NEW.line_id, NEW.terminal_id, NEW.operator_id))
    EXECUTE FUNCTION devices_after_move();

-- A front-end's or straight terminal's device stands at the line; a terminal behind a front-end has its own.
CREATE FUNCTION devices_check_place() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM devices_terminal t JOIN devices_line l ON l.id = t.line_id
                WHERE t.id = NEW.terminal_id AND l.kind = 'terminal') THEN
        PERFORM operators_refuse('device_straight', format('terminal %s attaches straight', NEW.terminal_id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER device_place BEFORE INSERT OR UPDATE OF terminal_id ON devices_device FOR EACH ROW
    WHEN (NEW.terminal_id IS NOT NULL) EXECUTE FUNCTION devices_check_place();

-- A line that comes up or goes down stands in the history of its place.
CREATE FUNCTION devices_note_line() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO devices_statushistory (line_id, at, online, versions, firmware, last_error)
        SELECT n.line_id, n.since, n.online, '{}', '', '' FROM new_rows n;
    ELSE
        INSERT INTO devices_statushistory (line_id, at, online, versions, firmware, last_error)
        SELECT n.line_id, n.since, n.online, '{}', '', ''
          FROM new_rows n JOIN old_rows o ON o.line_id = n.line_id WHERE o.online <> n.online;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_line_insert AFTER INSERT ON devices_linestatus
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION devices_note_line();
CREATE TRIGGER note_line_update AFTER UPDATE ON devices_linestatus
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION devices_note_line();

-- States change every half a minute: keep those updates on the row's own page.
ALTER TABLE devices_devicestatus SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

INSERT INTO devices_keeping (id, history_days, event_days, sample_minutes) VALUES (1, 90, 365, 15);

INSERT INTO devices_alarmrule (kind, enabled, severity, threshold, unit, settle_s) VALUES
    ('gateway_silent',   true, 3,    30, 's',     10),
    ('line_lost',        true, 2,   120, 's',     60),
    ('device_lost',      true, 2,   180, 's',     60),
    ('clock_off',        true, 2,  5000, 'ms',    60),
    ('backlog_old',      true, 2,   600, 's',     60),
    ('disk_low',         true, 3,   100, '‰',     60),
    ('sequence_hole',    true, 2,   600, 's',     60),
    ('hardware_changed', true, 2,     0, '',      60),
    ('lease',            true, 2,     0, '',      60),
    ('data_refused',     true, 2,     0, '',    3600),
    ('update_failed',    true, 2,     0, '',       0),
    ('record_refused',   true, 3,     0, '',       0),
    ('line_refused',     true, 1,     0, '',    3600),
    ('tamper',           true, 3,     0, '',       0),
    ('error',            true, 1,     0, '',    3600);

INSERT INTO devices_parameter (key, title_zh, title_en, kind, least, most, choices, "default") VALUES
    ('volume',       '提示音量',         'Sound volume',            'integer', 0,  10, '{}', '5'),
    ('brightness',   '屏幕亮度（%）',    'Screen brightness (%)',   'integer', 0, 100, '{}', '80'),
    ('language',     '界面语言',         'Language',                'choice', NULL, NULL, '{zh,en}', '"zh"'),
    ('idle_text',    '待机文字',         'Idle text',               'text',    0,  40, '{}', '""'),
    ('print_receipt','打印小票',         'Print receipts',          'boolean', NULL, NULL, '{}', 'true'),
    ('heartbeat_s',  '心跳间隔（秒）',   'Heartbeat every (s)',     'integer', 5,  60, '{}', '30');
