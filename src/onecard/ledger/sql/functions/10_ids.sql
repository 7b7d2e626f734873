-- Ids carry time: milliseconds since 2020-01-01 UTC << 22 | counter. A partition by id is a partition by posting time.

CREATE OR REPLACE FUNCTION ledger.id_at(p_at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT floor((extract(epoch FROM p_at) - 1577836800) * 1000)::bigint << 22 $$;

CREATE OR REPLACE FUNCTION ledger.id_time(p_id bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT timestamptz '2020-01-01 00:00:00+00' + (p_id >> 22) * interval '1 millisecond' $$;
