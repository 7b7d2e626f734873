-- Where the rows of a bulk load wait: read, checked, then written from here. Document numbers are hashed before they come here. Logged,
-- because the accounts of a load whose holders are in are opened from it, whatever was killed in between.
CREATE TABLE people_load_row (
    job_id bigint NOT NULL REFERENCES people_loadjob (id) ON DELETE CASCADE,
    row_no int NOT NULL,                   -- as a spreadsheet counts: the header is 1
    name text NOT NULL DEFAULT '',
    document_type text NOT NULL DEFAULT '',
    document_hash bytea,
    document_last4 text NOT NULL DEFAULT '',
    staff_no text NOT NULL DEFAULT '',
    gender text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    unit_code text NOT NULL DEFAULT '',
    department text NOT NULL DEFAULT '',   -- a path, '/' between the names
    public_fen bigint,
    private_fen bigint,
    unit_id int,
    department_id int,
    holder_id bigint NOT NULL DEFAULT nextval(pg_get_serial_sequence('people_holder', 'id')),
    serial bigint,                         -- of the account and its first card
    problems text[] NOT NULL DEFAULT '{}', -- 'column:code', none for a good row
    PRIMARY KEY (job_id, row_no)
);

-- Serial numbers of the accounts and cards that this domain makes: above those of the demonstration city and of replays.
-- Above every serial that the issue of cards gives out (cards/sql/numbers.sql): no account or card number is made twice.
CREATE SEQUENCE people_serial START 850000001 MINVALUE 850000001 MAXVALUE 999999999;

-- A statement over a hundred thousand fresh rows needs their statistics, and only a table's owner may have them taken.
CREATE FUNCTION people_analyze_load() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    ANALYZE people_load_row;
END $$;

-- Accounts that this domain's loads still have to open are found by it.
CREATE INDEX people_load_unfinished ON people_loadjob (id) WHERE finished_at IS NULL;
