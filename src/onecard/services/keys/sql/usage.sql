-- The chain of key uses: a link's sequence and hashes are made here, under the lock of the head's row, and nowhere else.

CREATE FUNCTION keys_usage_hash(prev bytea, seq bigint, at timestamptz, actor text, operation text, subject text, keys text,
                                count integer, failed integer) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    -- Every text with its length before it: no two different links read the same.
    SELECT sha256(prev || convert_to(format('%s|%s|%s:%s|%s:%s|%s:%s|%s:%s|%s|%s', seq,
        (extract(epoch FROM at) * 1000000)::bigint, length(actor), actor, length(operation), operation, length(subject), subject,
        length(keys), keys, count, failed), 'UTF8'))
$$;

CREATE FUNCTION keys_usage_link() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE head public.keys_usagehead;
BEGIN
    SELECT * INTO STRICT head FROM public.keys_usagehead WHERE id = 1 FOR UPDATE;
    NEW.seq := head.seq + 1;
    NEW.prev_hash := head.hash;
    NEW.hash := public.keys_usage_hash(head.hash, NEW.seq, NEW.at, NEW.actor, NEW.operation, NEW.subject, NEW.keys, NEW.count,
                                       NEW.failed);
    UPDATE public.keys_usagehead SET seq = NEW.seq, hash = NEW.hash WHERE id = 1;
    RETURN NEW;
END $$;
CREATE TRIGGER link BEFORE INSERT ON keys_usage FOR EACH ROW EXECUTE FUNCTION keys_usage_link();

CREATE FUNCTION keys_usage_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The head moves by a link's trigger only, which is one level down.
    IF TG_TABLE_NAME = 'keys_usagehead' AND TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the log of key uses is append-only' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'usage_final';
END $$;
CREATE TRIGGER final BEFORE UPDATE OR DELETE OR TRUNCATE ON keys_usage FOR EACH STATEMENT EXECUTE FUNCTION keys_usage_final();
CREATE TRIGGER final BEFORE UPDATE OR DELETE OR TRUNCATE ON keys_usagehead
    FOR EACH STATEMENT EXECUTE FUNCTION keys_usage_final();

INSERT INTO keys_usagehead (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));
INSERT INTO keys_alarmrule (id, per_hour, times_mean, least, wrong_per_hour) VALUES (1, 20000, 10, 500, 20);

-- One call of the vault: its link, the counters of its keys and of its security modules, and alarms, in one round trip.
CREATE FUNCTION keys_note_use(at_ timestamptz, actor_ text, operation_ text, subject_ text, count_ integer, failed_ integer,
                              key_ids bigint[], key_counts integer[], sams bigint[], sam_counts integer[], sam_failed integer[])
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE link bigint; hour_ timestamptz := date_trunc('hour', at_);
BEGIN
    -- Counters first, in the order of their keys: the head's lock is then held for the shortest time.
    INSERT INTO public.keys_keycount AS have (key_id, count, last_at)
    SELECT id, n, at_ FROM unnest(key_ids, key_counts) AS given (id, n) ORDER BY id
    ON CONFLICT (key_id) DO UPDATE
        SET count = have.count + excluded.count, last_at = greatest(have.last_at, excluded.last_at);
    IF cardinality(sams) > 0 THEN
        INSERT INTO public.keys_samhour AS have (sam_no, hour, count, failed)
        SELECT sam, hour_, n, wrong FROM unnest(sams, sam_counts, sam_failed) AS given (sam, n, wrong) ORDER BY sam
        ON CONFLICT (sam_no, hour) DO UPDATE
            SET count = have.count + excluded.count, failed = have.failed + excluded.failed;
        PERFORM public.keys_raise_alarms(at_, hour_, sams);
    END IF;
    INSERT INTO public.keys_usage (seq, at, actor, operation, subject, keys, count, failed, prev_hash, hash)
    VALUES (0, at_, left(actor_, 310), operation_, left(subject_, 100),
            (SELECT coalesce(string_agg(id || ':' || n, ' ' ORDER BY id), '') FROM unnest(key_ids, key_counts) AS given (id, n)),
            count_, failed_, '', '')
    RETURNING seq INTO link;
    RETURN link;
END $$;

CREATE FUNCTION keys_raise_alarms(at_ timestamptz, hour_ timestamptz, sams bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    WITH rule AS (SELECT * FROM public.keys_alarmrule WHERE id = 1),
    now_ AS (SELECT sam_no, count, failed FROM public.keys_samhour WHERE hour = hour_ AND sam_no = ANY (sams)),
    -- The own mean over every hour of the last seven days, quiet ones too, from the first hour there is; a day of history at least.
    past AS (
        SELECT sam_no, sum(count) / greatest(24, extract(epoch FROM hour_ - min(hour)) / 3600) AS mean,
               hour_ - min(hour) >= interval '1 day' AS known
          FROM public.keys_samhour
         WHERE sam_no = ANY (sams) AND hour >= hour_ - interval '7 days' AND hour < hour_
         GROUP BY sam_no),
    over_ AS (
        SELECT sam_no, 'hourly' AS kind, count, per_hour::bigint AS allowed FROM now_, rule WHERE per_hour > 0 AND count > per_hour
        UNION ALL
        SELECT sam_no, 'unusual', count, greatest(least, ceil(mean * times_mean))::bigint
          FROM now_ JOIN past USING (sam_no), rule
         WHERE times_mean > 0 AND known AND count > greatest(least, mean * times_mean)
        UNION ALL
        SELECT sam_no, 'wrong', failed, wrong_per_hour FROM now_, rule WHERE wrong_per_hour > 0 AND failed > wrong_per_hour)
    INSERT INTO public.keys_usagealarm AS have (sam_no, hour, kind, count, allowed, raised_at, acknowledged_by)
    SELECT sam_no, hour_, kind, count, allowed, at_, '' FROM over_ ORDER BY sam_no, kind
    ON CONFLICT (sam_no, hour, kind) DO UPDATE SET count = excluded.count
$$;
