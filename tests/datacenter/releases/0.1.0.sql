-- The database of One-Card 0.1.0, made by scripts/snapshot-release.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA ledger;
CREATE TYPE ledger.extra_legs AS (
	id bigint,
	terminal_id bigint,
	terminal_seq bigint,
	card_no bigint,
	account_no bigint,
	merchant bigint,
	second_unit integer,
	second_fen bigint,
	debt_fen bigint,
	repaid_fen bigint,
	occurred_at timestamp with time zone,
	business_date date,
	operator_id integer,
	meal smallint,
	op smallint,
	has_first boolean
);
CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);
CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);
CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);
CREATE FUNCTION ledger.add_card(p_card bigint, p_account bigint, p_medium integer DEFAULT 1, p_status integer DEFAULT 1, p_valid_until date DEFAULT NULL::date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_account ledger.account := ledger.lock_account(p_account);
BEGIN
    INSERT INTO ledger.card (card_no, account_no, valid_until, status, medium, denied, operator_id, card_type_id, account_status)
    VALUES (p_card, p_account, p_valid_until, p_status, p_medium, v_account.debt_fen > 0, v_account.operator_id, v_account.card_type_id,
            v_account.status);
    IF v_account.debt_fen > 0 THEN
        INSERT INTO ledger.deny_list (card_no, reason) VALUES (p_card, 1);
    END IF;
END $$;
CREATE FUNCTION ledger.add_purse(p_account bigint, p_unit integer, p_floor_fen bigint DEFAULT 0) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM ledger.lock_account(p_account);
    INSERT INTO ledger.purse (account_no, unit_id, floor_fen) VALUES (p_account, p_unit, p_floor_fen) ON CONFLICT DO NOTHING;
END $$;
CREATE FUNCTION ledger.audit_span(p_full boolean) RETURNS TABLE(lane smallint, from_batch bigint, from_id bigint, to_batch bigint, to_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 4
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT l.lane, CASE WHEN p_full THEN 0 ELSE coalesce(m.batch_no, 0) END, CASE WHEN p_full THEN 0 ELSE coalesce(m.through_id, 0) END,
           l.last_batch, l.last_id
      FROM ledger.lane l LEFT JOIN ledger.audit_mark m ON m.lane = l.lane
     WHERE l.last_id > CASE WHEN p_full THEN -1 ELSE coalesce(m.through_id, 0) END
$$;
CREATE FUNCTION ledger.book_balances(p_accounts bigint[]) RETURNS TABLE(account_id bigint, balance_fen bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    v_from bigint[]; -- by lane + 1: what is summed already
    v_first bigint;  -- the smallest of them: where the index is entered
BEGIN
    SELECT array_agg(CASE WHEN l.lane IS NULL THEN 9223372036854775807 ELSE coalesce(r.through_id, 0) END ORDER BY n),
           min(coalesce(r.through_id, 0)) FILTER (WHERE l.last_id > coalesce(r.through_id, 0))
      INTO v_from, v_first
      FROM generate_series(0, 99) n LEFT JOIN ledger.lane l ON l.lane = n LEFT JOIN ledger.checkpoint_run r ON r.lane = n;
    RETURN QUERY
    SELECT a.id,
           (coalesce((SELECT sum(c.balance_fen) FROM ledger.checkpoint c WHERE c.account_id = a.id), 0)
            + coalesce((SELECT sum(t.amount_fen) FROM ledger.transfer t
                         WHERE t.credit = a.id AND t.credit < 1000000000000 AND t.id > v_first AND t.id > v_from[t.lane + 1]), 0)
            - coalesce((SELECT sum(t.amount_fen) FROM ledger.transfer t
                         WHERE t.debit = a.id AND t.debit < 1000000000000 AND t.id > v_first AND t.id > v_from[t.lane + 1]), 0))::bigint
      FROM unnest(p_accounts) a(id) WHERE a.id < 1000000000000;
END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE ledger.lane (
    lane smallint NOT NULL,
    last_id bigint DEFAULT 0 NOT NULL,
    last_batch bigint DEFAULT 0 NOT NULL,
    partitioned_to bigint DEFAULT 0 NOT NULL,
    last_hash bytea NOT NULL
)
WITH (fillfactor='10');
CREATE TABLE ledger.transfer (
    id bigint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    amount_fen bigint NOT NULL,
    balance_after bigint,
    prev_id bigint,
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    card_no bigint,
    account_no bigint,
    link_id bigint,
    orig_id bigint,
    batch_no bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    business_date date NOT NULL,
    issuer_operator integer,
    lane smallint NOT NULL,
    kind smallint NOT NULL,
    CONSTRAINT transfer_check CHECK (((amount_fen > 0) OR ((amount_fen = 0) AND (kind = ANY (ARRAY[2, 7, 9, 10]))))),
    CONSTRAINT transfer_check1 CHECK ((debit <> credit))
)
PARTITION BY RANGE (id);
CREATE FUNCTION ledger.chain_batch(p_lane ledger.lane, p_last_id bigint, p_legs ledger.transfer[] DEFAULT NULL::ledger.transfer[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_hash bytea;
BEGIN
    IF p_legs IS NULL THEN
        p_legs := ARRAY(SELECT t FROM ledger.transfer t WHERE t.lane = p_lane.lane AND t.id > p_lane.last_id AND t.id <= p_last_id ORDER BY t.id);
        IF cardinality(p_legs) = 0 THEN
            RETURN; -- nothing moved: no link in the chain
        END IF;
    END IF;
    INSERT INTO ledger.posting_batch (batch_no, first_id, last_id, posted_at, row_count, lane, hash)
    SELECT p_lane.last_batch, p_lane.last_id + 1, p_last_id, clock_timestamp(), count(*), p_lane.lane,
           sha256(p_lane.last_hash || int8send(p_lane.last_batch) || string_agg(record_send(l), ''::bytea)) FROM unnest(p_legs) l
    RETURNING hash INTO v_hash;
    UPDATE ledger.lane SET last_id = p_last_id, last_batch = p_lane.last_batch, last_hash = v_hash, partitioned_to = p_lane.partitioned_to
     WHERE lane = p_lane.lane;
END $$;
CREATE FUNCTION ledger.change_debt(p_account bigint, p_delta bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_debt bigint;
BEGIN
    UPDATE ledger.account SET debt_fen = debt_fen + p_delta WHERE account_no = p_account RETURNING debt_fen INTO STRICT v_debt;
    IF p_delta > 0 THEN
        UPDATE ledger.card SET denied = true WHERE account_no = p_account AND NOT denied;
        INSERT INTO ledger.deny_list (card_no, reason) SELECT card_no, 1 FROM ledger.card WHERE account_no = p_account ORDER BY card_no
            ON CONFLICT DO NOTHING;
    ELSIF v_debt = 0 THEN
        DELETE FROM ledger.deny_list d USING ledger.card c WHERE c.account_no = p_account AND d.card_no = c.card_no AND d.reason = 1;
        UPDATE ledger.card SET denied = false WHERE account_no = p_account AND denied;
    END IF;
END $$;
CREATE FUNCTION ledger.checkpoint() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7310002); -- one at a time; the next statement's snapshot sees the one before
    WITH span AS MATERIALIZED (
        SELECT l.lane, coalesce(r.through_id, 0) AS from_id, l.last_id
          FROM ledger.lane l LEFT JOIN ledger.checkpoint_run r ON r.lane = l.lane
         WHERE l.last_id > coalesce(r.through_id, 0)
    ), moved AS (
        SELECT m.account_id, s.lane, s.last_id, sum(m.fen)::bigint AS fen
          FROM span s
          JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id AND t.id <= s.last_id
         CROSS JOIN LATERAL (VALUES (t.credit, t.amount_fen), (t.debit, -t.amount_fen)) m(account_id, fen)
         WHERE m.account_id < 1000000000000
         GROUP BY m.account_id, s.lane, s.last_id
    ), written AS (
        INSERT INTO ledger.checkpoint AS c (account_id, lane, through_id, balance_fen)
        SELECT account_id, lane, last_id, fen FROM moved
            ON CONFLICT (account_id, lane) DO UPDATE SET through_id = excluded.through_id, balance_fen = c.balance_fen + excluded.balance_fen
        RETURNING 1
    ), run AS (
        INSERT INTO ledger.checkpoint_run (lane, through_id, made_at) SELECT lane, last_id, now() FROM span
            ON CONFLICT (lane) DO UPDATE SET through_id = excluded.through_id, made_at = excluded.made_at
    )
    SELECT count(*) INTO v_count FROM written;
    RETURN v_count;
END $$;
CREATE TABLE ledger.posting_key (
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    card_no bigint,
    amount_fen bigint,
    merchant bigint,
    orig_terminal bigint,
    orig_seq bigint,
    transfer_id bigint,
    balance_after bigint,
    occurred_at timestamp with time zone,
    posted_on date NOT NULL,
    phase smallint NOT NULL,
    op smallint NOT NULL,
    code smallint NOT NULL,
    legs smallint DEFAULT 0 NOT NULL,
    meal smallint DEFAULT 0 NOT NULL,
    state smallint DEFAULT 0 NOT NULL,
    lane smallint NOT NULL
);
CREATE FUNCTION ledger.close_original(p_lane smallint, p_op smallint, p_key ledger.posting_key, p_amount bigint, p_legs ledger.transfer[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    IF p_op IN (5, 6) THEN
        UPDATE ledger.hold SET state = CASE p_op WHEN 5 THEN 2 ELSE 3 END, committed_fen = CASE p_op WHEN 5 THEN p_amount ELSE 0 END
         WHERE lane = p_lane AND transfer_id = p_key.transfer_id;
    ELSIF p_op = 9 AND p_key.op IS NOT NULL THEN
        UPDATE ledger.posting_key SET state = 1 WHERE terminal_id = p_key.terminal_id AND terminal_seq = p_key.terminal_seq AND phase = 0;
        IF p_key.op = 4 AND p_key.code = 0 THEN
            UPDATE ledger.hold SET state = 3 WHERE lane = p_lane AND transfer_id = p_key.transfer_id AND state = 1;
        ELSIF p_key.op = 5 AND p_key.code = 0 THEN
            -- The hold stands again over what comes back from the merchant; the rest of it is with the holder already.
            UPDATE ledger.hold h
               SET state = CASE WHEN p_legs IS NULL THEN 3 ELSE 1 END, committed_fen = 0,
                   amount_fen = CASE WHEN p_legs IS NULL THEN 0 ELSE (p_legs[1]).amount_fen END
              FROM ledger.posting_key k
             WHERE k.terminal_id = p_key.orig_terminal AND k.terminal_seq = p_key.orig_seq AND k.phase = 0
               AND h.lane = p_lane AND h.transfer_id = k.transfer_id;
        ELSIF p_key.op = 2 AND p_key.code > 0 THEN
            UPDATE ledger.quarantine SET resolved_at = clock_timestamp(), reason = 'reversed'
             WHERE terminal_id = p_key.terminal_id AND terminal_seq = p_key.terminal_seq AND resolved_at IS NULL;
        END IF;
    END IF;
END $$;
CREATE FUNCTION ledger.ensure_partitions(p_months integer DEFAULT 3, p_from timestamp with time zone DEFAULT now()) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_month timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_name text;
    v_made int := 0;
BEGIN
    ASSERT p_months BETWEEN 0 AND 1200;
    FOR n IN 0..p_months LOOP
        v_name := 'transfer_' || to_char(v_month, 'YYYY"m"MM');
        -- Asked by query: to_regclass may answer from a cache that does not know what another session has just made.
        IF NOT EXISTS (SELECT FROM pg_class WHERE relname = v_name AND relnamespace = 'ledger'::regnamespace) THEN
            PERFORM pg_advisory_xact_lock(7310001);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_class WHERE relname = v_name AND relnamespace = 'ledger'::regnamespace) THEN
            EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.transfer INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', v_name);
            EXECUTE format('ALTER TABLE ledger.transfer ATTACH PARTITION ledger.%I FOR VALUES FROM (%s) TO (%s)', v_name,
                           ledger.id_at(v_month AT TIME ZONE 'UTC'),
                           ledger.id_at((v_month + interval '1 month') AT TIME ZONE 'UTC'));
            -- Row triggers come down from the parent by themselves, statement triggers do not.
            EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.%I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', v_name);
            v_made := v_made + 1;
        END IF;
        v_month := v_month + interval '1 month';
    END LOOP;
    RETURN v_made;
END $$;
CREATE FUNCTION ledger.expire_holds(p_lane smallint, p_limit integer DEFAULT 1000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_lane ledger.lane;
    v_hold ledger.hold;
    v_common ledger.transfer;
    v_count int := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.hold WHERE lane = p_lane AND state = 1 AND expires_at <= clock_timestamp()) THEN
        RETURN 0; -- nothing to do, and no lock taken to find out
    END IF;
    v_lane := ledger.lock_lane(p_lane);
    FOR v_hold IN SELECT * FROM ledger.hold WHERE lane = p_lane AND state = 1 AND expires_at <= clock_timestamp()
                   ORDER BY expires_at, transfer_id LIMIT p_limit LOOP
        v_count := v_count + 1;
        v_common := ROW(0, 0, 0, 0, NULL, NULL, -4, v_hold.transfer_id, v_hold.card_no, v_hold.account_no, NULL, NULL, v_lane.last_batch,
                        clock_timestamp(), (now() AT TIME ZONE 'Asia/Shanghai')::date, v_hold.operator_id, p_lane, 0)::ledger.transfer;
        PERFORM ledger.post_legs(
            ARRAY[ledger.plan_leg(6, 700000000 + v_hold.operator_id, v_hold.account_no * 100000 + v_hold.unit_id, v_hold.amount_fen,
                                  v_hold.transfer_id)],
            v_common, v_lane.last_id + v_count, v_hold.business_date, v_hold.meal);
        UPDATE ledger.hold SET state = 4 WHERE lane = p_lane AND transfer_id = v_hold.transfer_id;
    END LOOP;
    IF v_count > 0 THEN
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + v_count);
    END IF;
    RETURN v_count;
END $$;
CREATE FUNCTION ledger.id_at(p_at timestamp with time zone) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT floor((extract(epoch FROM p_at) - 1577836800) * 1000)::bigint << 22 $$;
CREATE FUNCTION ledger.id_time(p_id bigint) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT timestamptz '2020-01-01 00:00:00+00' + (p_id >> 22) * interval '1 millisecond' $$;
CREATE TABLE ledger.account (
    account_no bigint NOT NULL,
    holder_id bigint,
    debt_fen bigint DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    operator_id integer NOT NULL,
    unit_id integer DEFAULT 0 NOT NULL,
    card_type_id integer NOT NULL,
    lane smallint NOT NULL,
    status smallint DEFAULT 1 NOT NULL,
    CONSTRAINT account_check CHECK ((lane = ((account_no / '10000000000'::bigint) % (100)::bigint))),
    CONSTRAINT account_debt_fen_check CHECK ((debt_fen >= 0)),
    CONSTRAINT account_status_check CHECK (((status >= 1) AND (status <= 3)))
)
WITH (fillfactor='90');
CREATE FUNCTION ledger.lock_account(p_account bigint) RETURNS ledger.account
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_account ledger.account;
BEGIN
    PERFORM FROM ledger.lane WHERE lane = p_account / 10000000000 % 100 FOR UPDATE;
    SELECT * INTO v_account FROM ledger.account WHERE account_no = p_account;
    IF NOT FOUND THEN
        RAISE EXCEPTION '无此账户 / no such account: %', p_account USING ERRCODE = 'no_data_found';
    END IF;
    RETURN v_account;
END $$;
CREATE FUNCTION ledger.lock_lane(p_lane smallint) RETURNS ledger.lane
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_lane ledger.lane;
BEGIN
    SELECT * INTO STRICT v_lane FROM ledger.lane WHERE lane = p_lane FOR UPDATE;
    v_lane.last_id := greatest(v_lane.last_id, ledger.id_at(clock_timestamp()) - 1);
    IF v_lane.last_id + 1 >= v_lane.partitioned_to THEN
        v_lane.partitioned_to := ledger.partitioned_to(v_lane.last_id + 1);
    END IF;
    v_lane.last_batch := v_lane.last_batch + 1;
    RETURN v_lane;
END $$;
CREATE FUNCTION ledger.lock_lanes() RETURNS TABLE(o_lane smallint, o_last_id bigint)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'ledger'
    AS $$
  SELECT l.lane, l.last_id FROM ledger.lane l ORDER BY l.lane FOR UPDATE
$$;
CREATE FUNCTION ledger.mark_audited(p_lane bigint[], p_batch bigint[], p_through bigint[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    INSERT INTO ledger.audit_mark AS m (lane, batch_no, through_id) SELECT * FROM unnest(p_lane, p_batch, p_through)
        ON CONFLICT (lane) DO UPDATE SET batch_no = greatest(m.batch_no, excluded.batch_no),
           through_id = greatest(m.through_id, excluded.through_id), audited_at = now()
$$;
CREATE FUNCTION ledger.open_account(p_account bigint, p_card bigint, p_operator integer, p_card_type integer, p_holder bigint DEFAULT NULL::bigint, p_unit integer DEFAULT 0, p_public_fen bigint DEFAULT 0, p_private_unit integer DEFAULT NULL::integer, p_private_fen bigint DEFAULT 0, p_medium integer DEFAULT 1, p_card_status integer DEFAULT 1, p_valid_until date DEFAULT NULL::date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_job bigint := -pg_backend_pid();
    v_opened int;
BEGIN
    INSERT INTO ledger.opening_row (job, account_no, card_no, holder_id, public_fen, private_fen, private_unit, operator_id, unit_id,
                                    card_type_id, valid_until, medium, card_status)
    VALUES (v_job, p_account, p_card, p_holder, p_public_fen, p_private_fen, p_private_unit, p_operator, p_unit, p_card_type,
            p_valid_until, p_medium, p_card_status);
    SELECT o_opened INTO v_opened FROM ledger.open_accounts(v_job, (p_account / 10000000000 % 100)::smallint);
    IF v_opened = 0 THEN
        RAISE EXCEPTION '账户已存在 / account exists: %', p_account USING ERRCODE = 'unique_violation';
    END IF;
END $$;
CREATE FUNCTION ledger.open_accounts(p_job bigint, p_lane smallint, p_limit integer DEFAULT 10000, OUT o_opened integer, OUT o_skipped integer, OUT o_more boolean) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane(p_lane);
    v_to bigint;
    v_last bigint;
BEGIN
    SELECT max(account_no) INTO v_to
      FROM (SELECT account_no FROM ledger.opening_row WHERE job = p_job AND lane = p_lane ORDER BY account_no LIMIT p_limit) q;
    DELETE FROM ledger.opening_row o USING ledger.account a
     WHERE o.job = p_job AND o.lane = p_lane AND o.account_no <= v_to AND a.account_no = o.account_no;
    GET DIAGNOSTICS o_skipped = ROW_COUNT;
    INSERT INTO ledger.account (account_no, holder_id, operator_id, unit_id, card_type_id, lane)
    SELECT account_no, holder_id, operator_id, unit_id, card_type_id, lane FROM ledger.opening_row
     WHERE job = p_job AND lane = p_lane AND account_no <= v_to ORDER BY account_no;
    GET DIAGNOSTICS o_opened = ROW_COUNT;
    INSERT INTO ledger.card (card_no, account_no, valid_until, status, medium, operator_id, card_type_id)
    SELECT card_no, account_no, valid_until, card_status, medium, operator_id, card_type_id FROM ledger.opening_row
     WHERE job = p_job AND lane = p_lane AND account_no <= v_to ORDER BY card_no;
    -- Purse 1 of an account is the public one; ids in account order, two set aside per account.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, balance_after, terminal_id, terminal_seq, card_no, account_no, batch_no,
                                 occurred_at, business_date, issuer_operator, lane, kind)
    SELECT v_lane.last_id + n * 2 + (purse > 0)::int, book, account_no * 100000 + purse, fen, fen, -1, account_no * 2 + (purse > 0)::int,
           card_no, account_no, v_lane.last_batch, now(), (now() AT TIME ZONE 'Asia/Shanghai')::date, operator_id, p_lane, 12
      FROM (SELECT o.*, row_number() OVER (ORDER BY account_no) AS n FROM ledger.opening_row o
             WHERE job = p_job AND lane = p_lane AND account_no <= v_to) o
     CROSS JOIN LATERAL (VALUES (0, public_fen, 500000000::bigint + operator_id),
                                (private_unit, private_fen, 900000000::bigint + private_unit)) p(purse, fen, book)
     WHERE fen > 0 AND purse IS NOT NULL
     ORDER BY n, purse;
    INSERT INTO ledger.purse (account_no, unit_id, balance_fen, seq, last_transfer_id)
    SELECT account_no, purse, fen, (fen > 0)::int, CASE WHEN fen > 0 THEN v_lane.last_id + n * 2 + (purse > 0)::int END
      FROM (SELECT o.*, row_number() OVER (ORDER BY account_no) AS n FROM ledger.opening_row o
             WHERE job = p_job AND lane = p_lane AND account_no <= v_to) o
     CROSS JOIN LATERAL (VALUES (0, public_fen), (private_unit, coalesce(private_fen, 0))) p(purse, fen)
     WHERE fen IS NOT NULL AND purse IS NOT NULL
     ORDER BY account_no, purse;
    DELETE FROM ledger.opening_row WHERE job = p_job AND lane = p_lane AND account_no <= v_to;
    v_last := v_lane.last_id + (o_opened + 1) * 2;
    PERFORM ledger.chain_batch(v_lane, v_last);
    o_more := EXISTS (SELECT FROM ledger.opening_row WHERE job = p_job AND lane = p_lane);
END $$;
CREATE FUNCTION ledger.partitioned_to(p_id bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_month timestamp := date_trunc('month', ledger.id_time(p_id) AT TIME ZONE 'UTC');
BEGIN
    PERFORM ledger.ensure_partitions(1, v_month AT TIME ZONE 'UTC');
    RETURN ledger.id_at((v_month + interval '1 month') AT TIME ZONE 'UTC');
END $$;
CREATE FUNCTION ledger.plan_leg(p_kind integer, p_debit bigint, p_credit bigint, p_amount bigint, p_orig bigint) RETURNS ledger.transfer
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT ROW(0, p_debit, p_credit, p_amount, NULL, NULL, 0, 0, NULL, NULL, NULL, p_orig, 0, NULL, NULL, NULL, 0, p_kind)::ledger.transfer
$$;
CREATE FUNCTION ledger.plan_special(p_op smallint, p_key ledger.posting_key, p_account ledger.account, p_card bigint, p_merchant bigint, p_amount bigint, p_business_date date, OUT o_code integer, OUT o_legs ledger.transfer[], OUT o_debt bigint, OUT o_back_day date, OUT o_back_meal integer) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_hold ledger.hold;
    v_hold_book bigint;
    v_leg ledger.transfer;
    v_undo record;
    v_rest bigint;
    v_left bigint := p_amount; -- of a refund: still to give back
    v_undone boolean := false;
BEGIN
    o_code := 0;
    o_debt := 0;
    IF p_key.op IS NULL THEN
        o_code := CASE WHEN p_op = 9 THEN 0 ELSE 60 END;
        RETURN;
    ELSIF p_op < 9 AND (p_key.code > 0 OR p_key.state > 0) THEN
        o_code := 60; -- refused or reversed: there is nothing to follow
        RETURN;
    ELSIF (SELECT c.account_no FROM ledger.card c WHERE c.card_no = p_key.card_no) IS DISTINCT FROM p_account.account_no
          OR p_op < 9 AND p_key.merchant <> p_merchant
          OR p_op = 9 AND (p_key.card_no <> p_card OR p_amount > 0 AND p_amount <> p_key.amount_fen OR p_key.op = 6)
          OR p_op IN (5, 6) AND p_key.op <> 4
          OR p_op IN (7, 8) AND p_key.op NOT IN (1, 2, 5)
          OR p_op = 7 AND p_amount > 0 AND p_amount <> p_key.amount_fen THEN
        o_code := CASE WHEN p_op = 9 AND p_key.card_no <> p_card AND p_key.code = 30 THEN 0 ELSE 61 END;
        RETURN;
    ELSIF p_key.code > 0 THEN
        RETURN; -- the reversal of a refused record: nothing had moved
    END IF;
    o_back_meal := p_key.meal;
    IF p_op IN (5, 6) OR p_op = 9 AND p_key.op = 4 THEN
        SELECT * INTO STRICT v_hold FROM ledger.hold WHERE lane = p_key.lane AND transfer_id = p_key.transfer_id;
        o_back_day := v_hold.business_date;
        v_hold_book := 700000000 + v_hold.operator_id;
        IF p_op = 9 AND v_hold.state IN (3, 4) THEN
            RETURN; -- given back already
        ELSIF v_hold.state <> 1 OR p_op = 5 AND v_hold.expires_at <= clock_timestamp() THEN
            o_code := 63;
        ELSIF p_op = 5 AND p_amount > v_hold.amount_fen THEN
            o_code := 41;
        ELSE
            IF p_op = 5 THEN
                o_legs := o_legs || ledger.plan_leg(5, v_hold_book, v_hold.merchant, p_amount, v_hold.transfer_id);
            END IF;
            v_rest := v_hold.amount_fen - CASE WHEN p_op = 5 THEN p_amount ELSE 0 END;
            IF v_rest > 0 THEN
                o_legs := o_legs || ledger.plan_leg(CASE WHEN p_op = 9 THEN 9 ELSE 6 END, v_hold_book,
                                                    v_hold.account_no * 100000 + v_hold.unit_id, v_rest, v_hold.transfer_id);
            END IF;
        END IF;
        RETURN;
    END IF;
    -- VOID, REFUND, and REVERSAL of the rest: leg by leg, the last leg first.
    FOR v_leg IN SELECT * FROM ledger.transfer t WHERE t.lane = p_key.lane AND t.id >= p_key.transfer_id
                    AND t.id < p_key.transfer_id + p_key.legs ORDER BY t.id DESC LOOP
        CONTINUE WHEN p_key.op = 5 AND v_leg.kind = 6; -- what a commit gave back to the holder stays there
        o_back_day := v_leg.business_date;
        IF p_op = 7 AND v_leg.business_date <> p_business_date THEN
            o_code := 61; -- a void is of the same business day; afterwards it is a refund
            o_legs := NULL;
            RETURN;
        END IF;
        v_rest := v_leg.amount_fen - ledger.undone_fen(v_leg.lane, v_leg.id);
        v_undone := v_undone OR v_rest < v_leg.amount_fen;
        IF p_op = 8 THEN
            v_rest := least(v_rest, v_left);
            v_left := v_left - v_rest;
        END IF;
        CONTINUE WHEN v_rest = 0 AND (p_op = 8 OR v_leg.amount_fen > 0);
        IF p_op = 9 AND p_key.op = 5 THEN -- back onto the hold, which is open again (close_original)
            o_legs := o_legs || ledger.plan_leg(9, v_leg.credit, v_leg.debit, v_rest, v_leg.id);
        ELSE
            v_undo := ledger.plan_undo(v_leg, p_op, v_rest, p_account.account_no, p_account.operator_id, o_legs);
            o_legs := o_legs || v_undo.o_legs;
            o_debt := o_debt + v_undo.o_debt;
        END IF;
    END LOOP;
    IF p_op = 8 AND v_left > 0 OR p_op = 7 AND v_undone THEN
        o_code := 62;
        o_legs := NULL;
        o_debt := 0;
    END IF;
END $$;
CREATE FUNCTION ledger.plan_undo(p_leg ledger.transfer, p_kind integer, p_amount bigint, p_account bigint, p_operator integer, p_planned ledger.transfer[], OUT o_legs ledger.transfer[], OUT o_debt bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_debt_book bigint := 600000000 + p_operator;
    v_part bigint;
    v_purse bigint;
BEGIN
    o_debt := 0;
    IF p_leg.credit >= 1000000000000 THEN -- money had gone into a purse
        SELECT least(balance_fen - floor_fen - coalesce((SELECT sum(l.amount_fen) FROM unnest(p_planned) l WHERE l.debit = p_leg.credit), 0),
                     p_amount) INTO STRICT v_part FROM ledger.purse
         WHERE account_no = p_leg.credit / 100000 AND unit_id = p_leg.credit % 100000;
        IF v_part > 0 THEN
            o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, p_leg.debit, v_part, p_leg.id);
        END IF;
        IF p_amount > v_part THEN
            o_debt := p_amount - v_part;
            o_legs := o_legs || ledger.plan_leg(10, v_debt_book, p_leg.debit, o_debt, p_leg.id);
        END IF;
    ELSIF p_leg.credit = v_debt_book THEN -- a debt had been repaid: it is owed again
        o_debt := p_amount;
        o_legs := o_legs || ledger.plan_leg(p_kind, v_debt_book, p_leg.debit, p_amount, p_leg.id);
    ELSIF p_leg.debit >= 1000000000000 THEN -- a purse had paid
        o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, p_leg.debit, p_amount, p_leg.id);
    ELSE -- a debt had been made, or a hold had paid: first off what is owed, the rest to the holder
        IF p_leg.debit = v_debt_book THEN
            SELECT least(debt_fen, p_amount) INTO STRICT v_part FROM ledger.account WHERE account_no = p_account;
            IF v_part > 0 OR p_amount = 0 THEN
                o_debt := -v_part;
                o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, v_debt_book, v_part, p_leg.id);
            END IF;
            SELECT account_no * 100000 + unit_id INTO v_purse FROM ledger.purse WHERE account_no = p_account ORDER BY unit_id LIMIT 1;
        ELSE
            v_part := 0;
            SELECT account_no * 100000 + unit_id INTO STRICT v_purse FROM ledger.hold
             WHERE lane = p_leg.lane AND transfer_id = p_leg.orig_id;
        END IF;
        IF p_amount > v_part THEN
            o_legs := o_legs || ledger.plan_leg(p_kind, p_leg.credit, v_purse, p_amount - v_part, p_leg.id);
        END IF;
    END IF;
END $$;
CREATE FUNCTION ledger.post_batch(p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[], p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[], p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[], OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_memoize TO 'off'
    SET enable_material TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET jit TO 'off'
    AS $$
DECLARE
    v_rows int := coalesce(cardinality(p_op), 0);
    v_lane ledger.lane;
    v_now timestamptz;
    v_today date;
    v_base bigint;
    v_accounts bigint[];
    v_stray bigint;
    v_in_order boolean;
    v_repeated boolean := false;
    v_unified int[];   -- operators of the unified settlement mode
    v_types int[];     -- the card types, and their limits
    v_max_txn bigint[];
    v_max_meal bigint[];
    v_max_day bigint[];
    v_max_balance bigint[];
    v_ord bigint[];
    v_keys ledger.posting_key[];
    v_legs ledger.transfer[];
    v_purses ledger.purse[];
    v_tids tid[];
    v_extra ledger.extra_legs[];
    v_special bigint[];
    v_holds boolean;
    v_quarantine boolean;
    v_answer record;
    v_count int;
BEGIN
    ASSERT v_rows = ALL (ARRAY[cardinality(p_terminal), cardinality(p_seq), cardinality(p_card), cardinality(p_merchant),
                               cardinality(p_unit), cardinality(p_purse_order), cardinality(p_amount), cardinality(p_occurred_us),
                               cardinality(p_business_date), cardinality(p_meal), cardinality(p_orig_terminal),
                               cardinality(p_orig_seq), cardinality(p_precheck)]), 'arrays of unequal length';
    ASSERT 1 <= ALL (p_op) AND 9 >= ALL (p_op), 'not an operation that posts';
    v_lane := ledger.lock_lane(p_lane);
    v_base := v_lane.last_id + 1;
    v_now := clock_timestamp();
    v_today := (v_now AT TIME ZONE 'UTC')::date;
    -- What is small and the same for all rows is read once a call, not joined row by row.
    SELECT array_agg(card_type_id), array_agg(limit_txn_fen), array_agg(limit_meal_fen), array_agg(limit_day_fen), array_agg(limit_balance_fen),
           ARRAY(SELECT operator_id FROM ledger.issuer WHERE unified)
      INTO v_types, v_max_txn, v_max_meal, v_max_day, v_max_balance, v_unified FROM ledger.card_type;
    -- 1 Find, by index, all that a row needs, and decide. OFFSET 0 keeps each level's columns from being computed again above it.
    --   Eight ids are set aside per row, so that an id follows from the row's place.
    SELECT array_agg(ord), array_agg(code), array_agg(coalesce(balance, 0)), array_agg(coalesce(transfer, 0)), array_agg(field),
           array_agg(account_no),
           max(account_no) FILTER (WHERE account_no / 10000000000 % 100 <> p_lane),
           array_agg(ROW(terminal, seq, card, amount, merchant, orig_terminal, orig_seq, transfer, balance, occurred, v_today,
                         is_reversal, op, code, legs, meal, 0, p_lane)::ledger.posting_key) FILTER (WHERE NOT known AND NOT special),
           array_agg(ROW(id, CASE WHEN op = 3 THEN merchant ELSE purse END,
                         CASE op WHEN 3 THEN purse WHEN 4 THEN 700000000 + operator_id ELSE merchant END,
                         first_fen, balance, f_last, terminal, seq, card, account_no, CASE WHEN legs > 1 THEN id END, NULL,
                         v_lane.last_batch, occurred, bdate, operator_id, p_lane, op)::ledger.transfer) FILTER (WHERE has_first),
           array_agg(ROW(account_no, balance, 0, f_seq, id,
                         CASE WHEN uncounted THEN f_day_spent WHEN f_day >= bdate THEN f_day_spent + first_fen ELSE first_fen END,
                         CASE WHEN uncounted THEN f_meal_spent
                              WHEN meal > 0 THEN CASE WHEN f_day >= bdate AND f_meal = meal THEN f_meal_spent ELSE 0 END + first_fen
                              WHEN f_day >= bdate THEN f_meal_spent ELSE 0 END,
                         CASE WHEN uncounted THEN f_day ELSE greatest(f_day, bdate) END,
                         f_unit,
                         CASE WHEN uncounted THEN f_meal WHEN meal > 0 THEN meal WHEN f_day >= bdate THEN f_meal ELSE 0 END
                        )::ledger.purse) FILTER (WHERE has_first),
           array_agg(f_tid) FILTER (WHERE has_first),
           array_agg(ROW(id, terminal, seq, card, account_no, merchant, s_unit, second_fen, debt_fen, repaid_fen, occurred, bdate,
                         operator_id, meal, op, has_first)::ledger.extra_legs) FILTER (WHERE legs > 1 OR legs = 1 AND NOT has_first),
           array_agg(ord) FILTER (WHERE special),
           coalesce(bool_or(posts AND op = 4), false),
           coalesce(bool_or(op = 2 AND code NOT IN (0, 11)), false)
      INTO v_ord, o_code, o_balance, o_transfer, o_field, v_accounts, v_stray, v_keys, v_legs, v_purses, v_tids, v_extra, v_special, v_holds,
           v_quarantine
      FROM (
        SELECT c.*,
               posts AND has_purse_leg AS has_first,
               op = 3 OR op = 2 AND f_day > bdate AS uncounted, -- neither a top-up nor yesterday's offline record counts to today's limits
               CASE WHEN op = 2 THEN rest ELSE 0 END AS debt_fen,
               CASE WHEN posts THEN id WHEN known AND code NOT IN (10, 11) THEN k_transfer END AS transfer,
               CASE WHEN posts THEN f_balance + CASE WHEN op = 3 THEN first_fen ELSE -first_fen END
                    WHEN NOT known THEN CASE WHEN code >= 40 THEN f_balance END
                    WHEN code NOT IN (10, 11) THEN k_balance END AS balance,
               CASE WHEN posts THEN has_purse_leg::int + (second_fen > 0)::int
                                    + (rest > 0 OR repaid_fen > 0 OR NOT has_purse_leg)::int ELSE 0 END AS legs
          FROM (
            SELECT b.*,
                   NOT known AND code = 0 AND op <= 4 AS posts,
                   NOT known AND code = 0 AND op >= 5 AS special,
                   f > 0 AND (first_fen > 0 OR amount = 0) AS has_purse_leg
              FROM (
                SELECT a.*,
                       amount - repaid_fen - first_fen - second_fen AS rest,
                       account_no * 100000 + f_unit AS purse,
                       -- The order of precedence: the smallest code that applies.
                       CASE WHEN known THEN CASE WHEN field > 0 THEN 10 ELSE k_code END
                            WHEN refusal > 0 THEN refusal
                            WHEN op >= 5 THEN CASE WHEN op IN (5, 8) AND amount <= 0 THEN 41 ELSE 0 END
                            WHEN op = 2 THEN CASE WHEN amount < 0 THEN 41 ELSE 0 END
                            WHEN f = 0 THEN 40
                            WHEN amount <= 0 THEN 41
                            WHEN op = 3 THEN CASE WHEN v_max_balance[card_type] > 0 AND f_balance + first_fen > v_max_balance[card_type] THEN 45
                                                  ELSE 0 END
                            WHEN v_max_txn[card_type] > 0 AND amount > v_max_txn[card_type] THEN 42
                            WHEN meal > 0 AND v_max_meal[card_type] > 0 AND meal_spent + amount > v_max_meal[card_type] THEN 43
                            WHEN v_max_day[card_type] > 0 AND day_spent + amount > v_max_day[card_type] THEN 44
                            WHEN amount > first_fen + second_fen THEN 50
                            ELSE 0 END AS code
                  FROM (
                    SELECT ord, op, terminal, seq, card, merchant, amount, meal, occurred, bdate, orig_terminal, orig_seq, is_reversal, id, known,
                           field, k_code, k_balance, k_transfer, refusal, account_no, operator_id, card_type, repaid_fen, f,
                           CASE f WHEN 1 THEN 0 WHEN 2 THEN unit END AS f_unit,
                           CASE f WHEN 1 THEN u_tid WHEN 2 THEN v_tid END AS f_tid,
                           CASE f WHEN 1 THEN u_balance WHEN 2 THEN v_balance END AS f_balance,
                           CASE f WHEN 1 THEN u_seq WHEN 2 THEN v_seq END AS f_seq,
                           CASE f WHEN 1 THEN u_last WHEN 2 THEN v_last END AS f_last,
                           CASE f WHEN 1 THEN u_day WHEN 2 THEN v_day END AS f_day,
                           CASE f WHEN 1 THEN u_day_spent WHEN 2 THEN v_day_spent END AS f_day_spent,
                           CASE f WHEN 1 THEN u_meal WHEN 2 THEN v_meal END AS f_meal,
                           CASE f WHEN 1 THEN u_meal_spent WHEN 2 THEN v_meal_spent END AS f_meal_spent,
                           CASE WHEN op = 3 THEN amount - repaid_fen
                                ELSE least(amount, CASE f WHEN 1 THEN u_avail WHEN 2 THEN v_avail ELSE 0 END) END AS first_fen,
                           -- The rest from the second purse, where the order names both. A hold is not split.
                           CASE WHEN op > 2 THEN 0 WHEN purse_order = 3 AND f = 2 AND u_avail > 0 THEN least(greatest(amount - v_avail, 0), u_avail)
                                WHEN purse_order = 4 AND f = 1 AND v_avail > 0 THEN least(greatest(amount - u_avail, 0), v_avail)
                                ELSE 0 END AS second_fen,
                           CASE WHEN f = 1 THEN unit ELSE 0 END AS s_unit,
                           -- Limits count what was spent from every purse that this merchant may use.
                           CASE WHEN u_day >= bdate THEN u_day_spent ELSE 0 END + CASE WHEN v_day >= bdate THEN v_day_spent ELSE 0 END AS day_spent,
                           CASE WHEN u_day >= bdate AND u_meal = meal THEN u_meal_spent ELSE 0 END
                           + CASE WHEN v_day >= bdate AND v_meal = meal THEN v_meal_spent ELSE 0 END AS meal_spent
                      FROM (
                        SELECT i.ord, i.op, i.terminal, i.seq, i.card, i.merchant, i.unit, i.purse_order, i.amount, i.meal,
                               to_timestamp(i.occurred_us / 1e6::float8) AS occurred,
                               date '2000-01-01' + i.bdate::int AS bdate,
                               CASE WHEN i.op BETWEEN 5 AND 8 THEN CASE WHEN i.ot = 0 THEN i.terminal ELSE i.ot END END AS orig_terminal,
                               CASE WHEN i.op BETWEEN 5 AND 8 THEN i.os END AS orig_seq,
                               CASE WHEN i.op = 9 THEN 1 ELSE 0 END AS is_reversal,
                               v_base + (i.ord - 1) * 8 AS id,
                               k.op IS NOT NULL AS known, k.balance_after AS k_balance, k.transfer_id AS k_transfer,
                               CASE WHEN k.state > 0 THEN 11 ELSE k.code END AS k_code,
                               CASE WHEN k.op IS NULL OR k.state = 2 THEN 0
                                    WHEN k.op <> i.op THEN 1
                                    WHEN k.card_no <> i.card THEN 2
                                    WHEN k.amount_fen <> i.amount THEN 3
                                    WHEN k.orig_seq <> i.os OR k.orig_terminal <> CASE WHEN i.ot = 0 THEN i.terminal ELSE i.ot END THEN 4
                                    -- An offline record carries its own time. On line a gateway may have stamped a retry anew, but a day's
                                    -- distance is a sequence number used again.
                                    WHEN CASE WHEN i.op = 2 THEN k.occurred_at <> to_timestamp(i.occurred_us / 1e6::float8)
                                         ELSE abs(extract(epoch FROM k.occurred_at)::bigint - i.occurred_us / 1000000) > 86400 END THEN 5
                                    WHEN k.merchant <> i.merchant THEN 6
                                    ELSE 0 END AS field,
                               -- What the directory and the card refuse. O4: what stands on a device still comes up; what ends or undoes
                               -- a record is not stopped by a closed merchant.
                               CASE WHEN i.precheck > 0 AND NOT (i.op = 2 AND i.precheck IN (22, 23)
                                                                 OR i.op IN (5, 6, 9) AND i.precheck IN (21, 22, 23)) THEN i.precheck
                                    WHEN c.account_no IS NULL THEN 30
                                    WHEN i.op = 2 OR i.op IN (5, 6, 9) THEN 0
                                    WHEN i.op >= 7 THEN CASE WHEN c.account_status = 3 THEN 36 ELSE 0 END
                                    WHEN c.status IN (0, 5) THEN 31
                                    WHEN c.status = 2 THEN 32
                                    WHEN c.status = 3 OR c.account_status = 2 THEN 33
                                    WHEN c.status = 4 OR c.valid_until < date '2000-01-01' + i.bdate::int THEN 34
                                    WHEN c.denied AND i.op <> 3 THEN 35
                                    WHEN c.account_status = 3 THEN 36
                                    ELSE 0 END AS refusal,
                               c.account_no, c.operator_id, array_position(v_types, c.card_type_id) AS card_type,
                               CASE WHEN i.op = 3 THEN least(coalesce(a.debt_fen, 0), i.amount) ELSE 0 END AS repaid_fen,
                               -- P2: 0 no purse, 1 the public, 2 the private one. Of two, the first in order that has something; a hold
                               -- takes the first that has it all.
                               CASE WHEN i.purse_order < 3 THEN CASE WHEN u.account_no IS NOT NULL THEN 1 WHEN v.account_no IS NOT NULL THEN 2 ELSE 0 END
                                    WHEN i.purse_order = 3 THEN
                                        CASE WHEN v.balance_fen - v.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 2
                                             WHEN u.balance_fen - u.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 1
                                             WHEN v.account_no IS NOT NULL THEN 2 WHEN u.account_no IS NOT NULL THEN 1 ELSE 0 END
                                    ELSE
                                        CASE WHEN u.balance_fen - u.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 1
                                             WHEN v.balance_fen - v.floor_fen >= CASE WHEN i.op = 4 THEN i.amount ELSE 1 END THEN 2
                                             WHEN u.account_no IS NOT NULL THEN 1 WHEN v.account_no IS NOT NULL THEN 2 ELSE 0 END
                               END AS f,
                               u.ctid AS u_tid, u.balance_fen - u.floor_fen AS u_avail, u.balance_fen AS u_balance, u.seq AS u_seq,
                               u.last_transfer_id AS u_last, u.day AS u_day, u.day_spent_fen AS u_day_spent, u.meal AS u_meal,
                               u.meal_spent_fen AS u_meal_spent,
                               v.ctid AS v_tid, v.balance_fen - v.floor_fen AS v_avail, v.balance_fen AS v_balance, v.seq AS v_seq,
                               v.last_transfer_id AS v_last, v.day AS v_day, v.day_spent_fen AS v_day_spent, v.meal AS v_meal,
                               v.meal_spent_fen AS v_meal_spent
                          FROM unnest(p_op, p_terminal, p_seq, p_card, p_merchant, p_unit, p_purse_order, p_amount, p_occurred_us,
                                      p_business_date, p_meal, p_orig_terminal, p_orig_seq, p_precheck) WITH ORDINALITY
                               i(op, terminal, seq, card, merchant, unit, purse_order, amount, occurred_us, bdate, meal, ot, os, precheck, ord)
                          LEFT JOIN ledger.posting_key k ON k.terminal_id = i.terminal AND k.terminal_seq = i.seq
                                    AND k.phase = CASE WHEN i.op = 9 THEN 1 ELSE 0 END
                          LEFT JOIN ledger.card c ON c.card_no = i.card
                          LEFT JOIN ledger.account a ON a.account_no = CASE WHEN i.op = 3 THEN c.account_no END -- what a top-up may repay
                          -- P2: the public purse where the issuer settles unified and the merchant takes it, the private one of its unit.
                          LEFT JOIN ledger.purse u ON u.account_no = c.account_no
                                    AND u.unit_id = CASE WHEN i.purse_order IN (1, 3, 4) AND c.operator_id = ANY (v_unified) AND i.op <= 4 THEN 0 END
                          LEFT JOIN ledger.purse v ON v.account_no = c.account_no
                                    AND v.unit_id = CASE WHEN i.purse_order IN (2, 3, 4) AND i.unit > 0 AND i.op <= 4 THEN i.unit END
                         OFFSET 0) j OFFSET 0) a OFFSET 0) b OFFSET 0) c OFFSET 0) q;
    IF v_rows = 0 THEN
        o_code := '{}'; o_balance := '{}'; o_transfer := '{}'; o_field := '{}';
        RETURN;
    END IF;
    ASSERT v_stray IS NULL, 'account of another lane: ' || v_stray;
    IF v_rows > 1 THEN
        SELECT bool_and(ord = place), count(DISTINCT account) < count(account) OR count(DISTINCT hashint8extended(terminal, seq)) < v_rows
          INTO v_in_order, v_repeated
          FROM unnest(v_ord, v_accounts, p_terminal, p_seq) WITH ORDINALITY q(ord, account, terminal, seq, place);
        ASSERT v_in_order, 'answers out of order';
    END IF;
    IF v_repeated THEN -- one account or one key twice: nothing is written yet, take the rows in turns
        SELECT * INTO o_code, o_balance, o_transfer, o_field
          FROM ledger.post_in_turns(p_lane, p_op, p_terminal, p_seq, p_card, p_merchant, p_unit, p_purse_order, p_amount, p_occurred_us,
                                    p_business_date, p_meal, p_orig_terminal, p_orig_seq, p_precheck);
        RETURN;
    END IF;
    -- 2 Write. A key that another lane has just used stops the whole call (unique_violation): the caller repeats it.
    IF v_keys IS NOT NULL THEN
        INSERT INTO ledger.posting_key SELECT k.* FROM unnest(v_keys) k;
    END IF;
    IF v_legs IS NOT NULL THEN
        INSERT INTO ledger.transfer SELECT l.* FROM unnest(v_legs) l;
        UPDATE ledger.purse p
           SET balance_fen = n.balance_fen, seq = p.seq + 1, last_transfer_id = n.last_transfer_id, day = n.day,
               day_spent_fen = n.day_spent_fen, meal = n.meal, meal_spent_fen = n.meal_spent_fen
          FROM unnest(v_tids, v_purses) n(tid, account_no, balance_fen, floor_fen, seq, last_transfer_id, day_spent_fen, meal_spent_fen, day,
                                          unit_id, meal)
         WHERE p.ctid = n.tid AND p.account_no = n.account_no AND p.unit_id = n.unit_id AND p.seq = n.seq;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        ASSERT v_count = cardinality(v_legs), 'a purse moved without the lane lock';
    END IF;
    IF v_holds THEN
        INSERT INTO ledger.hold (transfer_id, account_no, card_no, merchant, amount_fen, terminal_id, terminal_seq, expires_at,
                                 business_date, unit_id, operator_id, lane, meal)
        SELECT l.id, l.account_no, l.card_no, p_merchant[(l.id - v_base) / 8 + 1], l.amount_fen, l.terminal_id, l.terminal_seq,
               v_now + q.hold_ttl, l.business_date, l.debit % 100000, l.issuer_operator, p_lane, p_meal[(l.id - v_base) / 8 + 1]
          FROM unnest(v_legs) l, ledger.parameter q WHERE l.kind = 4;
    END IF;
    IF v_extra IS NOT NULL THEN
        PERFORM ledger.post_extra_legs(p_lane, v_lane.last_batch, v_extra);
    END IF;
    IF v_quarantine THEN
        INSERT INTO ledger.quarantine (terminal_id, terminal_seq, card_no, merchant, amount_fen, occurred_at, business_date, code, reason)
        SELECT p_terminal[n], p_seq[n], p_card[n], p_merchant[n], p_amount[n], to_timestamp(p_occurred_us[n] / 1e6::float8),
               date '2000-01-01' + p_business_date[n]::int, o_code[n], 'advice'
          FROM generate_series(1, v_rows) n WHERE p_op[n] = 2 AND o_code[n] NOT IN (0, 11)
            ON CONFLICT DO NOTHING;
    END IF;
    IF v_special IS NOT NULL THEN -- rare, row by row
        FOR n IN 1..cardinality(v_special) LOOP
            v_count := v_special[n];
            SELECT * INTO v_answer
              FROM ledger.post_special(v_lane, v_base + (v_count - 1) * 8, p_op[v_count]::smallint, p_terminal[v_count], p_seq[v_count],
                                       p_card[v_count], p_merchant[v_count], p_amount[v_count],
                                       to_timestamp(p_occurred_us[v_count] / 1e6::float8),
                                       date '2000-01-01' + p_business_date[v_count]::int, p_orig_terminal[v_count], p_orig_seq[v_count]);
            o_code[v_count] := v_answer.o_code;
            o_balance[v_count] := coalesce(v_answer.o_balance, 0);
            o_transfer[v_count] := coalesce(v_answer.o_transfer, 0);
        END LOOP;
    END IF;
    -- 3 Chain the batch. Where the first legs are all there is, they need not be read back.
    IF v_legs IS NULL AND v_extra IS NULL AND v_special IS NULL THEN
        RETURN;
    END IF;
    PERFORM ledger.chain_batch(v_lane, v_base + v_rows * 8 - 1, CASE WHEN v_extra IS NULL AND v_special IS NULL THEN v_legs END);
END $$;
CREATE FUNCTION ledger.post_book(p_key_terminal bigint, p_key_seq bigint[], p_kind bigint[], p_debit bigint[], p_credit bigint[], p_amount bigint[], p_business_date date, OUT o_code bigint[], OUT o_transfer bigint[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
DECLARE
    v_lane ledger.lane := ledger.lock_lane(99::smallint);
    v_rows int := coalesce(cardinality(p_key_seq), 0);
    v_known boolean[];
    v_today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    ASSERT p_key_terminal < 0, 'book transfers have a system key';
    ASSERT v_rows = ALL (ARRAY[cardinality(p_kind), cardinality(p_debit), cardinality(p_credit), cardinality(p_amount)]),
        'arrays of unequal length';
    ASSERT (SELECT count(DISTINCT s) = count(*) FROM unnest(p_key_seq) s), 'a key stands twice';
    ASSERT 1000000000000 > ALL (p_debit || p_credit), 'not a book account';
    SELECT coalesce(array_agg(k.op IS NOT NULL ORDER BY i.ord), '{}'),
           coalesce(array_agg(CASE WHEN k.op IS NULL THEN 0 WHEN t.debit = i.debit AND t.credit = i.credit AND t.amount_fen = i.amount
                                        AND t.kind = i.kind THEN 0 ELSE 10 END ORDER BY i.ord), '{}'),
           coalesce(array_agg(coalesce(k.transfer_id, v_lane.last_id + i.ord) ORDER BY i.ord), '{}')
      INTO v_known, o_code, o_transfer
      FROM unnest(p_key_seq, p_kind, p_debit, p_credit, p_amount) WITH ORDINALITY i(seq, kind, debit, credit, amount, ord)
      LEFT JOIN ledger.posting_key k ON k.terminal_id = p_key_terminal AND k.terminal_seq = i.seq AND k.phase = 0
      LEFT JOIN ledger.transfer t ON t.lane = 99 AND t.id = k.transfer_id;
    IF false = ANY (v_known) THEN
        INSERT INTO ledger.posting_key (terminal_id, terminal_seq, amount_fen, merchant, transfer_id, occurred_at, posted_on, phase, op, code,
                                        legs, lane)
        SELECT p_key_terminal, p_key_seq[n], p_amount[n], p_credit[n], o_transfer[n], now(), v_today, 0, p_kind[n], 0, 1, 99
          FROM generate_series(1, v_rows) n WHERE NOT v_known[n];
        INSERT INTO ledger.transfer (id, debit, credit, amount_fen, terminal_id, terminal_seq, batch_no, occurred_at, business_date, lane, kind)
        SELECT o_transfer[n], p_debit[n], p_credit[n], p_amount[n], p_key_terminal, p_key_seq[n], v_lane.last_batch, now(), p_business_date, 99,
               p_kind[n]
          FROM generate_series(1, v_rows) n WHERE NOT v_known[n];
        PERFORM ledger.chain_batch(v_lane, v_lane.last_id + v_rows);
    END IF;
END $$;
CREATE FUNCTION ledger.post_extra_legs(p_lane smallint, p_batch bigint, p_rows ledger.extra_legs[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    -- The rest from the second purse: its leg, then its balance. The first purse's leg is posted already.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, balance_after, prev_id, terminal_id, terminal_seq, card_no, account_no,
                                 link_id, batch_no, occurred_at, business_date, issuer_operator, lane, kind)
    SELECT r.id + 1, r.account_no * 100000 + r.second_unit, r.merchant, r.second_fen, p.balance_fen - r.second_fen, p.last_transfer_id,
           r.terminal_id, r.terminal_seq, r.card_no, r.account_no, r.id, p_batch, r.occurred_at, r.business_date, r.operator_id, p_lane, r.op
      FROM unnest(p_rows) r JOIN ledger.purse p ON p.account_no = r.account_no AND p.unit_id = r.second_unit
     WHERE r.second_fen > 0;
    UPDATE ledger.purse p
       SET balance_fen = p.balance_fen - r.second_fen, seq = p.seq + 1, last_transfer_id = r.id + 1,
           day = greatest(p.day, r.business_date),
           day_spent_fen = CASE WHEN r.op = 2 AND p.day > r.business_date THEN p.day_spent_fen
                                WHEN p.day >= r.business_date THEN p.day_spent_fen + r.second_fen ELSE r.second_fen END,
           meal = CASE WHEN r.op = 2 AND p.day > r.business_date THEN p.meal WHEN r.meal > 0 THEN r.meal
                       WHEN p.day >= r.business_date THEN p.meal ELSE 0 END,
           meal_spent_fen = CASE WHEN r.op = 2 AND p.day > r.business_date THEN p.meal_spent_fen
                                 WHEN r.meal > 0 AND p.day >= r.business_date AND p.meal = r.meal THEN p.meal_spent_fen + r.second_fen
                                 WHEN r.meal > 0 THEN r.second_fen
                                 WHEN p.day >= r.business_date THEN p.meal_spent_fen ELSE 0 END
      FROM unnest(p_rows) r
     WHERE r.second_fen > 0 AND p.account_no = r.account_no AND p.unit_id = r.second_unit;
    -- What no purse of the account covers is owed: the operator's debt book pays the merchant, the account owes the operator.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, terminal_id, terminal_seq, card_no, account_no, link_id, batch_no,
                                 occurred_at, business_date, issuer_operator, lane, kind)
    SELECT r.id + r.has_first::int + (r.second_fen > 0)::int, 600000000 + r.operator_id, r.merchant, r.debt_fen, r.terminal_id,
           r.terminal_seq, r.card_no, r.account_no, CASE WHEN r.has_first THEN r.id END, p_batch, r.occurred_at, r.business_date,
           r.operator_id, p_lane, 10
      FROM unnest(p_rows) r WHERE r.op = 2 AND (r.debt_fen > 0 OR NOT r.has_first);
    -- A top-up repays first: funding to the debt book.
    INSERT INTO ledger.transfer (id, debit, credit, amount_fen, terminal_id, terminal_seq, card_no, account_no, link_id, batch_no,
                                 occurred_at, business_date, issuer_operator, lane, kind)
    SELECT r.id + r.has_first::int, r.merchant, 600000000 + r.operator_id, r.repaid_fen, r.terminal_id, r.terminal_seq, r.card_no,
           r.account_no, CASE WHEN r.has_first THEN r.id END, p_batch, r.occurred_at, r.business_date, r.operator_id, p_lane, 11
      FROM unnest(p_rows) r WHERE r.repaid_fen > 0;
    PERFORM ledger.change_debt(r.account_no, r.debt_fen - r.repaid_fen) FROM unnest(p_rows) r WHERE r.debt_fen <> r.repaid_fen;
END $$;
CREATE FUNCTION ledger.post_in_turns(p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[], p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[], p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[], OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_before bigint[]; -- per row: the nearest earlier row of its account or key, 0 for none
    v_from int := 1;
    a record;
BEGIN
    SELECT array_agg(before ORDER BY ord) INTO v_before
      FROM (SELECT ord, greatest(lag(ord, 1, 0) OVER (PARTITION BY coalesce(c.account_no, -i.card) ORDER BY ord),
                                 lag(ord, 1, 0) OVER (PARTITION BY terminal, seq ORDER BY ord)) AS before
              FROM unnest(p_terminal, p_seq, p_card) WITH ORDINALITY i(terminal, seq, card, ord)
              LEFT JOIN ledger.card c ON c.card_no = i.card) q;
    FOR n IN 2..cardinality(v_before) + 1 LOOP
        IF n > cardinality(v_before) OR v_before[n] >= v_from THEN
            SELECT * INTO a
              FROM ledger.post_batch(p_lane, p_op[v_from:n-1], p_terminal[v_from:n-1], p_seq[v_from:n-1], p_card[v_from:n-1],
                                     p_merchant[v_from:n-1], p_unit[v_from:n-1], p_purse_order[v_from:n-1], p_amount[v_from:n-1],
                                     p_occurred_us[v_from:n-1], p_business_date[v_from:n-1], p_meal[v_from:n-1],
                                     p_orig_terminal[v_from:n-1], p_orig_seq[v_from:n-1], p_precheck[v_from:n-1]);
            o_code := o_code || a.o_code;
            o_balance := o_balance || a.o_balance;
            o_transfer := o_transfer || a.o_transfer;
            o_field := o_field || a.o_field;
            v_from := n;
        END IF;
    END LOOP;
END $$;
CREATE FUNCTION ledger.post_legs(p_legs ledger.transfer[], p_common ledger.transfer, p_id bigint, p_back_day date DEFAULT NULL::date, p_back_meal integer DEFAULT 0) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_leg ledger.transfer;
    v_purse bigint;
    v_balance bigint; -- of the purse moved last
    v_amount bigint;
    v_count int := coalesce(cardinality(p_legs), 0);
BEGIN
    FOR n IN 1..v_count LOOP
        v_leg := p_legs[n];
        v_leg.id := p_id + n - 1;
        IF v_count > 1 THEN
            v_leg.link_id := p_id;
        END IF;
        v_leg.lane := p_common.lane;
        v_leg.terminal_id := p_common.terminal_id;
        v_leg.terminal_seq := p_common.terminal_seq;
        v_leg.card_no := p_common.card_no;
        v_leg.account_no := p_common.account_no;
        v_leg.batch_no := p_common.batch_no;
        v_leg.occurred_at := p_common.occurred_at;
        v_leg.business_date := p_common.business_date;
        v_leg.issuer_operator := p_common.issuer_operator;
        ASSERT v_leg.debit < 1000000000000 OR v_leg.credit < 1000000000000, 'a transfer touches one purse at most';
        v_purse := CASE WHEN v_leg.debit >= 1000000000000 THEN v_leg.debit WHEN v_leg.credit >= 1000000000000 THEN v_leg.credit END;
        IF v_purse IS NOT NULL THEN
            v_amount := CASE WHEN v_leg.credit = v_purse THEN v_leg.amount_fen ELSE -v_leg.amount_fen END;
            SELECT last_transfer_id INTO STRICT v_leg.prev_id FROM ledger.purse
             WHERE account_no = v_purse / 100000 AND unit_id = v_purse % 100000;
            UPDATE ledger.purse
               SET balance_fen = balance_fen + v_amount, seq = seq + 1, last_transfer_id = v_leg.id,
                   day_spent_fen = CASE WHEN v_amount > 0 AND day = p_back_day THEN greatest(day_spent_fen - v_amount, 0) ELSE day_spent_fen END,
                   meal_spent_fen = CASE WHEN v_amount > 0 AND day = p_back_day AND meal = p_back_meal
                                         THEN greatest(meal_spent_fen - v_amount, 0) ELSE meal_spent_fen END
             WHERE account_no = v_purse / 100000 AND unit_id = v_purse % 100000
            RETURNING balance_fen INTO STRICT v_balance;
            v_leg.balance_after := v_balance;
        END IF;
        INSERT INTO ledger.transfer SELECT v_leg.*;
    END LOOP;
    RETURN v_balance;
END $$;
CREATE FUNCTION ledger.post_special(p_lane ledger.lane, p_id bigint, p_op smallint, p_terminal bigint, p_seq bigint, p_card bigint, p_merchant bigint, p_amount bigint, p_occurred timestamp with time zone, p_business_date date, p_orig_terminal bigint, p_orig_seq bigint, OUT o_code bigint, OUT o_balance bigint, OUT o_transfer bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_key ledger.posting_key;  -- the original's
    v_account ledger.account;
    v_plan record;
    v_legs ledger.transfer[];
    v_common ledger.transfer;
    v_orig_terminal bigint := CASE WHEN p_op = 9 THEN p_terminal ELSE coalesce(nullif(p_orig_terminal, 0), p_terminal) END;
    v_orig_seq bigint := CASE WHEN p_op = 9 THEN p_seq ELSE p_orig_seq END;
BEGIN
    SELECT a.* INTO STRICT v_account FROM ledger.card c JOIN ledger.account a ON a.account_no = c.account_no WHERE c.card_no = p_card;
    SELECT * INTO v_key FROM ledger.posting_key WHERE terminal_id = v_orig_terminal AND terminal_seq = v_orig_seq AND phase = 0;
    SELECT * INTO v_plan
      FROM ledger.plan_special(p_op, v_key, v_account, p_card, p_merchant, p_amount, p_business_date);
    o_code := v_plan.o_code;
    v_legs := v_plan.o_legs;
    IF v_legs IS NOT NULL THEN
        v_common := ROW(0, 0, 0, 0, NULL, NULL, p_terminal, p_seq, p_card, v_account.account_no, NULL, NULL, p_lane.last_batch, p_occurred,
                        p_business_date, v_account.operator_id, p_lane.lane, 0)::ledger.transfer;
        o_balance := ledger.post_legs(v_legs, v_common, p_id, v_plan.o_back_day, v_plan.o_back_meal);
        o_transfer := p_id;
        IF v_plan.o_debt <> 0 THEN
            PERFORM ledger.change_debt(v_account.account_no, v_plan.o_debt);
        END IF;
    END IF;
    IF o_balance IS NULL THEN -- no purse moved: tell the first purse's balance
        SELECT balance_fen INTO o_balance FROM ledger.purse WHERE account_no = v_account.account_no ORDER BY unit_id LIMIT 1;
    END IF;
    IF o_code = 0 THEN
        PERFORM ledger.close_original(p_lane.lane, p_op, v_key, p_amount, v_legs);
    END IF;
    IF p_op = 9 AND v_key.op IS NULL THEN
        -- The reversal came first: a tombstone, so that the late original is refused as reversed.
        INSERT INTO ledger.posting_key (terminal_id, terminal_seq, posted_on, phase, op, code, state, lane)
        VALUES (p_terminal, p_seq, (now() AT TIME ZONE 'UTC')::date, 0, 0, 11, 2, p_lane.lane);
    END IF;
    INSERT INTO ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, merchant, orig_terminal, orig_seq, transfer_id,
                                    balance_after, occurred_at, posted_on, phase, op, code, legs, lane)
    VALUES (p_terminal, p_seq, p_card, p_amount, p_merchant, CASE WHEN p_op < 9 THEN v_orig_terminal END,
            CASE WHEN p_op < 9 THEN v_orig_seq END, o_transfer, o_balance, p_occurred, (now() AT TIME ZONE 'UTC')::date,
            CASE WHEN p_op = 9 THEN 1 ELSE 0 END, p_op, o_code, coalesce(cardinality(v_legs), 0), p_lane.lane);
END $$;
CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION '只许追加，不许% / append only: % on %.% refused', TG_OP, TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION ledger.set_account_status(p_account bigint, p_status integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_account ledger.account := ledger.lock_account(p_account);
BEGIN
    IF p_status = 3 AND (v_account.debt_fen > 0
            OR EXISTS (SELECT FROM ledger.purse WHERE account_no = p_account AND balance_fen <> 0)
            OR EXISTS (SELECT FROM ledger.hold WHERE account_no = p_account AND state = 1)) THEN
        RAISE EXCEPTION '账户未结清 / account not settled: %', p_account USING ERRCODE = 'check_violation';
    END IF;
    UPDATE ledger.account SET status = p_status WHERE account_no = p_account;
    UPDATE ledger.card SET account_status = p_status WHERE account_no = p_account;
END $$;
CREATE FUNCTION ledger.set_account_terms(p_account bigint, p_holder bigint, p_card_type integer, p_unit integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM ledger.lock_account(p_account);
    UPDATE ledger.account SET holder_id = p_holder, card_type_id = p_card_type, unit_id = p_unit WHERE account_no = p_account;
    UPDATE ledger.card SET card_type_id = p_card_type WHERE account_no = p_account;
END $$;
CREATE FUNCTION ledger.set_card_status(p_card bigint, p_status integer, p_valid_until date DEFAULT NULL::date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE v_account bigint;
BEGIN
    SELECT account_no INTO v_account FROM ledger.card WHERE card_no = p_card;
    IF NOT FOUND THEN
        RAISE EXCEPTION '无此卡 / no such card: %', p_card USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM ledger.lock_account(v_account);
    UPDATE ledger.card SET status = p_status, valid_until = coalesce(p_valid_until, valid_until) WHERE card_no = p_card;
    DELETE FROM ledger.deny_list WHERE card_no = p_card AND reason IN (2, 3) AND reason <> p_status;
    IF p_status IN (2, 3) THEN
        INSERT INTO ledger.deny_list (card_no, reason) VALUES (p_card, p_status) ON CONFLICT DO NOTHING;
    END IF;
END $$;
CREATE FUNCTION ledger.undone_fen(p_lane smallint, p_id bigint) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT coalesce(sum(x.amount_fen - coalesce((SELECT sum(y.amount_fen) FROM ledger.transfer y
                                                  WHERE y.orig_id = x.id AND y.lane + 0 = p_lane AND y.id > x.id), 0)), 0)::bigint
      FROM ledger.transfer x WHERE x.orig_id = p_id AND x.lane + 0 = p_lane AND x.id > p_id
$$;
CREATE FUNCTION public.devices_check_terminal_line() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT n.id INTO wrong
      FROM new_rows n
      JOIN devices_line l ON l.id = n.line_id
      JOIN operators_merchant m ON m.id = n.merchant_id
     WHERE NOT coalesce(l.unit_id = m.unit_id, false) AND NOT coalesce(l.operator_id = m.operator_id, false)
     LIMIT 1;
    IF FOUND THEN
        PERFORM operators_refuse('terminal_line_owner', format('terminal %s: the line is of another unit or operator', wrong));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.operators_check_purse_order() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.operators_check_settlement_mode() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.operators_check_unit_state() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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
CREATE FUNCTION public.operators_directory_notify() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
DECLARE
    collapse_over CONSTANT int := 50;
    ignored  text[] := TG_ARGV[2:];
    changed  bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        EXECUTE format('SELECT array_agg(DISTINCT %1$I) FROM new_rows WHERE %1$I IS NOT NULL', TG_ARGV[1]) INTO changed;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format('SELECT array_agg(DISTINCT %1$I) FROM old_rows WHERE %1$I IS NOT NULL', TG_ARGV[1]) INTO changed;
    ELSE
        EXECUTE format(
            'SELECT array_agg(DISTINCT i) FROM (
                 SELECT unnest(ARRAY[n.%1$I, o.%1$I]::bigint[]) AS i
                   FROM new_rows n FULL JOIN old_rows o ON o.id = n.id
                  WHERE to_jsonb(n) - $1 IS DISTINCT FROM to_jsonb(o) - $1) c WHERE i IS NOT NULL', TG_ARGV[1])
            INTO changed USING ignored;
    END IF;
    IF cardinality(changed) > collapse_over THEN
        PERFORM pg_notify('directory', TG_ARGV[0] || ':*');
    ELSIF changed IS NOT NULL THEN
        PERFORM pg_notify('directory', TG_ARGV[0] || ':' || i) FROM unnest(changed) AS c (i);
    END IF;
    RETURN NULL;
END $_$;
CREATE FUNCTION public.operators_keep_count() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $_$
DECLARE
    counter  text := TG_ARGV[0];
    owner    text := TG_ARGV[1];
    counted  text := TG_ARGV[2];
    parts    text[] := '{}';
    owners   int[];
    deltas   int[];
BEGIN
    IF TG_OP <> 'DELETE' THEN
        parts := parts || format('SELECT %I AS id, 1 AS n FROM new_rows WHERE %s', owner, counted);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        parts := parts || format('SELECT %I AS id, -1 AS n FROM old_rows WHERE %s', owner, counted);
    END IF;
    EXECUTE format(
        'SELECT array_agg(id ORDER BY id), array_agg(n ORDER BY id)
           FROM (SELECT id, sum(n)::int AS n FROM (%s) c WHERE id IS NOT NULL GROUP BY id HAVING sum(n) <> 0) d',
        array_to_string(parts, ' UNION ALL ')) INTO owners, deltas;
    -- Not only thrift: an UPDATE of no rows would fire the operators' own statement triggers again, without end.
    IF owners IS NULL THEN
        RETURN NULL;
    END IF;
    -- Locked in id order before the update, whose own order nobody promises.
    PERFORM 1 FROM operators_operator WHERE id = ANY (owners) ORDER BY id FOR NO KEY UPDATE;
    EXECUTE format(
        'UPDATE operators_operator o SET %1$I = o.%1$I + d.n FROM unnest($1, $2) AS d (id, n) WHERE o.id = d.id', counter)
        USING owners, deltas;
    RETURN NULL;
END $_$;
CREATE FUNCTION public.operators_open_book_accounts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO ledger.book_account (id, kind, ref_id, name)
    SELECT k.kind::bigint * 100000000 + n.id, k.kind, n.id, n.name
      FROM new_rows n CROSS JOIN unnest(TG_ARGV::smallint[]) AS k (kind)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE ledger.book_account.name IS DISTINCT FROM excluded.name;
    RETURN NULL;
END $$;
CREATE FUNCTION public.operators_protect_counters() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.holder_count := 0;
        NEW.unit_count := 0;
        NEW.child_count := 0;
    ELSIF pg_trigger_depth() < 2 THEN
        NEW.holder_count := OLD.holder_count;
        NEW.unit_count := OLD.unit_count;
        NEW.child_count := OLD.child_count;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION public.operators_refuse(p_constraint text, p_message text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = p_constraint, MESSAGE = p_message;
END $$;
CREATE FUNCTION public.operators_refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is counted (O1, O2): delete rows, do not truncate', TG_TABLE_NAME;
END $$;
CREATE FUNCTION public.operators_rename_book_accounts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    UPDATE ledger.book_account SET name = NEW.name
     WHERE id = ANY (SELECT kind::bigint * 100000000 + NEW.id FROM unnest('{3,4,5,6,7,8,10,11}'::int[]) AS k (kind));
    RETURN NULL;
END $$;
CREATE FUNCTION public.operators_sync_card_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO ledger.card_type (card_type_id, limit_txn_fen, limit_meal_fen, limit_day_fen, limit_balance_fen)
    VALUES (NEW.id, NEW.limit_txn_fen, NEW.limit_meal_fen, NEW.limit_day_fen, NEW.limit_balance_fen)
    ON CONFLICT (card_type_id) DO UPDATE SET
        limit_txn_fen = excluded.limit_txn_fen, limit_meal_fen = excluded.limit_meal_fen,
        limit_day_fen = excluded.limit_day_fen, limit_balance_fen = excluded.limit_balance_fen;
    RETURN NULL;
END $$;
CREATE FUNCTION public.operators_sync_issuer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO ledger.issuer (operator_id, unified) VALUES (NEW.id, NEW.settlement_mode = 'unified')
    ON CONFLICT (operator_id) DO UPDATE SET unified = excluded.unified;
    RETURN NULL;
END $$;
CREATE FUNCTION public.operators_watch_directory(p_table regclass, p_name text, p_id_column text DEFAULT 'id'::text, p_ignored text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    arguments text;
BEGIN
    SELECT string_agg(quote_literal(a), ', ') INTO arguments FROM unnest(ARRAY[p_name, p_id_column] || p_ignored) AS x (a);
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION operators_directory_notify(%s)', 'notify_insert_' || p_name, p_table, arguments);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION operators_directory_notify(%s)', 'notify_update_' || p_name, p_table, arguments);
    EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION operators_directory_notify(%s)', 'notify_delete_' || p_name, p_table, arguments);
END $$;
CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;
    RETURN job_ids;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;
    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;
    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;
    RETURN _job_id;
END;
$$;
CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    queueing_lock text,
    priority integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);
CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;
 RETURN found_jobs;
END;
$$;
CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;
CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;
CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;
CREATE TABLE ledger.audit_mark (
    lane smallint NOT NULL,
    batch_no bigint NOT NULL,
    through_id bigint NOT NULL,
    audited_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE ledger.book_account (
    id bigint NOT NULL,
    ref_id bigint NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    kind smallint NOT NULL,
    CONSTRAINT book_account_check CHECK ((id = ((kind * (100000000)::bigint) + ref_id))),
    CONSTRAINT book_account_kind_check CHECK (((kind >= 1) AND (kind <= 99))),
    CONSTRAINT book_account_ref_id_check CHECK (((ref_id >= 0) AND (ref_id <= 99999999)))
);
CREATE TABLE ledger.card (
    card_no bigint NOT NULL,
    account_no bigint NOT NULL,
    valid_until date,
    operator_id integer NOT NULL,
    card_type_id integer NOT NULL,
    account_status smallint DEFAULT 1 NOT NULL,
    status smallint DEFAULT 1 NOT NULL,
    medium smallint DEFAULT 1 NOT NULL,
    denied boolean DEFAULT false NOT NULL,
    CONSTRAINT card_check CHECK ((((card_no / '10000000000'::bigint) % (100)::bigint) = ((account_no / '10000000000'::bigint) % (100)::bigint))),
    CONSTRAINT card_medium_check CHECK (((medium >= 1) AND (medium <= 4))),
    CONSTRAINT card_status_check CHECK (((status >= 0) AND (status <= 5)))
)
WITH (fillfactor='90');
CREATE TABLE ledger.card_type (
    card_type_id integer NOT NULL,
    limit_txn_fen bigint DEFAULT 0 NOT NULL,
    limit_meal_fen bigint DEFAULT 0 NOT NULL,
    limit_day_fen bigint DEFAULT 0 NOT NULL,
    limit_balance_fen bigint DEFAULT 0 NOT NULL,
    CONSTRAINT card_type_limit_balance_fen_check CHECK ((limit_balance_fen >= 0)),
    CONSTRAINT card_type_limit_day_fen_check CHECK ((limit_day_fen >= 0)),
    CONSTRAINT card_type_limit_meal_fen_check CHECK ((limit_meal_fen >= 0)),
    CONSTRAINT card_type_limit_txn_fen_check CHECK ((limit_txn_fen >= 0))
);
CREATE TABLE ledger.checkpoint (
    account_id bigint NOT NULL,
    through_id bigint NOT NULL,
    balance_fen bigint NOT NULL,
    lane smallint NOT NULL
);
CREATE TABLE ledger.checkpoint_run (
    lane smallint NOT NULL,
    through_id bigint NOT NULL,
    made_at timestamp with time zone NOT NULL
);
CREATE TABLE ledger.deny_list (
    card_no bigint NOT NULL,
    reason smallint NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE ledger.hold (
    transfer_id bigint NOT NULL,
    account_no bigint NOT NULL,
    card_no bigint NOT NULL,
    merchant bigint NOT NULL,
    amount_fen bigint NOT NULL,
    committed_fen bigint DEFAULT 0 NOT NULL,
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    business_date date NOT NULL,
    unit_id integer NOT NULL,
    operator_id integer NOT NULL,
    lane smallint NOT NULL,
    meal smallint DEFAULT 0 NOT NULL,
    state smallint DEFAULT 1 NOT NULL,
    CONSTRAINT hold_state_check CHECK (((state >= 1) AND (state <= 4)))
);
CREATE TABLE ledger.issuer (
    operator_id integer NOT NULL,
    unified boolean NOT NULL
);
CREATE UNLOGGED TABLE ledger.opening_row (
    job bigint NOT NULL,
    account_no bigint NOT NULL,
    card_no bigint NOT NULL,
    holder_id bigint,
    public_fen bigint,
    private_fen bigint,
    private_unit integer,
    operator_id integer NOT NULL,
    unit_id integer DEFAULT 0 NOT NULL,
    card_type_id integer NOT NULL,
    valid_until date,
    medium smallint DEFAULT 1 NOT NULL,
    card_status smallint DEFAULT 1 NOT NULL,
    lane smallint GENERATED ALWAYS AS (((account_no / '10000000000'::bigint) % (100)::bigint)) STORED NOT NULL,
    CONSTRAINT opening_row_private_fen_check CHECK ((private_fen >= 0)),
    CONSTRAINT opening_row_private_unit_check CHECK ((private_unit > 0)),
    CONSTRAINT opening_row_public_fen_check CHECK ((public_fen >= 0))
);
CREATE TABLE ledger.parameter (
    one boolean DEFAULT true NOT NULL,
    hold_ttl interval DEFAULT '24:00:00'::interval NOT NULL,
    CONSTRAINT parameter_hold_ttl_check CHECK ((hold_ttl > '00:00:00'::interval)),
    CONSTRAINT parameter_one_check CHECK (one)
);
CREATE TABLE ledger.posting_batch (
    batch_no bigint NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    posted_at timestamp with time zone NOT NULL,
    row_count integer NOT NULL,
    lane smallint NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE ledger.purse (
    account_no bigint NOT NULL,
    balance_fen bigint DEFAULT 0 NOT NULL,
    floor_fen bigint DEFAULT 0 NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    last_transfer_id bigint,
    day_spent_fen bigint DEFAULT 0 NOT NULL,
    meal_spent_fen bigint DEFAULT 0 NOT NULL,
    day date,
    unit_id integer DEFAULT 0 NOT NULL,
    meal smallint DEFAULT 0 NOT NULL,
    CONSTRAINT purse_check CHECK ((balance_fen >= floor_fen)),
    CONSTRAINT purse_floor_fen_check CHECK ((floor_fen <= 0)),
    CONSTRAINT purse_unit_id_check CHECK (((unit_id >= 0) AND (unit_id <= 99999)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.05', autovacuum_vacuum_cost_delay='1');
CREATE TABLE ledger.quarantine (
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    card_no bigint,
    merchant bigint,
    amount_fen bigint,
    occurred_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    resolved_at timestamp with time zone,
    business_date date NOT NULL,
    code smallint NOT NULL,
    reason text NOT NULL
);
CREATE TABLE public.auditlog_logentry (
    id integer NOT NULL,
    object_pk character varying(255) NOT NULL,
    object_id bigint,
    object_repr text NOT NULL,
    action smallint NOT NULL,
    changes jsonb,
    "timestamp" timestamp with time zone NOT NULL,
    actor_id integer,
    content_type_id integer NOT NULL,
    remote_addr inet,
    additional_data jsonb,
    serialized_data jsonb,
    cid character varying(255),
    changes_text text NOT NULL,
    remote_port integer,
    actor_email character varying(254),
    CONSTRAINT auditlog_logentry_action_check CHECK ((action >= 0)),
    CONSTRAINT auditlog_logentry_remote_port_check CHECK ((remote_port >= 0))
);
ALTER TABLE public.auditlog_logentry ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auditlog_logentry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);
ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_user (
    id integer NOT NULL,
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    is_superuser boolean NOT NULL,
    username character varying(150) NOT NULL,
    first_name character varying(150) NOT NULL,
    last_name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL
);
CREATE TABLE public.auth_user_groups (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
ALTER TABLE public.auth_user_groups ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.auth_user ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_user_user_permissions (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_user_user_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_user_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.axes_accessattempt (
    id integer NOT NULL,
    user_agent character varying(255) NOT NULL,
    ip_address inet,
    username character varying(255),
    http_accept character varying(1025) NOT NULL,
    path_info character varying(255) NOT NULL,
    attempt_time timestamp with time zone NOT NULL,
    get_data text NOT NULL,
    post_data text NOT NULL,
    failures_since_start integer NOT NULL,
    CONSTRAINT axes_accessattempt_failures_since_start_check CHECK ((failures_since_start >= 0))
);
ALTER TABLE public.axes_accessattempt ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.axes_accessattempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.axes_accessattemptexpiration (
    access_attempt_id integer NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.axes_accessfailurelog (
    id integer NOT NULL,
    user_agent character varying(255) NOT NULL,
    ip_address inet,
    username character varying(255),
    http_accept character varying(1025) NOT NULL,
    path_info character varying(255) NOT NULL,
    attempt_time timestamp with time zone NOT NULL,
    locked_out boolean NOT NULL
);
ALTER TABLE public.axes_accessfailurelog ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.axes_accessfailurelog_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.axes_accesslog (
    id integer NOT NULL,
    user_agent character varying(255) NOT NULL,
    ip_address inet,
    username character varying(255),
    http_accept character varying(1025) NOT NULL,
    path_info character varying(255) NOT NULL,
    attempt_time timestamp with time zone NOT NULL,
    logout_time timestamp with time zone,
    session_hash character varying(64) NOT NULL
);
ALTER TABLE public.axes_accesslog ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.axes_accesslog_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.centre_staffaccount (
    user_id integer NOT NULL,
    password_must_change boolean NOT NULL
);
CREATE TABLE public.datacenter_function (
    signature text NOT NULL
);
CREATE TABLE public.devices_gatewaystatus (
    gateway character varying(60) NOT NULL,
    reported_at timestamp with time zone NOT NULL,
    online_lines integer NOT NULL,
    online_terminals integer NOT NULL,
    refused_handshakes bigint NOT NULL,
    requests_per_second_milli bigint NOT NULL,
    latency_p50_us bigint NOT NULL,
    latency_p99_us bigint NOT NULL
);
CREATE TABLE public.devices_line (
    id bigint NOT NULL,
    kind character varying(10) NOT NULL,
    name character varying(100) NOT NULL,
    certificate_sha256 bytea,
    certificate_until timestamp with time zone,
    state character varying(8) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    operator_id integer,
    unit_id integer,
    CONSTRAINT line_kind CHECK (((kind)::text = ANY ((ARRAY['terminal'::character varying, 'front_end'::character varying])::text[]))),
    CONSTRAINT line_one_owner CHECK ((((unit_id IS NULL) OR (operator_id IS NULL)) AND (1 = (
CASE
    WHEN (unit_id IS NULL) THEN 1
    ELSE 0
END +
CASE
    WHEN (operator_id IS NULL) THEN 1
    ELSE 0
END)))),
    CONSTRAINT line_state CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'revoked'::character varying])::text[])))
);
ALTER TABLE public.devices_line ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.devices_line_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.devices_linestatus (
    line_id bigint NOT NULL,
    online boolean NOT NULL,
    since timestamp with time zone NOT NULL,
    gateway character varying(60) NOT NULL
);
CREATE TABLE public.devices_terminal (
    id bigint NOT NULL,
    tid character varying(8) NOT NULL,
    state character varying(8) NOT NULL,
    driver character varying(8) NOT NULL,
    name character varying(100) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    line_id bigint,
    merchant_id integer NOT NULL,
    CONSTRAINT terminal_driver CHECK (((driver)::text = ANY ((ARRAY['native'::character varying, 'iso8583'::character varying])::text[]))),
    CONSTRAINT terminal_id_positive CHECK ((id > 0)),
    CONSTRAINT terminal_state CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'disabled'::character varying])::text[]))),
    CONSTRAINT terminal_tid_form CHECK (((tid)::text ~ '^[0-9A-Z]{8}$'::text))
);
ALTER TABLE public.devices_terminal ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.devices_terminal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.devices_terminalbatch (
    id bigint NOT NULL,
    batch_no integer NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    terminal_id bigint NOT NULL,
    CONSTRAINT terminal_batch_range CHECK (((batch_no >= 1) AND (batch_no <= 999999)))
);
ALTER TABLE public.devices_terminalbatch ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.devices_terminalbatch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_admin_log (
    id integer NOT NULL,
    action_time timestamp with time zone NOT NULL,
    object_id text,
    object_repr character varying(200) NOT NULL,
    action_flag smallint NOT NULL,
    change_message text NOT NULL,
    content_type_id integer,
    user_id integer NOT NULL,
    CONSTRAINT django_admin_log_action_flag_check CHECK ((action_flag >= 0))
);
ALTER TABLE public.django_admin_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_admin_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);
CREATE UNLOGGED TABLE public.monitoring_livefigure (
    id bigint NOT NULL,
    server character varying(100) NOT NULL,
    at timestamp with time zone NOT NULL,
    interval_ms integer NOT NULL,
    purchases bigint NOT NULL,
    advices bigint NOT NULL,
    others bigint NOT NULL,
    approved bigint NOT NULL,
    refused bigint NOT NULL,
    busy bigint NOT NULL,
    latency_p50_us bigint NOT NULL,
    latency_p99_us bigint NOT NULL,
    batches bigint NOT NULL,
    queue_rows bigint NOT NULL,
    oldest_unposted_ms bigint NOT NULL
);
ALTER TABLE public.monitoring_livefigure ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.monitoring_livefigure_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE UNLOGGED TABLE public.monitoring_livefigureunit (
    id bigint NOT NULL,
    server character varying(100) NOT NULL,
    at timestamp with time zone NOT NULL,
    operator_id integer NOT NULL,
    unit_id integer NOT NULL,
    approved bigint NOT NULL
);
ALTER TABLE public.monitoring_livefigureunit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.monitoring_livefigureunit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_cardtype (
    id integer NOT NULL,
    code character varying(16) NOT NULL,
    name character varying(50) NOT NULL,
    name_en character varying(50) NOT NULL,
    limit_txn_fen bigint NOT NULL,
    limit_meal_fen bigint NOT NULL,
    limit_day_fen bigint NOT NULL,
    limit_balance_fen bigint NOT NULL,
    CONSTRAINT card_type_limits CHECK (((limit_balance_fen >= 0) AND (limit_day_fen >= 0) AND (limit_meal_fen >= 0) AND (limit_txn_fen >= 0)))
);
ALTER TABLE public.operators_cardtype ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_cardtype_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_mealperiod (
    id bigint NOT NULL,
    no smallint NOT NULL,
    name character varying(20) NOT NULL,
    start time without time zone NOT NULL,
    "end" time without time zone NOT NULL,
    unit_id integer NOT NULL,
    CONSTRAINT meal_period_no_range CHECK (((no >= 1) AND (no <= 99))),
    CONSTRAINT meal_period_not_empty CHECK ((NOT (start = "end")))
);
ALTER TABLE public.operators_mealperiod ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_mealperiod_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_merchant (
    id integer NOT NULL,
    name character varying(100) NOT NULL,
    public boolean NOT NULL,
    state character varying(10) NOT NULL,
    fee_per_mille smallint NOT NULL,
    fee_per_item_fen integer NOT NULL,
    purse_order smallint,
    created_at timestamp with time zone NOT NULL,
    operator_id integer NOT NULL,
    unit_id integer,
    CONSTRAINT merchant_fee_range CHECK (((fee_per_item_fen >= 0) AND ((fee_per_mille >= 0) AND (fee_per_mille <= 1000)))),
    CONSTRAINT merchant_id_range CHECK (((id >= 1) AND (id <= 99999999))),
    CONSTRAINT merchant_needs_unit CHECK ((public OR (unit_id IS NOT NULL))),
    CONSTRAINT merchant_purse_order CHECK (((purse_order IS NULL) OR (public AND (purse_order = 1)) OR ((NOT public) AND (purse_order = ANY (ARRAY[1, 2, 3, 4]))))),
    CONSTRAINT merchant_state CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'closed'::character varying])::text[])))
);
ALTER TABLE public.operators_merchant ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_merchant_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_operator (
    id integer NOT NULL,
    code character varying(16) NOT NULL,
    name character varying(100) NOT NULL,
    name_en character varying(100) NOT NULL,
    settlement_mode character varying(12) NOT NULL,
    status character varying(10) NOT NULL,
    holder_cap integer NOT NULL,
    holder_count integer NOT NULL,
    unit_count integer NOT NULL,
    child_count integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    parent_id integer,
    CONSTRAINT operator_child_limit CHECK (((child_count >= 0) AND (child_count <= 64))),
    CONSTRAINT operator_closed_empty CHECK (((NOT ((status)::text = 'closed'::text)) OR ((child_count = 0) AND (holder_count = 0) AND (unit_count = 0)))),
    CONSTRAINT operator_holder_cap CHECK (((holder_count >= 0) AND (holder_count <= holder_cap))),
    CONSTRAINT operator_settlement_mode CHECK (((settlement_mode)::text = ANY ((ARRAY['unified'::character varying, 'independent'::character varying])::text[]))),
    CONSTRAINT operator_status CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'suspended'::character varying, 'closed'::character varying])::text[]))),
    CONSTRAINT operator_two_levels CHECK (((parent_id IS NULL) OR (child_count = 0))),
    CONSTRAINT operator_unit_limit CHECK (((unit_count >= 0) AND (unit_count <= 255)))
)
WITH (fillfactor='50');
ALTER TABLE public.operators_operator ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_operator_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_operatorcardtype (
    id bigint NOT NULL,
    issuing_mode character varying(8) NOT NULL,
    card_type_id integer NOT NULL,
    operator_id integer NOT NULL,
    CONSTRAINT operator_card_type_mode CHECK (((issuing_mode)::text = ANY ((ARRAY['unified'::character varying, 'local'::character varying])::text[])))
);
ALTER TABLE public.operators_operatorcardtype ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_operatorcardtype_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_unit (
    id integer NOT NULL,
    code character varying(16) NOT NULL,
    name character varying(100) NOT NULL,
    state character varying(14) NOT NULL,
    resume_state character varying(14),
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    purse_order smallint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    operator_id integer NOT NULL,
    CONSTRAINT unit_id_range CHECK (((id >= 1) AND (id <= 99999))),
    CONSTRAINT unit_purse_order CHECK ((purse_order = ANY (ARRAY[1, 2, 3, 4]))),
    CONSTRAINT unit_resume_state CHECK ((((resume_state IS NOT NULL) AND ((state)::text = ANY ((ARRAY['suspended'::character varying, 'expired'::character varying])::text[]))) OR ((NOT ((state)::text = ANY ((ARRAY['suspended'::character varying, 'expired'::character varying])::text[]))) AND (resume_state IS NULL)))),
    CONSTRAINT unit_state CHECK (((state)::text = ANY ((ARRAY['applied'::character varying, 'opened'::character varying, 'commissioning'::character varying, 'active'::character varying, 'suspended'::character varying, 'expired'::character varying, 'closed'::character varying])::text[]))),
    CONSTRAINT unit_validity CHECK ((((state)::text = ANY ((ARRAY['applied'::character varying, 'closed'::character varying])::text[])) OR ((valid_from IS NOT NULL) AND (valid_until > valid_from))))
);
ALTER TABLE public.operators_unit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_unit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.operators_unitapplication (
    id bigint NOT NULL,
    application character varying(16) NOT NULL,
    unit_id integer NOT NULL
);
ALTER TABLE public.operators_unitapplication ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.operators_unitapplication_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.people_holder (
    id bigint NOT NULL,
    name character varying(50) NOT NULL,
    anonymous boolean NOT NULL,
    document_type character varying(10) NOT NULL,
    document_hash bytea,
    document_last4 character varying(4) NOT NULL,
    phone character varying(20) NOT NULL,
    state character varying(8) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    operator_id integer NOT NULL,
    unit_id integer,
    CONSTRAINT holder_real_name CHECK (((anonymous AND (document_hash IS NULL) AND ((name)::text = ''::text)) OR ((NOT anonymous) AND (NOT ((name)::text = ''::text))))),
    CONSTRAINT holder_state CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'closed'::character varying])::text[])))
);
ALTER TABLE public.people_holder ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.people_holder_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);
CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;
CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;
CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);
CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;
CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_calendar (
    id smallint NOT NULL,
    cut_time time without time zone NOT NULL,
    open_date date NOT NULL,
    CONSTRAINT settlement_calendar_one_row CHECK ((id = 1))
);
CREATE TABLE public.settlement_clearingline (
    id bigint NOT NULL,
    lane smallint NOT NULL,
    terminal_id bigint NOT NULL,
    merchant_id bigint NOT NULL,
    issuer_operator integer NOT NULL,
    kind smallint NOT NULL,
    business_date date NOT NULL,
    debit_kind smallint NOT NULL,
    credit_kind smallint NOT NULL,
    private boolean NOT NULL,
    transfer_count bigint NOT NULL,
    transaction_count bigint NOT NULL,
    zero_count bigint NOT NULL,
    item_count bigint NOT NULL,
    amount_fen bigint NOT NULL,
    run_id bigint NOT NULL
);
ALTER TABLE public.settlement_clearingline ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_clearingline_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_feeshare (
    operator_id integer NOT NULL,
    per_mille smallint NOT NULL,
    CONSTRAINT settlement_fee_share_per_mille CHECK ((per_mille <= 1000)),
    CONSTRAINT settlement_feeshare_per_mille_check CHECK ((per_mille >= 0))
);
CREATE TABLE public.settlement_party (
    id bigint NOT NULL,
    level smallint NOT NULL,
    party_id bigint NOT NULL,
    unit_id bigint NOT NULL,
    operator_id integer NOT NULL,
    code text NOT NULL,
    name text NOT NULL,
    independent boolean NOT NULL,
    root boolean NOT NULL,
    fee_per_mille integer NOT NULL,
    fee_per_item_fen integer NOT NULL,
    share_per_mille smallint NOT NULL,
    run_id bigint NOT NULL
);
CREATE VIEW public.settlement_merchant_line AS
 SELECT l.run_id,
    l.terminal_id,
    l.merchant_id,
    m.unit_id,
    m.operator_id,
    l.issuer_operator,
    l.kind,
    l.business_date,
    l.transaction_count,
    l.zero_count,
    l.item_count,
        CASE
            WHEN (l.credit_kind = 1) THEN l.amount_fen
            ELSE (- l.amount_fen)
        END AS signed_fen,
    (m.independent AND (m.unit_id <> 0) AND
        CASE
            WHEN ((l.debit_kind = 0) OR (l.credit_kind = 0)) THEN l.private
            ELSE (l.issuer_operator = m.operator_id)
        END) AS kept
   FROM (public.settlement_clearingline l
     JOIN public.settlement_party m ON (((m.run_id = l.run_id) AND (m.level = 2) AND (m.party_id = l.merchant_id))))
  WHERE (l.merchant_id <> 0);
CREATE TABLE public.settlement_merchantsettlement (
    id bigint NOT NULL,
    merchant_id bigint NOT NULL,
    unit_id bigint NOT NULL,
    operator_id integer NOT NULL,
    gross_fen bigint NOT NULL,
    platform_fen bigint NOT NULL,
    retained_fen bigint NOT NULL,
    item_count bigint NOT NULL,
    carry_in_millifen smallint NOT NULL,
    fee_fen bigint NOT NULL,
    carry_out_millifen smallint NOT NULL,
    operator_fee_fen bigint NOT NULL,
    root_fee_fen bigint NOT NULL,
    net_fen bigint NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT settlement_merchant_whole CHECK (((gross_fen = (platform_fen + retained_fen)) AND (platform_fen = (fee_fen + net_fen)) AND (fee_fen = (operator_fee_fen + root_fee_fen))))
);
ALTER TABLE public.settlement_merchantsettlement ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_merchantsettlement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_nettingline (
    id bigint NOT NULL,
    debtor_id integer NOT NULL,
    creditor_id integer NOT NULL,
    basis character varying(10) NOT NULL,
    transaction_count bigint NOT NULL,
    amount_fen bigint NOT NULL,
    run_id bigint NOT NULL
);
ALTER TABLE public.settlement_nettingline ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_nettingline_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.settlement_party ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_party_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_posting (
    id bigint NOT NULL,
    line_no integer NOT NULL,
    kind smallint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    amount_fen bigint NOT NULL,
    run_id bigint NOT NULL
);
ALTER TABLE public.settlement_posting ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_posting_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_settlementrun (
    id bigint NOT NULL,
    business_date date NOT NULL,
    part_no integer NOT NULL,
    automatic boolean NOT NULL,
    state character varying(10) NOT NULL,
    cut_at timestamp with time zone NOT NULL,
    cleared_at timestamp with time zone,
    settled_at timestamp with time zone,
    checked_at timestamp with time zone,
    transfer_count bigint NOT NULL,
    gross_fen bigint NOT NULL,
    fee_fen bigint NOT NULL,
    failure text NOT NULL,
    CONSTRAINT settlement_settlementrun_part_no_check CHECK ((part_no >= 0))
);
ALTER TABLE public.settlement_settlementrun ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_settlementrun_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_settlementwindow (
    id bigint NOT NULL,
    lane smallint NOT NULL,
    from_id bigint NOT NULL,
    through_id bigint NOT NULL,
    cleared boolean NOT NULL,
    transfer_count bigint NOT NULL,
    amount_fen bigint NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT settlement_window_forward CHECK ((through_id >= from_id))
);
ALTER TABLE public.settlement_settlementwindow ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_settlementwindow_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.settlement_sheetrow (
    id bigint NOT NULL,
    level smallint NOT NULL,
    party_id bigint NOT NULL,
    parent_id bigint NOT NULL,
    name text NOT NULL,
    business_date date,
    transaction_count bigint NOT NULL,
    zero_count bigint NOT NULL,
    purchase_count bigint NOT NULL,
    purchase_fen bigint NOT NULL,
    advice_count bigint NOT NULL,
    advice_fen bigint NOT NULL,
    debt_fen bigint NOT NULL,
    void_count bigint NOT NULL,
    void_fen bigint NOT NULL,
    refund_count bigint NOT NULL,
    refund_fen bigint NOT NULL,
    reversal_count bigint NOT NULL,
    reversal_fen bigint NOT NULL,
    gross_fen bigint NOT NULL,
    retained_fen bigint NOT NULL,
    fee_fen bigint NOT NULL,
    net_fen bigint NOT NULL,
    operator_fee_fen bigint NOT NULL,
    root_fee_fen bigint NOT NULL,
    topup_count bigint NOT NULL,
    topup_fen bigint NOT NULL,
    debt_made_fen bigint NOT NULL,
    debt_repaid_fen bigint NOT NULL,
    receivable_fen bigint NOT NULL,
    payable_fen bigint NOT NULL,
    position_fen bigint NOT NULL,
    run_id bigint NOT NULL
);
ALTER TABLE public.settlement_sheetrow ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.settlement_sheetrow_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.unit_credential (
    unit_id integer NOT NULL,
    user_name character varying(40) NOT NULL,
    password_hash character varying(200) NOT NULL,
    must_change boolean NOT NULL,
    issued_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);
COPY ledger.account (account_no, holder_id, debt_fen, opened_at, operator_id, unit_id, card_type_id, lane, status) FROM stdin;
\.
COPY ledger.audit_mark (lane, batch_no, through_id, audited_at) FROM stdin;
\.
COPY ledger.book_account (id, ref_id, name, kind) FROM stdin;
\.
COPY ledger.card (card_no, account_no, valid_until, operator_id, card_type_id, account_status, status, medium, denied) FROM stdin;
\.
COPY ledger.card_type (card_type_id, limit_txn_fen, limit_meal_fen, limit_day_fen, limit_balance_fen) FROM stdin;
\.
COPY ledger.checkpoint (account_id, through_id, balance_fen, lane) FROM stdin;
\.
COPY ledger.checkpoint_run (lane, through_id, made_at) FROM stdin;
\.
COPY ledger.deny_list (card_no, reason, since) FROM stdin;
\.
COPY ledger.hold (transfer_id, account_no, card_no, merchant, amount_fen, committed_fen, terminal_id, terminal_seq, expires_at, business_date, unit_id, operator_id, lane, meal, state) FROM stdin;
\.
COPY ledger.issuer (operator_id, unified) FROM stdin;
\.
COPY ledger.lane (lane, last_id, last_batch, partitioned_to, last_hash) FROM stdin;
0	0	0	0	\\x96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7
1	0	0	0	\\xb413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2
2	0	0	0	\\xfcf0a6c700dd13e274b6fba8deea8dd9b26e4eedde3495717cac8408c9c5177f
3	0	0	0	\\x583c7dfb7b3055d99465544032a571e10a134b1b6f769422bbb71fd7fa167a5d
4	0	0	0	\\x4f35212d12f9ad2036492c95f1fe79baf4ec7bd9bef3dffa7579f2293ff546a4
5	0	0	0	\\x9f1afa4dc124cba73134e82ff50f17c8f7164257c79fed9a13f5943a6acb8e3d
6	0	0	0	\\x40d88127d4d31a3891f41598eeed41174e5bc89b1eb9bbd66a8cbfc09956a3fd
7	0	0	0	\\x2ecd8a6b7d2845546659ad4cf443533cf921b19dc81fa83934e83821b4dfdcb7
8	0	0	0	\\xb4c43b50bf245bd727623e3c775a8fcfb8d823d00b57dd65f7f79dd33f126315
9	0	0	0	\\xc87479cd656e7e3ad6bd8db402e8027df454b2b0c42ff29e093458beb98a23d4
10	0	0	0	\\x67ebbd370daa02ba9aadd05d8e091e862d0d8bcadafdf2a22360240a42fe922e
11	0	0	0	\\xf09a7a12954169ae595d12d870e69a4c0092003157d72523d626d2a3990241e2
12	0	0	0	\\xfe251e4dd034dcf589c84794120c85d6015d65ca7d9a2c2ec73c9ecb5e33d83b
13	0	0	0	\\xa1f386a0ecb061b3c46a038616212779858ba7258b2eccb818a64986c97282da
14	0	0	0	\\x9f4917386c45e2c0da0d9b475f1a19cf2db1e929195c6a9f4966ca0d2105b196
15	0	0	0	\\x3b2b7c6ee25e2f28a6235e273eaf13f504bd445024147ebacb878262aae90509
16	0	0	0	\\x0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7
17	0	0	0	\\x2ed348343ad2d93bbbfc7316cde45c693a36a3d4fde8b39b1449067b1603b90d
18	0	0	0	\\xc493f6f146685f76b44f0c77ca88120cb8bc89f534fe69b6828827b974e68849
19	0	0	0	\\xd877a5674d893efd846208dbd80db16fca065c907405986f233d76c3fdb936a2
20	0	0	0	\\xf431a7f47862c05a44c40ef1f447d207ba15d339cef1fb9357564974137c1673
21	0	0	0	\\xcc08d3882726102fb4e66705442b987ebaeca2ea8d9dea101229cd1dff302b06
22	0	0	0	\\x06b6b4095e023805a3cd41879f15ba5ab2f2e33a6f53d916904496062f324995
23	0	0	0	\\x67a88a2dc9a9749ec611eef8f47ef5ffcc335f2950d1bfaaf31169ed01904012
24	0	0	0	\\xb5609376c87f00c645433e48648cb02e6a3f83467f2c827194de5d58f971c8f0
25	0	0	0	\\xb35d9708f364a8e3b09f1ef3af3f2c36be29f3007e28cca15ab51a5161d276a0
26	0	0	0	\\x67e9c125c3684fcb8da63c96772bbef781209c9fd74cd528664f91852b4b4176
27	0	0	0	\\xb894c5014be1934ed94625d131254ba84e97a2115ac9a697b680fe256f50e5cc
28	0	0	0	\\x774e33e878c3e22aba021f52a92fce5221c8c8e152ce67c08557d23eea236e5d
29	0	0	0	\\xbb9a1a47cf5d03dcccf22a8c8b315c3bb423241698d4189e83b460c8da346d03
30	0	0	0	\\xb3fe2f9bd5354b63ae8d0df01e7ad3074f42cbc1ac1f693b64d76ab5e0806587
31	0	0	0	\\xd8f7720bd76b8e048289b3eeebc5d41e20c35822d4652364a429ab7cb7ea6b1f
32	0	0	0	\\x474f2af47544e9c7ce4338cabd43c5ca1c26432b7300ce387406157ea433891f
33	0	0	0	\\x1321e1ca91757e8c23c934ff4047d69657e9caeed9ce5a29e5fcf94e7e648ca6
34	0	0	0	\\x13b703597a7d1d3d1b3f85c7b69f03ca47bd97c47fa86613e1f654729d838305
35	0	0	0	\\x43799a4d50e0cb19f37f6ce22b5cbcbf6954f13e9bb4604dca4104ae844374a4
36	0	0	0	\\xb8a7fa77eb1a802d69cd0c68721cb9fe2cd8470cde5d595a4b48eb14cfee429e
37	0	0	0	\\xebd20c41d4a39831b36b4f82cbbb061a05e1ae2ced7d8f63240cc63a02c73099
38	0	0	0	\\xeb397f6553d3485bc197003a6be3e81c6f696675467b648f0791a8be05de1230
39	0	0	0	\\x60174fe3e73cb039dcb0064623d657456d411aa411410b1a6eb2202d63815f1a
40	0	0	0	\\x2ee788372518190a6ab539cbb20331df1040f21846e3ba836c269aee907c894c
41	0	0	0	\\xaed9f5e8dedf580817cc0d9a2c1bba0cfffe9fc607e6caedc8011cfc80fe0dd4
42	0	0	0	\\x587bae728805519c3542d21766295396bd01087b6c47765ae3cadbf679813bbe
43	0	0	0	\\x541232e2aa3f8edc67d9f9ea0c39d63311cda71c466343617fd9f6672ffd31a3
44	0	0	0	\\x59b94638773b642b87af5d2478ec16fbeb99d878d318561ce058787ce46bb46e
45	0	0	0	\\x50370e36b4952b59654148674fafada508972b5c90de162a29ba3383a360a789
46	0	0	0	\\x3639618e90314d0feb7ce289d97468263ca4af996ffc621399d092e1f12aa1dd
47	0	0	0	\\x319d204b93d0584bd3aa878e2e07d51b06fe3e1d4396fc3293e318677d335524
48	0	0	0	\\xdb3426e878068d28d269b6c87172322ce5372b65756d0789001d34835f601c03
49	0	0	0	\\x2215e8ac4e2b871c2a48189e79738c956c081e23ac2f2415bf77da199dfd920c
50	0	0	0	\\xfa61e3dec3439589f4784c893bf321d0084f04c572c7af2b68e3f3360a35b486
51	0	0	0	\\x906c5d2485cae722073a430f4d04fe1767507592cef226629aeadb85a2ec909d
52	0	0	0	\\x11e1f558223f4c71b6be1cecfd1f0de87146d2594877c27b29ec519f9040213c
53	0	0	0	\\x53304f5e3fd4bcd20b39abdef2fe118031cc5ae8217bcea008dea7e27869348a
54	0	0	0	\\x3bf9c81c231cae70b678d3f3038f9f4f6d6b9d7adcf9b378f25919ae53d17686
55	0	0	0	\\x797427cf8368051fe7b8e3e9d5ade9c5bc9d0cf96f4f3fad2a1e1d7848368188
56	0	0	0	\\x195f58bc6d6b7b36335c95e08343825a7ae6f30437b4a7e6fa7b89d76907570a
57	0	0	0	\\x85224a5c0186b205a3e0a1ac0ac023bfb8cc6f4bf19c90be88fc5f0c2316a9fa
58	0	0	0	\\x1e3ecb32659377fbd1dfcf173c903f8bd855ad4af0de82a2942b047a50beb9c2
59	0	0	0	\\x75f8e0fe5d8f56d466a452cf43a316f11b85eccca065342d65543eef6f8e49cd
60	0	0	0	\\x505114fe537172ea35e17ca1a7516edac516a89b31f983f7c6387d5d2bb462aa
61	0	0	0	\\x38031a28cee4d129ea4f27e398955b88c6db228b1bb3ba92baa4b4bb7039363a
62	0	0	0	\\x267ff33d242cf99619876d639456f362147845ca99fdd30d4195275ab833c807
63	0	0	0	\\x0cd65a74756f9fd49c3a50100f647a91d9446331e7cc93bc83c0b9ca7e9856ab
99	0	0	0	\\x597fcb31282d34654c200d3418fca5705c648ebf326ec73d8ddef11841f876d8
\.
COPY ledger.opening_row (job, account_no, card_no, holder_id, public_fen, private_fen, private_unit, operator_id, unit_id, card_type_id, valid_until, medium, card_status) FROM stdin;
\.
COPY ledger.parameter (one, hold_ttl) FROM stdin;
t	24:00:00
\.
COPY ledger.posting_batch (batch_no, first_id, last_id, posted_at, row_count, lane, hash) FROM stdin;
\.
COPY ledger.posting_key (terminal_id, terminal_seq, card_no, amount_fen, merchant, orig_terminal, orig_seq, transfer_id, balance_after, occurred_at, posted_on, phase, op, code, legs, meal, state, lane) FROM stdin;
\.
COPY ledger.purse (account_no, balance_fen, floor_fen, seq, last_transfer_id, day_spent_fen, meal_spent_fen, day, unit_id, meal) FROM stdin;
\.
COPY ledger.quarantine (terminal_id, terminal_seq, card_no, merchant, amount_fen, occurred_at, recorded_at, resolved_at, business_date, code, reason) FROM stdin;
\.
COPY public.auditlog_logentry (id, object_pk, object_id, object_repr, action, changes, "timestamp", actor_id, content_type_id, remote_addr, additional_data, serialized_data, cid, changes_text, remote_port, actor_email) FROM stdin;
\.
COPY public.auth_group (id, name) FROM stdin;
\.
COPY public.auth_group_permissions (id, group_id, permission_id) FROM stdin;
\.
COPY public.auth_permission (id, name, content_type_id, codename) FROM stdin;
1	Can add log entry	1	add_logentry
2	Can change log entry	1	change_logentry
3	Can delete log entry	1	delete_logentry
4	Can view log entry	1	view_logentry
5	Can add permission	2	add_permission
6	Can change permission	2	change_permission
7	Can delete permission	2	delete_permission
8	Can view permission	2	view_permission
9	Can add group	3	add_group
10	Can change group	3	change_group
11	Can delete group	3	delete_group
12	Can view group	3	view_group
13	Can add user	4	add_user
14	Can change user	4	change_user
15	Can delete user	4	delete_user
16	Can view user	4	view_user
17	Can add content type	5	add_contenttype
18	Can change content type	5	change_contenttype
19	Can delete content type	5	delete_contenttype
20	Can view content type	5	view_contenttype
21	Can add session	6	add_session
22	Can change session	6	change_session
23	Can delete session	6	delete_session
24	Can view session	6	view_session
25	Can add log entry	7	add_logentry
26	Can change log entry	7	change_logentry
27	Can delete log entry	7	delete_logentry
28	Can view log entry	7	view_logentry
29	Can add access failure	8	add_accessfailurelog
30	Can change access failure	8	change_accessfailurelog
31	Can delete access failure	8	delete_accessfailurelog
32	Can view access failure	8	view_accessfailurelog
33	Can add access attempt	9	add_accessattempt
34	Can change access attempt	9	change_accessattempt
35	Can delete access attempt	9	delete_accessattempt
36	Can view access attempt	9	view_accessattempt
37	Can add access attempt expiration	10	add_accessattemptexpiration
38	Can change access attempt expiration	10	change_accessattemptexpiration
39	Can delete access attempt expiration	10	delete_accessattemptexpiration
40	Can view access attempt expiration	10	view_accessattemptexpiration
41	Can add access log	11	add_accesslog
42	Can change access log	11	change_accesslog
43	Can delete access log	11	delete_accesslog
44	Can view access log	11	view_accesslog
45	See operators, units, merchants, terminals, lines and card types	12	view_directory
46	Change operators, units, merchants, terminals, lines and card types	12	change_directory
47	See accounts, purses, cards and statements	12	view_accounts
48	Freeze and release accounts and cards	12	change_accounts
49	Search transactions	12	view_transactions
50	See settlement runs and sheets	12	view_settlement
51	Cut the day and settle	12	run_settlement
52	Read the audit log	12	view_audit
53	Manage the staff and their roles	12	manage_staff
54	Can add procrastinate worker	13	add_procrastinateworker
55	Can change procrastinate worker	13	change_procrastinateworker
56	Can delete procrastinate worker	13	delete_procrastinateworker
57	Can view procrastinate worker	13	view_procrastinateworker
58	Can add procrastinate job	14	add_procrastinatejob
59	Can change procrastinate job	14	change_procrastinatejob
60	Can delete procrastinate job	14	delete_procrastinatejob
61	Can view procrastinate job	14	view_procrastinatejob
62	Can add procrastinate event	15	add_procrastinateevent
63	Can change procrastinate event	15	change_procrastinateevent
64	Can delete procrastinate event	15	delete_procrastinateevent
65	Can view procrastinate event	15	view_procrastinateevent
66	Can add procrastinate periodic defer	16	add_procrastinateperiodicdefer
67	Can change procrastinate periodic defer	16	change_procrastinateperiodicdefer
68	Can delete procrastinate periodic defer	16	delete_procrastinateperiodicdefer
69	Can view procrastinate periodic defer	16	view_procrastinateperiodicdefer
70	Can add 运营单位	17	add_operator
71	Can change 运营单位	17	change_operator
72	Can delete 运营单位	17	delete_operator
73	Can view 运营单位	17	view_operator
74	Can add 接入单位	18	add_unit
75	Can change 接入单位	18	change_unit
76	Can delete 接入单位	18	delete_unit
77	Can view 接入单位	18	view_unit
78	Can add 单位应用	19	add_unitapplication
79	Can change 单位应用	19	change_unitapplication
80	Can delete 单位应用	19	delete_unitapplication
81	Can view 单位应用	19	view_unitapplication
82	Can add 单位用户	20	add_unitcredential
83	Can change 单位用户	20	change_unitcredential
84	Can delete 单位用户	20	delete_unitcredential
85	Can view 单位用户	20	view_unitcredential
86	Can add 商户	21	add_merchant
87	Can change 商户	21	change_merchant
88	Can delete 商户	21	delete_merchant
89	Can view 商户	21	view_merchant
90	Can add 餐次	22	add_mealperiod
91	Can change 餐次	22	change_mealperiod
92	Can delete 餐次	22	delete_mealperiod
93	Can view 餐次	22	view_mealperiod
94	Can add 卡种	23	add_cardtype
95	Can change 卡种	23	change_cardtype
96	Can delete 卡种	23	delete_cardtype
97	Can view 卡种	23	view_cardtype
98	Can add 运营单位卡种	24	add_operatorcardtype
99	Can change 运营单位卡种	24	change_operatorcardtype
100	Can delete 运营单位卡种	24	delete_operatorcardtype
101	Can view 运营单位卡种	24	view_operatorcardtype
102	Can add 持卡人	25	add_holder
103	Can change 持卡人	25	change_holder
104	Can delete 持卡人	25	delete_holder
105	Can view 持卡人	25	view_holder
106	Can add 线路（授信列表）	26	add_line
107	Can change 线路（授信列表）	26	change_line
108	Can delete 线路（授信列表）	26	delete_line
109	Can view 线路（授信列表）	26	view_line
110	Can add 终端	27	add_terminal
111	Can change 终端	27	change_terminal
112	Can delete 终端	27	delete_terminal
113	Can view 终端	27	view_terminal
114	Can add 终端批次	28	add_terminalbatch
115	Can change 终端批次	28	change_terminalbatch
116	Can delete 终端批次	28	delete_terminalbatch
117	Can view 终端批次	28	view_terminalbatch
118	Can add 线路状态	29	add_linestatus
119	Can change 线路状态	29	change_linestatus
120	Can delete 线路状态	29	delete_linestatus
121	Can view 线路状态	29	view_linestatus
122	Can add 网关状态	30	add_gatewaystatus
123	Can change 网关状态	30	change_gatewaystatus
124	Can delete 网关状态	30	delete_gatewaystatus
125	Can view 网关状态	30	view_gatewaystatus
126	Can add account	31	add_account
127	Can change account	31	change_account
128	Can delete account	31	delete_account
129	Can view account	31	view_account
130	Can add card	32	add_card
131	Can change card	32	change_card
132	Can delete card	32	delete_card
133	Can view card	32	view_card
134	Can add purse	33	add_purse
135	Can change purse	33	change_purse
136	Can delete purse	33	delete_purse
137	Can view purse	33	view_purse
138	Can add transfer	34	add_transfer
139	Can change transfer	34	change_transfer
140	Can delete transfer	34	delete_transfer
141	Can view transfer	34	view_transfer
142	Can add book account	35	add_bookaccount
143	Can change book account	35	change_bookaccount
144	Can delete book account	35	delete_bookaccount
145	Can view book account	35	view_bookaccount
146	Can add 营业日历	36	add_calendar
147	Can change 营业日历	36	change_calendar
148	Can delete 营业日历	36	delete_calendar
149	Can view 营业日历	36	view_calendar
150	Can add 手续费分成	37	add_feeshare
151	Can change 手续费分成	37	change_feeshare
152	Can delete 手续费分成	37	delete_feeshare
153	Can view 手续费分成	37	view_feeshare
154	Can add 结算批次	38	add_settlementrun
155	Can change 结算批次	38	change_settlementrun
156	Can delete 结算批次	38	delete_settlementrun
157	Can view 结算批次	38	view_settlementrun
158	Can add settlement window	39	add_settlementwindow
159	Can change settlement window	39	change_settlementwindow
160	Can delete settlement window	39	delete_settlementwindow
161	Can view settlement window	39	view_settlementwindow
162	Can add clearing line	40	add_clearingline
163	Can change clearing line	40	change_clearingline
164	Can delete clearing line	40	delete_clearingline
165	Can view clearing line	40	view_clearingline
166	Can add party	41	add_party
167	Can change party	41	change_party
168	Can delete party	41	delete_party
169	Can view party	41	view_party
170	Can add merchant settlement	42	add_merchantsettlement
171	Can change merchant settlement	42	change_merchantsettlement
172	Can delete merchant settlement	42	delete_merchantsettlement
173	Can view merchant settlement	42	view_merchantsettlement
174	Can add netting line	43	add_nettingline
175	Can change netting line	43	change_nettingline
176	Can delete netting line	43	delete_nettingline
177	Can view netting line	43	view_nettingline
178	Can add posting	44	add_posting
179	Can change posting	44	change_posting
180	Can delete posting	44	delete_posting
181	Can view posting	44	view_posting
182	Can add sheet row	45	add_sheetrow
183	Can change sheet row	45	change_sheetrow
184	Can delete sheet row	45	delete_sheetrow
185	Can view sheet row	45	view_sheetrow
186	Can add 实时指标	46	add_livefigure
187	Can change 实时指标	46	change_livefigure
188	Can delete 实时指标	46	delete_livefigure
189	Can view 实时指标	46	view_livefigure
190	Can add 单位实时指标	47	add_livefigureunit
191	Can change 单位实时指标	47	change_livefigureunit
192	Can delete 单位实时指标	47	delete_livefigureunit
193	Can view 单位实时指标	47	view_livefigureunit
\.
COPY public.auth_user (id, password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) FROM stdin;
\.
COPY public.auth_user_groups (id, user_id, group_id) FROM stdin;
\.
COPY public.auth_user_user_permissions (id, user_id, permission_id) FROM stdin;
\.
COPY public.axes_accessattempt (id, user_agent, ip_address, username, http_accept, path_info, attempt_time, get_data, post_data, failures_since_start) FROM stdin;
\.
COPY public.axes_accessattemptexpiration (access_attempt_id, expires_at) FROM stdin;
\.
COPY public.axes_accessfailurelog (id, user_agent, ip_address, username, http_accept, path_info, attempt_time, locked_out) FROM stdin;
\.
COPY public.axes_accesslog (id, user_agent, ip_address, username, http_accept, path_info, attempt_time, logout_time, session_hash) FROM stdin;
\.
COPY public.centre_staffaccount (user_id, password_must_change) FROM stdin;
\.
COPY public.datacenter_function (signature) FROM stdin;
ledger.add_card(bigint,bigint,integer,integer,date)
ledger.add_purse(bigint,integer,bigint)
ledger.audit_span(boolean)
ledger.book_balances(bigint[])
ledger.chain_batch(ledger.lane,bigint,ledger.transfer[])
ledger.change_debt(bigint,bigint)
ledger.checkpoint()
ledger.close_original(smallint,smallint,ledger.posting_key,bigint,ledger.transfer[])
ledger.ensure_partitions(integer,timestamp with time zone)
ledger.expire_holds(smallint,integer)
ledger.id_at(timestamp with time zone)
ledger.id_time(bigint)
ledger.lock_account(bigint)
ledger.lock_lane(smallint)
ledger.mark_audited(bigint[],bigint[],bigint[])
ledger.open_account(bigint,bigint,integer,integer,bigint,integer,bigint,integer,bigint,integer,integer,date)
ledger.open_accounts(bigint,smallint,integer)
ledger.partitioned_to(bigint)
ledger.plan_leg(integer,bigint,bigint,bigint,bigint)
ledger.plan_special(smallint,ledger.posting_key,ledger.account,bigint,bigint,bigint,date)
ledger.plan_undo(ledger.transfer,integer,bigint,bigint,integer,ledger.transfer[])
ledger.post_batch(smallint,bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[])
ledger.post_book(bigint,bigint[],bigint[],bigint[],bigint[],bigint[],date)
ledger.post_extra_legs(smallint,bigint,ledger.extra_legs[])
ledger.post_in_turns(smallint,bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[],bigint[])
ledger.post_legs(ledger.transfer[],ledger.transfer,bigint,date,integer)
ledger.post_special(ledger.lane,bigint,smallint,bigint,bigint,bigint,bigint,bigint,timestamp with time zone,date,bigint,bigint)
ledger.refuse_change()
ledger.set_account_status(bigint,integer)
ledger.set_account_terms(bigint,bigint,integer,integer)
ledger.set_card_status(bigint,integer,date)
ledger.undone_fen(smallint,bigint)
\.
COPY public.devices_gatewaystatus (gateway, reported_at, online_lines, online_terminals, refused_handshakes, requests_per_second_milli, latency_p50_us, latency_p99_us) FROM stdin;
\.
COPY public.devices_line (id, kind, name, certificate_sha256, certificate_until, state, created_at, operator_id, unit_id) FROM stdin;
\.
COPY public.devices_linestatus (line_id, online, since, gateway) FROM stdin;
\.
COPY public.devices_terminal (id, tid, state, driver, name, created_at, line_id, merchant_id) FROM stdin;
\.
COPY public.devices_terminalbatch (id, batch_no, opened_at, terminal_id) FROM stdin;
\.
COPY public.django_admin_log (id, action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id) FROM stdin;
\.
COPY public.django_content_type (id, app_label, model) FROM stdin;
1	admin	logentry
2	auth	permission
3	auth	group
4	auth	user
5	contenttypes	contenttype
6	sessions	session
7	auditlog	logentry
8	axes	accessfailurelog
9	axes	accessattempt
10	axes	accessattemptexpiration
11	axes	accesslog
12	centre	staffaccount
13	procrastinate	procrastinateworker
14	procrastinate	procrastinatejob
15	procrastinate	procrastinateevent
16	procrastinate	procrastinateperiodicdefer
17	operators	operator
18	operators	unit
19	operators	unitapplication
20	operators	unitcredential
21	operators	merchant
22	operators	mealperiod
23	operators	cardtype
24	operators	operatorcardtype
25	people	holder
26	devices	line
27	devices	terminal
28	devices	terminalbatch
29	devices	linestatus
30	devices	gatewaystatus
31	purses	account
32	purses	card
33	purses	purse
34	purses	transfer
35	purses	bookaccount
36	settlement	calendar
37	settlement	feeshare
38	settlement	settlementrun
39	settlement	settlementwindow
40	settlement	clearingline
41	settlement	party
42	settlement	merchantsettlement
43	settlement	nettingline
44	settlement	posting
45	settlement	sheetrow
46	monitoring	livefigure
47	monitoring	livefigureunit
\.
COPY public.django_migrations (id, app, name, applied) FROM stdin;
1	contenttypes	0001_initial	2026-11-22 20:04:15.471946+00
2	auth	0001_initial	2026-11-22 20:04:15.598221+00
3	admin	0001_initial	2026-11-22 20:04:15.638373+00
4	admin	0002_logentry_remove_auto_add	2026-11-22 20:04:15.651316+00
5	admin	0003_logentry_add_action_flag_choices	2026-11-22 20:04:15.65985+00
6	auditlog	0001_initial	2026-11-22 20:04:15.724053+00
7	auditlog	0002_auto_support_long_primary_keys	2026-11-22 20:04:15.756215+00
8	auditlog	0003_logentry_remote_addr	2026-11-22 20:04:15.778565+00
9	auditlog	0004_logentry_detailed_object_repr	2026-11-22 20:04:15.794366+00
10	auditlog	0005_logentry_additional_data_verbose_name	2026-11-22 20:04:15.799086+00
11	auditlog	0006_object_pk_index	2026-11-22 20:04:15.828028+00
12	auditlog	0007_object_pk_type	2026-11-22 20:04:15.842138+00
13	auditlog	0008_action_index	2026-11-22 20:04:15.86012+00
14	auditlog	0009_alter_logentry_additional_data	2026-11-22 20:04:15.887446+00
15	auditlog	0010_alter_logentry_timestamp	2026-11-22 20:04:15.90656+00
16	auditlog	0011_logentry_serialized_data	2026-11-22 20:04:15.92338+00
17	auditlog	0012_add_logentry_action_access	2026-11-22 20:04:15.942494+00
18	auditlog	0013_alter_logentry_timestamp	2026-11-22 20:04:15.959239+00
19	auditlog	0014_logentry_cid	2026-11-22 20:04:15.9878+00
20	auditlog	0015_alter_logentry_changes	2026-11-22 20:04:16.035838+00
21	auditlog	0016_logentry_remote_port	2026-11-22 20:04:16.068108+00
22	auditlog	0017_add_actor_email	2026-11-22 20:04:16.084043+00
23	contenttypes	0002_remove_content_type_name	2026-11-22 20:04:16.120009+00
24	auth	0002_alter_permission_name_max_length	2026-11-22 20:04:16.14858+00
25	auth	0003_alter_user_email_max_length	2026-11-22 20:04:16.168149+00
26	auth	0004_alter_user_username_opts	2026-11-22 20:04:16.179197+00
27	auth	0005_alter_user_last_login_null	2026-11-22 20:04:16.22638+00
28	auth	0006_require_contenttypes_0002	2026-11-22 20:04:16.229021+00
29	auth	0007_alter_validators_add_error_messages	2026-11-22 20:04:16.254529+00
30	auth	0008_alter_user_username_max_length	2026-11-22 20:04:16.275773+00
31	auth	0009_alter_user_last_name_max_length	2026-11-22 20:04:16.295663+00
32	auth	0010_alter_group_name_max_length	2026-11-22 20:04:16.322507+00
33	auth	0011_update_proxy_permissions	2026-11-22 20:04:16.351679+00
34	auth	0012_alter_user_first_name_max_length	2026-11-22 20:04:16.37135+00
35	axes	0001_initial	2026-11-22 20:04:16.387644+00
36	axes	0002_auto_20151217_2044	2026-11-22 20:04:16.458617+00
37	axes	0003_auto_20160322_0929	2026-11-22 20:04:16.495707+00
38	axes	0004_auto_20181024_1538	2026-11-22 20:04:16.522114+00
39	axes	0005_remove_accessattempt_trusted	2026-11-22 20:04:16.525742+00
40	axes	0006_remove_accesslog_trusted	2026-11-22 20:04:16.529379+00
41	axes	0007_alter_accessattempt_unique_together	2026-11-22 20:04:16.569745+00
42	axes	0008_accessfailurelog	2026-11-22 20:04:16.601471+00
43	axes	0009_add_session_hash	2026-11-22 20:04:16.609032+00
44	axes	0010_accessattemptexpiration	2026-11-22 20:04:16.619893+00
45	centre	0001_initial	2026-11-22 20:04:16.646724+00
46	datacenter	0001_ledger	2026-11-22 20:04:16.735466+00
47	datacenter	0002_functions	2026-11-22 20:04:16.749575+00
48	operators	0001_initial	2026-11-22 20:04:17.314036+00
49	operators	0002_triggers	2026-11-22 20:04:17.331659+00
50	devices	0001_initial	2026-11-22 20:04:17.494002+00
51	devices	0002_triggers	2026-11-22 20:04:17.497545+00
52	monitoring	0001_initial	2026-11-22 20:04:17.52523+00
53	people	0001_initial	2026-11-22 20:04:17.548513+00
54	people	0002_triggers	2026-11-22 20:04:17.550422+00
55	procrastinate	0001_initial	2026-11-22 20:04:17.560821+00
56	procrastinate	0002_drop_started_at_column	2026-11-22 20:04:17.561966+00
57	procrastinate	0003_drop_started_at_column	2026-11-22 20:04:17.562964+00
58	procrastinate	0004_drop_procrastinate_version_table	2026-11-22 20:04:17.563946+00
59	procrastinate	0005_fix_procrastinate_fetch_job	2026-11-22 20:04:17.565056+00
60	procrastinate	0006_fix_trigger_status_events_insert	2026-11-22 20:04:17.565817+00
61	procrastinate	0007_add_queueing_lock_column	2026-11-22 20:04:17.567026+00
62	procrastinate	0008_close_fetch_job_race_condition	2026-11-22 20:04:17.568577+00
63	procrastinate	0009_add_defer_job_function	2026-11-22 20:04:17.569618+00
64	procrastinate	0010_add_procrastinate_periodic_defers	2026-11-22 20:04:17.572564+00
65	procrastinate	0011_add_foreign_key_index	2026-11-22 20:04:17.573703+00
66	procrastinate	0012_add_locks_to_periodic_defer	2026-11-22 20:04:17.575473+00
67	procrastinate	0013_fix_procrastinate_defer_periodic_job	2026-11-22 20:04:17.576392+00
68	procrastinate	0014_add_finish_job_and_retry_job_functions	2026-11-22 20:04:17.57718+00
69	procrastinate	0015_add_trigger_on_job_deletion	2026-11-22 20:04:17.577879+00
70	procrastinate	0016_delete_finished_jobs	2026-11-22 20:04:17.578525+00
71	procrastinate	0017_add_checks_to_finish_job	2026-11-22 20:04:17.579188+00
72	procrastinate	0018_add_checks_to_retry_job	2026-11-22 20:04:17.579844+00
73	procrastinate	0019_fix_finish_job_compat_issue	2026-11-22 20:04:17.580669+00
74	procrastinate	0020_add_index_on_procrastinate_jobs	2026-11-22 20:04:17.581912+00
75	procrastinate	0021_add_kwargs_to_defer_periodic_job	2026-11-22 20:04:17.583671+00
76	procrastinate	0022_null_locks_excluded	2026-11-22 20:04:17.588855+00
77	procrastinate	0023_remove_old_finish_job_function	2026-11-22 20:04:17.589942+00
78	procrastinate	0024_job_id_bigint	2026-11-22 20:04:17.597862+00
79	procrastinate	0025_add_models	2026-11-22 20:04:17.600857+00
80	procrastinate	0026_add_job_priority	2026-11-22 20:04:17.606282+00
81	procrastinate	0027_add_periodic_job_priority	2026-11-22 20:04:17.607251+00
82	procrastinate	0028_add_cancel_states	2026-11-22 20:04:17.61137+00
83	procrastinate	0029_add_additional_params_to_retry_job	2026-11-22 20:04:17.61451+00
84	procrastinate	0030_alter_procrastinateevent_options	2026-11-22 20:04:17.616125+00
85	procrastinate	0031_add_indexes_for_fetch_job	2026-11-22 20:04:17.620321+00
86	procrastinate	0032_pre_cancel_notification	2026-11-22 20:04:17.625276+00
87	procrastinate	0033_post_cancel_notification	2026-11-22 20:04:17.647717+00
88	procrastinate	0034_pre_add_heartbeat	2026-11-22 20:04:17.658135+00
89	procrastinate	0035_post_add_heartbeat	2026-11-22 20:04:17.659345+00
90	procrastinate	0036_add_worker_model	2026-11-22 20:04:17.66264+00
91	procrastinate	0037_pre_batch_defer_jobs	2026-11-22 20:04:17.669435+00
92	procrastinate	0038_post_batch_defer_jobs	2026-11-22 20:04:17.670238+00
93	procrastinate	0039_pre_priority_lock_fetch_job	2026-11-22 20:04:17.671235+00
94	procrastinate	0040_pre_retry_failed_job	2026-11-22 20:04:17.672068+00
95	procrastinate	0041_post_retry_failed_job	2026-11-22 20:04:17.676994+00
96	purses	0001_initial	2026-11-22 20:04:17.684174+00
97	sessions	0001_initial	2026-11-22 20:04:17.692675+00
98	settlement	0001_initial	2026-11-22 20:04:17.877605+00
\.
COPY public.django_session (session_key, session_data, expire_date) FROM stdin;
\.
COPY public.monitoring_livefigure (id, server, at, interval_ms, purchases, advices, others, approved, refused, busy, latency_p50_us, latency_p99_us, batches, queue_rows, oldest_unposted_ms) FROM stdin;
\.
COPY public.monitoring_livefigureunit (id, server, at, operator_id, unit_id, approved) FROM stdin;
\.
COPY public.operators_cardtype (id, code, name, name_en, limit_txn_fen, limit_meal_fen, limit_day_fen, limit_balance_fen) FROM stdin;
\.
COPY public.operators_mealperiod (id, no, name, start, "end", unit_id) FROM stdin;
\.
COPY public.operators_merchant (id, name, public, state, fee_per_mille, fee_per_item_fen, purse_order, created_at, operator_id, unit_id) FROM stdin;
\.
COPY public.operators_operator (id, code, name, name_en, settlement_mode, status, holder_cap, holder_count, unit_count, child_count, created_at, parent_id) FROM stdin;
\.
COPY public.operators_operatorcardtype (id, issuing_mode, card_type_id, operator_id) FROM stdin;
\.
COPY public.operators_unit (id, code, name, state, resume_state, valid_from, valid_until, purse_order, created_at, operator_id) FROM stdin;
\.
COPY public.operators_unitapplication (id, application, unit_id) FROM stdin;
\.
COPY public.people_holder (id, name, anonymous, document_type, document_hash, document_last4, phone, state, created_at, operator_id, unit_id) FROM stdin;
\.
COPY public.procrastinate_events (id, job_id, type, at) FROM stdin;
\.
COPY public.procrastinate_jobs (id, queue_name, task_name, lock, args, status, scheduled_at, attempts, queueing_lock, priority, abort_requested, worker_id) FROM stdin;
\.
COPY public.procrastinate_periodic_defers (id, task_name, defer_timestamp, job_id, periodic_id) FROM stdin;
\.
COPY public.procrastinate_workers (id, last_heartbeat) FROM stdin;
\.
COPY public.settlement_calendar (id, cut_time, open_date) FROM stdin;
\.
COPY public.settlement_clearingline (id, lane, terminal_id, merchant_id, issuer_operator, kind, business_date, debit_kind, credit_kind, private, transfer_count, transaction_count, zero_count, item_count, amount_fen, run_id) FROM stdin;
\.
COPY public.settlement_feeshare (operator_id, per_mille) FROM stdin;
\.
COPY public.settlement_merchantsettlement (id, merchant_id, unit_id, operator_id, gross_fen, platform_fen, retained_fen, item_count, carry_in_millifen, fee_fen, carry_out_millifen, operator_fee_fen, root_fee_fen, net_fen, run_id) FROM stdin;
\.
COPY public.settlement_nettingline (id, debtor_id, creditor_id, basis, transaction_count, amount_fen, run_id) FROM stdin;
\.
COPY public.settlement_party (id, level, party_id, unit_id, operator_id, code, name, independent, root, fee_per_mille, fee_per_item_fen, share_per_mille, run_id) FROM stdin;
\.
COPY public.settlement_posting (id, line_no, kind, debit, credit, amount_fen, run_id) FROM stdin;
\.
COPY public.settlement_settlementrun (id, business_date, part_no, automatic, state, cut_at, cleared_at, settled_at, checked_at, transfer_count, gross_fen, fee_fen, failure) FROM stdin;
\.
COPY public.settlement_settlementwindow (id, lane, from_id, through_id, cleared, transfer_count, amount_fen, run_id) FROM stdin;
\.
COPY public.settlement_sheetrow (id, level, party_id, parent_id, name, business_date, transaction_count, zero_count, purchase_count, purchase_fen, advice_count, advice_fen, debt_fen, void_count, void_fen, refund_count, refund_fen, reversal_count, reversal_fen, gross_fen, retained_fen, fee_fen, net_fen, operator_fee_fen, root_fee_fen, topup_count, topup_fen, debt_made_fen, debt_repaid_fen, receivable_fen, payable_fen, position_fen, run_id) FROM stdin;
\.
COPY public.unit_credential (unit_id, user_name, password_hash, must_change, issued_at) FROM stdin;
\.
SELECT pg_catalog.setval('public.auditlog_logentry_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_permission_id_seq', 193, true);
SELECT pg_catalog.setval('public.auth_user_groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_user_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_user_user_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.axes_accessattempt_id_seq', 1, false);
SELECT pg_catalog.setval('public.axes_accessfailurelog_id_seq', 1, false);
SELECT pg_catalog.setval('public.axes_accesslog_id_seq', 1, false);
SELECT pg_catalog.setval('public.devices_line_id_seq', 1, false);
SELECT pg_catalog.setval('public.devices_terminal_id_seq', 1, false);
SELECT pg_catalog.setval('public.devices_terminalbatch_id_seq', 1, false);
SELECT pg_catalog.setval('public.django_admin_log_id_seq', 1, false);
SELECT pg_catalog.setval('public.django_content_type_id_seq', 47, true);
SELECT pg_catalog.setval('public.django_migrations_id_seq', 98, true);
SELECT pg_catalog.setval('public.monitoring_livefigure_id_seq', 1, false);
SELECT pg_catalog.setval('public.monitoring_livefigureunit_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_cardtype_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_mealperiod_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_merchant_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_operator_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_operatorcardtype_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_unit_id_seq', 1, false);
SELECT pg_catalog.setval('public.operators_unitapplication_id_seq', 1, false);
SELECT pg_catalog.setval('public.people_holder_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_clearingline_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_merchantsettlement_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_nettingline_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_party_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_posting_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_settlementrun_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_settlementwindow_id_seq', 1, false);
SELECT pg_catalog.setval('public.settlement_sheetrow_id_seq', 1, false);
ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_pkey PRIMARY KEY (account_no);
ALTER TABLE ONLY ledger.audit_mark
    ADD CONSTRAINT audit_mark_pkey PRIMARY KEY (lane);
ALTER TABLE ONLY ledger.book_account
    ADD CONSTRAINT book_account_pkey PRIMARY KEY (id);
ALTER TABLE ONLY ledger.card
    ADD CONSTRAINT card_pkey PRIMARY KEY (card_no);
ALTER TABLE ONLY ledger.card_type
    ADD CONSTRAINT card_type_pkey PRIMARY KEY (card_type_id);
ALTER TABLE ONLY ledger.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (account_id, lane);
ALTER TABLE ONLY ledger.checkpoint_run
    ADD CONSTRAINT checkpoint_run_pkey PRIMARY KEY (lane);
ALTER TABLE ONLY ledger.deny_list
    ADD CONSTRAINT deny_list_pkey PRIMARY KEY (card_no, reason);
ALTER TABLE ONLY ledger.hold
    ADD CONSTRAINT hold_pkey PRIMARY KEY (lane, transfer_id);
ALTER TABLE ONLY ledger.issuer
    ADD CONSTRAINT issuer_pkey PRIMARY KEY (operator_id);
ALTER TABLE ONLY ledger.lane
    ADD CONSTRAINT lane_pkey PRIMARY KEY (lane);
ALTER TABLE ONLY ledger.opening_row
    ADD CONSTRAINT opening_row_pkey PRIMARY KEY (job, lane, account_no);
ALTER TABLE ONLY ledger.parameter
    ADD CONSTRAINT parameter_pkey PRIMARY KEY (one);
ALTER TABLE ONLY ledger.posting_batch
    ADD CONSTRAINT posting_batch_pkey PRIMARY KEY (lane, batch_no);
ALTER TABLE ONLY ledger.posting_key
    ADD CONSTRAINT posting_key_pkey PRIMARY KEY (terminal_id, terminal_seq, phase);
ALTER TABLE ONLY ledger.purse
    ADD CONSTRAINT purse_pkey PRIMARY KEY (account_no, unit_id);
ALTER TABLE ONLY ledger.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (terminal_id, terminal_seq);
ALTER TABLE ONLY ledger.transfer
    ADD CONSTRAINT transfer_pkey PRIMARY KEY (lane, id);
ALTER TABLE ONLY public.auditlog_logentry
    ADD CONSTRAINT auditlog_logentry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_group_id_94350c0c_uniq UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_permission_id_14a6b632_uniq UNIQUE (user_id, permission_id);
ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_username_key UNIQUE (username);
ALTER TABLE ONLY public.axes_accessattempt
    ADD CONSTRAINT axes_accessattempt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.axes_accessattempt
    ADD CONSTRAINT axes_accessattempt_username_ip_address_user_agent_8ea22282_uniq UNIQUE (username, ip_address, user_agent);
ALTER TABLE ONLY public.axes_accessattemptexpiration
    ADD CONSTRAINT axes_accessattemptexpiration_pkey PRIMARY KEY (access_attempt_id);
ALTER TABLE ONLY public.axes_accessfailurelog
    ADD CONSTRAINT axes_accessfailurelog_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.axes_accesslog
    ADD CONSTRAINT axes_accesslog_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.centre_staffaccount
    ADD CONSTRAINT centre_staffaccount_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.datacenter_function
    ADD CONSTRAINT datacenter_function_pkey PRIMARY KEY (signature);
ALTER TABLE ONLY public.devices_gatewaystatus
    ADD CONSTRAINT devices_gatewaystatus_pkey PRIMARY KEY (gateway);
ALTER TABLE ONLY public.devices_line
    ADD CONSTRAINT devices_line_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices_linestatus
    ADD CONSTRAINT devices_linestatus_pkey PRIMARY KEY (line_id);
ALTER TABLE ONLY public.devices_terminal
    ADD CONSTRAINT devices_terminal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices_terminal
    ADD CONSTRAINT devices_terminal_tid_key UNIQUE (tid);
ALTER TABLE ONLY public.devices_terminalbatch
    ADD CONSTRAINT devices_terminalbatch_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.devices_line
    ADD CONSTRAINT line_certificate UNIQUE (certificate_sha256);
ALTER TABLE ONLY public.operators_mealperiod
    ADD CONSTRAINT meal_period_no UNIQUE (unit_id, no);
ALTER TABLE ONLY public.monitoring_livefigure
    ADD CONSTRAINT monitoring_livefigure_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.monitoring_livefigureunit
    ADD CONSTRAINT monitoring_livefigureunit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_operatorcardtype
    ADD CONSTRAINT operator_card_type UNIQUE (operator_id, card_type_id);
ALTER TABLE ONLY public.operators_cardtype
    ADD CONSTRAINT operators_cardtype_code_key UNIQUE (code);
ALTER TABLE ONLY public.operators_cardtype
    ADD CONSTRAINT operators_cardtype_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_mealperiod
    ADD CONSTRAINT operators_mealperiod_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_merchant
    ADD CONSTRAINT operators_merchant_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_operator
    ADD CONSTRAINT operators_operator_code_key UNIQUE (code);
ALTER TABLE ONLY public.operators_operator
    ADD CONSTRAINT operators_operator_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_operatorcardtype
    ADD CONSTRAINT operators_operatorcardtype_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_unit
    ADD CONSTRAINT operators_unit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.operators_unitapplication
    ADD CONSTRAINT operators_unitapplication_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.people_holder
    ADD CONSTRAINT people_holder_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);
ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_calendar
    ADD CONSTRAINT settlement_calendar_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_clearingline
    ADD CONSTRAINT settlement_clearingline_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_feeshare
    ADD CONSTRAINT settlement_feeshare_pkey PRIMARY KEY (operator_id);
ALTER TABLE ONLY public.settlement_merchantsettlement
    ADD CONSTRAINT settlement_merchant_run UNIQUE (merchant_id, run_id);
ALTER TABLE ONLY public.settlement_merchantsettlement
    ADD CONSTRAINT settlement_merchantsettlement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_nettingline
    ADD CONSTRAINT settlement_netting_pair UNIQUE (run_id, debtor_id, creditor_id, basis);
ALTER TABLE ONLY public.settlement_nettingline
    ADD CONSTRAINT settlement_nettingline_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_party
    ADD CONSTRAINT settlement_party_once UNIQUE (run_id, level, party_id);
ALTER TABLE ONLY public.settlement_party
    ADD CONSTRAINT settlement_party_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_posting
    ADD CONSTRAINT settlement_posting_line UNIQUE (run_id, line_no);
ALTER TABLE ONLY public.settlement_posting
    ADD CONSTRAINT settlement_posting_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_settlementrun
    ADD CONSTRAINT settlement_run_part UNIQUE (business_date, part_no);
ALTER TABLE ONLY public.settlement_settlementrun
    ADD CONSTRAINT settlement_settlementrun_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_settlementwindow
    ADD CONSTRAINT settlement_settlementwindow_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_sheetrow
    ADD CONSTRAINT settlement_sheet_row UNIQUE NULLS NOT DISTINCT (run_id, level, parent_id, party_id, business_date);
ALTER TABLE ONLY public.settlement_sheetrow
    ADD CONSTRAINT settlement_sheetrow_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settlement_settlementwindow
    ADD CONSTRAINT settlement_window_lane UNIQUE (run_id, lane);
ALTER TABLE ONLY public.devices_terminalbatch
    ADD CONSTRAINT terminal_batch UNIQUE (terminal_id, batch_no);
ALTER TABLE ONLY public.operators_unitapplication
    ADD CONSTRAINT unit_application UNIQUE (unit_id, application);
ALTER TABLE ONLY public.operators_unit
    ADD CONSTRAINT unit_code UNIQUE (operator_id, code);
ALTER TABLE ONLY public.unit_credential
    ADD CONSTRAINT unit_credential_pkey PRIMARY KEY (unit_id);
ALTER TABLE ONLY public.unit_credential
    ADD CONSTRAINT unit_credential_user_name_key UNIQUE (user_name);
ALTER TABLE ONLY public.operators_unit
    ADD CONSTRAINT unit_id_operator UNIQUE (id, operator_id);
CREATE INDEX account_holder ON ledger.account USING btree (holder_id) WHERE (holder_id IS NOT NULL);
CREATE INDEX account_operator ON ledger.account USING btree (operator_id, unit_id, account_no);
CREATE INDEX card_account ON ledger.card USING btree (account_no);
CREATE INDEX hold_account ON ledger.hold USING btree (account_no);
CREATE INDEX hold_expiry ON ledger.hold USING btree (lane, expires_at) WHERE (state = 1);
CREATE INDEX transfer_credit ON ONLY ledger.transfer USING btree (credit, id) WHERE (credit < '1000000000000'::bigint);
CREATE INDEX transfer_debit ON ONLY ledger.transfer USING btree (debit, id) WHERE (debit < '1000000000000'::bigint);
CREATE INDEX transfer_orig ON ONLY ledger.transfer USING btree (orig_id) WHERE (orig_id IS NOT NULL);
CREATE INDEX auditlog_logentry_action_229afe39 ON public.auditlog_logentry USING btree (action);
CREATE INDEX auditlog_logentry_actor_id_959271d2 ON public.auditlog_logentry USING btree (actor_id);
CREATE INDEX auditlog_logentry_cid_9f467263 ON public.auditlog_logentry USING btree (cid);
CREATE INDEX auditlog_logentry_cid_9f467263_like ON public.auditlog_logentry USING btree (cid varchar_pattern_ops);
CREATE INDEX auditlog_logentry_content_type_id_75830218 ON public.auditlog_logentry USING btree (content_type_id);
CREATE INDEX auditlog_logentry_object_id_09c2eee8 ON public.auditlog_logentry USING btree (object_id);
CREATE INDEX auditlog_logentry_object_pk_6e3219c0 ON public.auditlog_logentry USING btree (object_pk);
CREATE INDEX auditlog_logentry_object_pk_6e3219c0_like ON public.auditlog_logentry USING btree (object_pk varchar_pattern_ops);
CREATE INDEX auditlog_logentry_timestamp_37867bb0 ON public.auditlog_logentry USING btree ("timestamp");
CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);
CREATE INDEX auth_user_groups_group_id_97559544 ON public.auth_user_groups USING btree (group_id);
CREATE INDEX auth_user_groups_user_id_6a12ed8b ON public.auth_user_groups USING btree (user_id);
CREATE INDEX auth_user_user_permissions_permission_id_1fbb5f2c ON public.auth_user_user_permissions USING btree (permission_id);
CREATE INDEX auth_user_user_permissions_user_id_a95ead1b ON public.auth_user_user_permissions USING btree (user_id);
CREATE INDEX auth_user_username_6821ab7c_like ON public.auth_user USING btree (username varchar_pattern_ops);
CREATE INDEX axes_accessattempt_ip_address_10922d9c ON public.axes_accessattempt USING btree (ip_address);
CREATE INDEX axes_accessattempt_user_agent_ad89678b ON public.axes_accessattempt USING btree (user_agent);
CREATE INDEX axes_accessattempt_user_agent_ad89678b_like ON public.axes_accessattempt USING btree (user_agent varchar_pattern_ops);
CREATE INDEX axes_accessattempt_username_3f2d4ca0 ON public.axes_accessattempt USING btree (username);
CREATE INDEX axes_accessattempt_username_3f2d4ca0_like ON public.axes_accessattempt USING btree (username varchar_pattern_ops);
CREATE INDEX axes_accessfailurelog_ip_address_2e9f5a7f ON public.axes_accessfailurelog USING btree (ip_address);
CREATE INDEX axes_accessfailurelog_user_agent_ea145dda ON public.axes_accessfailurelog USING btree (user_agent);
CREATE INDEX axes_accessfailurelog_user_agent_ea145dda_like ON public.axes_accessfailurelog USING btree (user_agent varchar_pattern_ops);
CREATE INDEX axes_accessfailurelog_username_a8b7e8a4 ON public.axes_accessfailurelog USING btree (username);
CREATE INDEX axes_accessfailurelog_username_a8b7e8a4_like ON public.axes_accessfailurelog USING btree (username varchar_pattern_ops);
CREATE INDEX axes_accesslog_ip_address_86b417e5 ON public.axes_accesslog USING btree (ip_address);
CREATE INDEX axes_accesslog_user_agent_0e659004 ON public.axes_accesslog USING btree (user_agent);
CREATE INDEX axes_accesslog_user_agent_0e659004_like ON public.axes_accesslog USING btree (user_agent varchar_pattern_ops);
CREATE INDEX axes_accesslog_username_df93064b ON public.axes_accesslog USING btree (username);
CREATE INDEX axes_accesslog_username_df93064b_like ON public.axes_accesslog USING btree (username varchar_pattern_ops);
CREATE INDEX devices_gatewaystatus_gateway_d823dee6_like ON public.devices_gatewaystatus USING btree (gateway varchar_pattern_ops);
CREATE INDEX devices_line_operator_id_adb490b7 ON public.devices_line USING btree (operator_id);
CREATE INDEX devices_line_unit_id_4291c15a ON public.devices_line USING btree (unit_id);
CREATE INDEX devices_terminal_line_id_e02a4e5c ON public.devices_terminal USING btree (line_id);
CREATE INDEX devices_terminal_merchant_id_9cb8cb17 ON public.devices_terminal USING btree (merchant_id);
CREATE INDEX devices_terminal_tid_aa7e4442_like ON public.devices_terminal USING btree (tid varchar_pattern_ops);
CREATE INDEX django_admin_log_content_type_id_c4bce8eb ON public.django_admin_log USING btree (content_type_id);
CREATE INDEX django_admin_log_user_id_c564eba6 ON public.django_admin_log USING btree (user_id);
CREATE INDEX django_session_expire_date_a5c62663 ON public.django_session USING btree (expire_date);
CREATE INDEX django_session_session_key_c0390e0f_like ON public.django_session USING btree (session_key varchar_pattern_ops);
CREATE UNIQUE INDEX holder_document ON public.people_holder USING btree (operator_id, document_hash) WHERE ((document_hash IS NOT NULL) AND ((state)::text = 'active'::text));
CREATE INDEX holder_operator ON public.people_holder USING btree (operator_id, id);
CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));
CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);
CREATE INDEX live_figure_at ON public.monitoring_livefigure USING btree (at);
CREATE INDEX live_figure_unit_at ON public.monitoring_livefigureunit USING btree (at);
CREATE UNIQUE INDEX operator_one_root ON public.operators_operator USING btree (COALESCE(parent_id, 0)) WHERE (parent_id IS NULL);
CREATE INDEX operators_cardtype_code_1e1713f5_like ON public.operators_cardtype USING btree (code varchar_pattern_ops);
CREATE INDEX operators_mealperiod_unit_id_c00ed67e ON public.operators_mealperiod USING btree (unit_id);
CREATE INDEX operators_merchant_operator_id_aba591e4 ON public.operators_merchant USING btree (operator_id);
CREATE INDEX operators_merchant_unit_id_839f1659 ON public.operators_merchant USING btree (unit_id);
CREATE INDEX operators_operator_code_4cefb7ed_like ON public.operators_operator USING btree (code varchar_pattern_ops);
CREATE INDEX operators_operator_parent_id_4f70a312 ON public.operators_operator USING btree (parent_id);
CREATE INDEX operators_operatorcardtype_card_type_id_7bb2c0bf ON public.operators_operatorcardtype USING btree (card_type_id);
CREATE INDEX operators_operatorcardtype_operator_id_3a04b2d8 ON public.operators_operatorcardtype USING btree (operator_id);
CREATE INDEX operators_unit_operator_id_6eb87bea ON public.operators_unit USING btree (operator_id);
CREATE INDEX operators_unitapplication_unit_id_b6315811 ON public.operators_unitapplication USING btree (unit_id);
CREATE INDEX people_holder_unit_id_b440cdd4 ON public.people_holder USING btree (unit_id);
CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);
CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);
CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);
CREATE INDEX settlement_clearingline_run_id_b5b5d574 ON public.settlement_clearingline USING btree (run_id);
CREATE INDEX settlement_line_merchant ON public.settlement_clearingline USING btree (run_id, merchant_id);
CREATE INDEX settlement_merchantsettlement_run_id_91c8eb06 ON public.settlement_merchantsettlement USING btree (run_id);
CREATE INDEX settlement_nettingline_run_id_1badf7b2 ON public.settlement_nettingline USING btree (run_id);
CREATE INDEX settlement_party_run_id_1398fa73 ON public.settlement_party USING btree (run_id);
CREATE INDEX settlement_posting_run_id_de97a183 ON public.settlement_posting USING btree (run_id);
CREATE INDEX settlement_settlementwindow_run_id_21424abf ON public.settlement_settlementwindow USING btree (run_id);
CREATE INDEX settlement_sheetrow_run_id_ef605955 ON public.settlement_sheetrow USING btree (run_id);
CREATE INDEX settlement_window_through ON public.settlement_settlementwindow USING btree (lane, through_id);
CREATE INDEX unit_credential_user_name_cf4bd6cd_like ON public.unit_credential USING btree (user_name varchar_pattern_ops);
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON ledger.posting_batch FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON ledger.transfer FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.posting_batch FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.transfer FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER check_line_insert AFTER INSERT ON public.devices_terminal REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.devices_check_terminal_line();
CREATE TRIGGER check_line_update AFTER UPDATE ON public.devices_terminal REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.devices_check_terminal_line();
CREATE TRIGGER check_settlement_mode AFTER UPDATE ON public.operators_operator FOR EACH ROW WHEN ((((old.settlement_mode)::text <> (new.settlement_mode)::text) AND ((new.settlement_mode)::text = 'independent'::text))) EXECUTE FUNCTION public.operators_check_settlement_mode();
CREATE TRIGGER check_unit_state BEFORE INSERT OR UPDATE ON public.operators_unit FOR EACH ROW EXECUTE FUNCTION public.operators_check_unit_state();
CREATE TRIGGER count_children_delete AFTER DELETE ON public.operators_operator REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('child_count', 'parent_id', 'status <> ''closed''');
CREATE TRIGGER count_children_insert AFTER INSERT ON public.operators_operator REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('child_count', 'parent_id', 'status <> ''closed''');
CREATE TRIGGER count_children_update AFTER UPDATE ON public.operators_operator REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('child_count', 'parent_id', 'status <> ''closed''');
CREATE TRIGGER count_holders_delete AFTER DELETE ON public.people_holder REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('holder_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_holders_insert AFTER INSERT ON public.people_holder REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('holder_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_holders_update AFTER UPDATE ON public.people_holder REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('holder_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_units_delete AFTER DELETE ON public.operators_unit REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('unit_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_units_insert AFTER INSERT ON public.operators_unit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('unit_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER count_units_update AFTER UPDATE ON public.operators_unit REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_keep_count('unit_count', 'operator_id', 'state <> ''closed''');
CREATE TRIGGER notify_delete_card_type AFTER DELETE ON public.operators_cardtype REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('card_type', 'id');
CREATE TRIGGER notify_delete_line AFTER DELETE ON public.devices_line REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('line', 'id');
CREATE TRIGGER notify_delete_line AFTER DELETE ON public.devices_terminal REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('line', 'line_id');
CREATE TRIGGER notify_delete_meal_period AFTER DELETE ON public.operators_mealperiod REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('meal_period', 'unit_id');
CREATE TRIGGER notify_delete_merchant AFTER DELETE ON public.operators_merchant REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('merchant', 'id');
CREATE TRIGGER notify_delete_operator AFTER DELETE ON public.operators_operator REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('operator', 'id', 'holder_count', 'unit_count', 'child_count', 'holder_cap');
CREATE TRIGGER notify_delete_terminal AFTER DELETE ON public.devices_terminal REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('terminal', 'id');
CREATE TRIGGER notify_delete_unit AFTER DELETE ON public.operators_unit REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('unit', 'id');
CREATE TRIGGER notify_insert_card_type AFTER INSERT ON public.operators_cardtype REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('card_type', 'id');
CREATE TRIGGER notify_insert_line AFTER INSERT ON public.devices_line REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('line', 'id');
CREATE TRIGGER notify_insert_line AFTER INSERT ON public.devices_terminal REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('line', 'line_id');
CREATE TRIGGER notify_insert_meal_period AFTER INSERT ON public.operators_mealperiod REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('meal_period', 'unit_id');
CREATE TRIGGER notify_insert_merchant AFTER INSERT ON public.operators_merchant REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('merchant', 'id');
CREATE TRIGGER notify_insert_operator AFTER INSERT ON public.operators_operator REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('operator', 'id', 'holder_count', 'unit_count', 'child_count', 'holder_cap');
CREATE TRIGGER notify_insert_terminal AFTER INSERT ON public.devices_terminal REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('terminal', 'id');
CREATE TRIGGER notify_insert_unit AFTER INSERT ON public.operators_unit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('unit', 'id');
CREATE TRIGGER notify_update_card_type AFTER UPDATE ON public.operators_cardtype REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('card_type', 'id');
CREATE TRIGGER notify_update_line AFTER UPDATE ON public.devices_line REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('line', 'id');
CREATE TRIGGER notify_update_line AFTER UPDATE ON public.devices_terminal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('line', 'line_id');
CREATE TRIGGER notify_update_meal_period AFTER UPDATE ON public.operators_mealperiod REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('meal_period', 'unit_id');
CREATE TRIGGER notify_update_merchant AFTER UPDATE ON public.operators_merchant REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('merchant', 'id');
CREATE TRIGGER notify_update_operator AFTER UPDATE ON public.operators_operator REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('operator', 'id', 'holder_count', 'unit_count', 'child_count', 'holder_cap');
CREATE TRIGGER notify_update_terminal AFTER UPDATE ON public.devices_terminal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('terminal', 'id');
CREATE TRIGGER notify_update_unit AFTER UPDATE ON public.operators_unit REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_directory_notify('unit', 'id');
CREATE TRIGGER open_book_accounts AFTER INSERT ON public.operators_operator REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_open_book_accounts('3', '4', '5', '6', '7', '8', '10', '11');
CREATE TRIGGER open_book_accounts_insert AFTER INSERT ON public.operators_merchant REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_open_book_accounts('1');
CREATE TRIGGER open_book_accounts_insert AFTER INSERT ON public.operators_unit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_open_book_accounts('2', '9');
CREATE TRIGGER open_book_accounts_update AFTER UPDATE ON public.operators_merchant REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_open_book_accounts('1');
CREATE TRIGGER open_book_accounts_update AFTER UPDATE ON public.operators_unit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_open_book_accounts('2', '9');
CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();
CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();
CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();
CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();
CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();
CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();
CREATE TRIGGER protect_counters BEFORE INSERT OR UPDATE ON public.operators_operator FOR EACH ROW EXECUTE FUNCTION public.operators_protect_counters();
CREATE TRIGGER purse_order_insert AFTER INSERT ON public.operators_merchant REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_check_purse_order();
CREATE TRIGGER purse_order_insert AFTER INSERT ON public.operators_unit REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_check_purse_order();
CREATE TRIGGER purse_order_update AFTER UPDATE ON public.operators_merchant REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_check_purse_order();
CREATE TRIGGER purse_order_update AFTER UPDATE ON public.operators_unit REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.operators_check_purse_order();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.operators_unit FOR EACH STATEMENT EXECUTE FUNCTION public.operators_refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.people_holder FOR EACH STATEMENT EXECUTE FUNCTION public.operators_refuse_truncate();
CREATE TRIGGER rename_book_accounts AFTER UPDATE ON public.operators_operator FOR EACH ROW WHEN (((old.name)::text <> (new.name)::text)) EXECUTE FUNCTION public.operators_rename_book_accounts();
CREATE TRIGGER sync_card_type AFTER INSERT OR UPDATE ON public.operators_cardtype FOR EACH ROW EXECUTE FUNCTION public.operators_sync_card_type();
CREATE TRIGGER sync_issuer_insert AFTER INSERT ON public.operators_operator FOR EACH ROW EXECUTE FUNCTION public.operators_sync_issuer();
CREATE TRIGGER sync_issuer_update AFTER UPDATE ON public.operators_operator FOR EACH ROW WHEN (((old.settlement_mode)::text <> (new.settlement_mode)::text)) EXECUTE FUNCTION public.operators_sync_issuer();
ALTER TABLE ONLY public.auditlog_logentry
    ADD CONSTRAINT auditlog_logentry_actor_id_959271d2_fk_auth_user_id FOREIGN KEY (actor_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auditlog_logentry
    ADD CONSTRAINT auditlog_logentry_content_type_id_75830218_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_group_id_97559544_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_6a12ed8b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_a95ead1b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.axes_accessattemptexpiration
    ADD CONSTRAINT axes_accessattemptex_access_attempt_id_6b73a47a_fk_axes_acce FOREIGN KEY (access_attempt_id) REFERENCES public.axes_accessattempt(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.centre_staffaccount
    ADD CONSTRAINT centre_staffaccount_user_id_6d881760_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.devices_line
    ADD CONSTRAINT devices_line_operator_id_adb490b7_fk_operators_operator_id FOREIGN KEY (operator_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.devices_line
    ADD CONSTRAINT devices_line_unit_id_4291c15a_fk_operators_unit_id FOREIGN KEY (unit_id) REFERENCES public.operators_unit(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.devices_linestatus
    ADD CONSTRAINT devices_linestatus_line_id_3326652b_fk_devices_line_id FOREIGN KEY (line_id) REFERENCES public.devices_line(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.devices_terminal
    ADD CONSTRAINT devices_terminal_line_id_e02a4e5c_fk_devices_line_id FOREIGN KEY (line_id) REFERENCES public.devices_line(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.devices_terminal
    ADD CONSTRAINT devices_terminal_merchant_id_9cb8cb17_fk_operators_merchant_id FOREIGN KEY (merchant_id) REFERENCES public.operators_merchant(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.devices_terminalbatch
    ADD CONSTRAINT devices_terminalbatc_terminal_id_205b61d0_fk_devices_t FOREIGN KEY (terminal_id) REFERENCES public.devices_terminal(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_content_type_id_c4bce8eb_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_user_id_c564eba6_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.people_holder
    ADD CONSTRAINT holder_unit_operator FOREIGN KEY (unit_id, operator_id) REFERENCES public.operators_unit(id, operator_id);
ALTER TABLE ONLY public.operators_merchant
    ADD CONSTRAINT merchant_unit_operator FOREIGN KEY (unit_id, operator_id) REFERENCES public.operators_unit(id, operator_id) ON UPDATE CASCADE;
ALTER TABLE ONLY public.operators_mealperiod
    ADD CONSTRAINT operators_mealperiod_unit_id_c00ed67e_fk_operators_unit_id FOREIGN KEY (unit_id) REFERENCES public.operators_unit(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.operators_merchant
    ADD CONSTRAINT operators_merchant_operator_id_aba591e4_fk_operators FOREIGN KEY (operator_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.operators_operator
    ADD CONSTRAINT operators_operator_parent_id_4f70a312_fk_operators_operator_id FOREIGN KEY (parent_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.operators_operatorcardtype
    ADD CONSTRAINT operators_operatorca_card_type_id_7bb2c0bf_fk_operators FOREIGN KEY (card_type_id) REFERENCES public.operators_cardtype(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.operators_operatorcardtype
    ADD CONSTRAINT operators_operatorca_operator_id_3a04b2d8_fk_operators FOREIGN KEY (operator_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.operators_unit
    ADD CONSTRAINT operators_unit_operator_id_6eb87bea_fk_operators_operator_id FOREIGN KEY (operator_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.operators_unitapplication
    ADD CONSTRAINT operators_unitapplication_unit_id_b6315811_fk_operators_unit_id FOREIGN KEY (unit_id) REFERENCES public.operators_unit(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.people_holder
    ADD CONSTRAINT people_holder_operator_id_9fde5a99_fk_operators_operator_id FOREIGN KEY (operator_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);
ALTER TABLE ONLY public.settlement_clearingline
    ADD CONSTRAINT settlement_clearingl_run_id_b5b5d574_fk_settlemen FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_feeshare
    ADD CONSTRAINT settlement_feeshare_operator_id_b7bada07_fk_operators FOREIGN KEY (operator_id) REFERENCES public.operators_operator(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_merchantsettlement
    ADD CONSTRAINT settlement_merchants_run_id_91c8eb06_fk_settlemen FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_nettingline
    ADD CONSTRAINT settlement_nettingli_run_id_1badf7b2_fk_settlemen FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_party
    ADD CONSTRAINT settlement_party_run_id_1398fa73_fk_settlement_settlementrun_id FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_posting
    ADD CONSTRAINT settlement_posting_run_id_de97a183_fk_settlemen FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_settlementwindow
    ADD CONSTRAINT settlement_settlemen_run_id_21424abf_fk_settlemen FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.settlement_sheetrow
    ADD CONSTRAINT settlement_sheetrow_run_id_ef605955_fk_settlemen FOREIGN KEY (run_id) REFERENCES public.settlement_settlementrun(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.unit_credential
    ADD CONSTRAINT unit_credential_unit_id_c41536ae_fk_operators_unit_id FOREIGN KEY (unit_id) REFERENCES public.operators_unit(id) DEFERRABLE INITIALLY DEFERRED;
GRANT USAGE ON SCHEMA ledger TO onecard_app;
GRANT USAGE ON SCHEMA public TO onecard_app;
REVOKE ALL ON FUNCTION ledger.add_card(p_card bigint, p_account bigint, p_medium integer, p_status integer, p_valid_until date) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.add_card(p_card bigint, p_account bigint, p_medium integer, p_status integer, p_valid_until date) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.add_purse(p_account bigint, p_unit integer, p_floor_fen bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.add_purse(p_account bigint, p_unit integer, p_floor_fen bigint) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.audit_span(p_full boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.audit_span(p_full boolean) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.book_balances(p_accounts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.book_balances(p_accounts bigint[]) TO onecard_app;
GRANT SELECT ON TABLE ledger.lane TO onecard_app;
GRANT SELECT ON TABLE ledger.transfer TO onecard_app;
REVOKE ALL ON FUNCTION ledger.chain_batch(p_lane ledger.lane, p_last_id bigint, p_legs ledger.transfer[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.change_debt(p_account bigint, p_delta bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.checkpoint() FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.checkpoint() TO onecard_app;
GRANT SELECT ON TABLE ledger.posting_key TO onecard_app;
REVOKE ALL ON FUNCTION ledger.close_original(p_lane smallint, p_op smallint, p_key ledger.posting_key, p_amount bigint, p_legs ledger.transfer[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.ensure_partitions(p_months integer, p_from timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.ensure_partitions(p_months integer, p_from timestamp with time zone) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.expire_holds(p_lane smallint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.expire_holds(p_lane smallint, p_limit integer) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.id_at(p_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.id_at(p_at timestamp with time zone) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.id_time(p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.id_time(p_id bigint) TO onecard_app;
GRANT SELECT ON TABLE ledger.account TO onecard_app;
REVOKE ALL ON FUNCTION ledger.lock_account(p_account bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.lock_lane(p_lane smallint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.lock_lanes() FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.lock_lanes() TO onecard_app;
REVOKE ALL ON FUNCTION ledger.mark_audited(p_lane bigint[], p_batch bigint[], p_through bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.mark_audited(p_lane bigint[], p_batch bigint[], p_through bigint[]) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.open_account(p_account bigint, p_card bigint, p_operator integer, p_card_type integer, p_holder bigint, p_unit integer, p_public_fen bigint, p_private_unit integer, p_private_fen bigint, p_medium integer, p_card_status integer, p_valid_until date) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.open_account(p_account bigint, p_card bigint, p_operator integer, p_card_type integer, p_holder bigint, p_unit integer, p_public_fen bigint, p_private_unit integer, p_private_fen bigint, p_medium integer, p_card_status integer, p_valid_until date) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.open_accounts(p_job bigint, p_lane smallint, p_limit integer, OUT o_opened integer, OUT o_skipped integer, OUT o_more boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.open_accounts(p_job bigint, p_lane smallint, p_limit integer, OUT o_opened integer, OUT o_skipped integer, OUT o_more boolean) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.partitioned_to(p_id bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.plan_leg(p_kind integer, p_debit bigint, p_credit bigint, p_amount bigint, p_orig bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.plan_special(p_op smallint, p_key ledger.posting_key, p_account ledger.account, p_card bigint, p_merchant bigint, p_amount bigint, p_business_date date, OUT o_code integer, OUT o_legs ledger.transfer[], OUT o_debt bigint, OUT o_back_day date, OUT o_back_meal integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.plan_undo(p_leg ledger.transfer, p_kind integer, p_amount bigint, p_account bigint, p_operator integer, p_planned ledger.transfer[], OUT o_legs ledger.transfer[], OUT o_debt bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.post_batch(p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[], p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[], p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[], OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.post_batch(p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[], p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[], p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[], OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[]) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.post_book(p_key_terminal bigint, p_key_seq bigint[], p_kind bigint[], p_debit bigint[], p_credit bigint[], p_amount bigint[], p_business_date date, OUT o_code bigint[], OUT o_transfer bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.post_book(p_key_terminal bigint, p_key_seq bigint[], p_kind bigint[], p_debit bigint[], p_credit bigint[], p_amount bigint[], p_business_date date, OUT o_code bigint[], OUT o_transfer bigint[]) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.post_extra_legs(p_lane smallint, p_batch bigint, p_rows ledger.extra_legs[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.post_in_turns(p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[], p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[], p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[], OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.post_legs(p_legs ledger.transfer[], p_common ledger.transfer, p_id bigint, p_back_day date, p_back_meal integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.post_special(p_lane ledger.lane, p_id bigint, p_op smallint, p_terminal bigint, p_seq bigint, p_card bigint, p_merchant bigint, p_amount bigint, p_occurred timestamp with time zone, p_business_date date, p_orig_terminal bigint, p_orig_seq bigint, OUT o_code bigint, OUT o_balance bigint, OUT o_transfer bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.refuse_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.set_account_status(p_account bigint, p_status integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.set_account_status(p_account bigint, p_status integer) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.set_account_terms(p_account bigint, p_holder bigint, p_card_type integer, p_unit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.set_account_terms(p_account bigint, p_holder bigint, p_card_type integer, p_unit integer) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.set_card_status(p_card bigint, p_status integer, p_valid_until date) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.set_card_status(p_card bigint, p_status integer, p_valid_until date) TO onecard_app;
REVOKE ALL ON FUNCTION ledger.undone_fen(p_lane smallint, p_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.devices_check_terminal_line() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_check_purse_order() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_check_settlement_mode() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_check_unit_state() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_directory_notify() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_keep_count() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_open_book_accounts() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_protect_counters() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_refuse(p_constraint text, p_message text) TO onecard_app;
GRANT ALL ON FUNCTION public.operators_refuse_truncate() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_rename_book_accounts() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_sync_card_type() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_sync_issuer() TO onecard_app;
GRANT ALL ON FUNCTION public.operators_watch_directory(p_table regclass, p_name text, p_id_column text, p_ignored text[]) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_jobs TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_notify_queue_abort_job_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_notify_queue_job_inserted_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_register_worker_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_trigger_function_status_events_update_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_unlink_periodic_defers_v1() TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) TO onecard_app;
GRANT ALL ON FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) TO onecard_app;
GRANT SELECT ON TABLE ledger.audit_mark TO onecard_app;
GRANT SELECT ON TABLE ledger.book_account TO onecard_app;
GRANT SELECT ON TABLE ledger.card TO onecard_app;
GRANT SELECT ON TABLE ledger.card_type TO onecard_app;
GRANT SELECT ON TABLE ledger.checkpoint TO onecard_app;
GRANT SELECT ON TABLE ledger.checkpoint_run TO onecard_app;
GRANT SELECT ON TABLE ledger.deny_list TO onecard_app;
GRANT SELECT ON TABLE ledger.hold TO onecard_app;
GRANT SELECT ON TABLE ledger.issuer TO onecard_app;
GRANT SELECT,INSERT ON TABLE ledger.opening_row TO onecard_app;
GRANT SELECT ON TABLE ledger.parameter TO onecard_app;
GRANT UPDATE(hold_ttl) ON TABLE ledger.parameter TO onecard_app;
GRANT SELECT ON TABLE ledger.posting_batch TO onecard_app;
GRANT SELECT ON TABLE ledger.purse TO onecard_app;
GRANT SELECT ON TABLE ledger.quarantine TO onecard_app;
GRANT UPDATE(resolved_at) ON TABLE ledger.quarantine TO onecard_app;
GRANT UPDATE(reason) ON TABLE ledger.quarantine TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auditlog_logentry TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auditlog_logentry_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_group TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_group_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_group_permissions TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_group_permissions_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_permission TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_permission_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_user TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_user_groups TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_user_groups_id_seq TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_user_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_user_user_permissions TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_user_user_permissions_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.axes_accessattempt TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.axes_accessattempt_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.axes_accessattemptexpiration TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.axes_accessfailurelog TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.axes_accessfailurelog_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.axes_accesslog TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.axes_accesslog_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.centre_staffaccount TO onecard_app;
GRANT SELECT ON TABLE public.datacenter_function TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.devices_gatewaystatus TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.devices_line TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.devices_line_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.devices_linestatus TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.devices_terminal TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.devices_terminal_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.devices_terminalbatch TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.devices_terminalbatch_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.django_admin_log TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.django_admin_log_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.django_content_type TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.django_content_type_id_seq TO onecard_app;
GRANT SELECT ON TABLE public.django_migrations TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.django_migrations_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.django_session TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.monitoring_livefigure TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.monitoring_livefigure_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.monitoring_livefigureunit TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.monitoring_livefigureunit_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_cardtype TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_cardtype_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_mealperiod TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_mealperiod_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_merchant TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_merchant_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_operator TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_operator_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_operatorcardtype TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_operatorcardtype_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_unit TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_unit_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.operators_unitapplication TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.operators_unitapplication_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.people_holder TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.people_holder_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_events TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_events_id_seq TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_jobs_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_periodic_defers TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_periodic_defers_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_workers TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_workers_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_calendar TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_clearingline TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_clearingline_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_feeshare TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_party TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_merchant_line TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_merchantsettlement TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_merchantsettlement_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_nettingline TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_nettingline_id_seq TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_party_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_posting TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_posting_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_settlementrun TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_settlementrun_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_settlementwindow TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_settlementwindow_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.settlement_sheetrow TO onecard_app;
GRANT SELECT,USAGE ON SEQUENCE public.settlement_sheetrow_id_seq TO onecard_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.unit_credential TO onecard_app;
