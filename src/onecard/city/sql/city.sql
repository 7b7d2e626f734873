-- Working tables of the simulations, beside the platform's own: what was loaded, and which record of a replayed file became which
-- terminal sequence. Made by the owner when first needed; the platform never reads them.
CREATE SCHEMA IF NOT EXISTS city;

CREATE TABLE IF NOT EXISTS city.loaded (
    what text PRIMARY KEY,
    seed bigint NOT NULL,
    holders bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS city.replay_file (
    file_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    name text NOT NULL,
    staged_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS city.replay_company (
    company text PRIMARY KEY,
    unit_id int NOT NULL,
    merchant_id int NOT NULL,
    line_id bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS city.replay_terminal (
    terminal_ref bigint PRIMARY KEY,
    company text NOT NULL,
    terminal_id bigint UNIQUE,
    last_seq bigint NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS city.replay_card (
    card_ref text PRIMARY KEY,
    serial bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    card_no bigint UNIQUE
);
CREATE INDEX IF NOT EXISTS replay_card_new ON city.replay_card (serial) WHERE card_no IS NULL;

CREATE TABLE IF NOT EXISTS city.replay_record (
    file_id int NOT NULL REFERENCES city.replay_file,
    line int NOT NULL,
    terminal_ref bigint NOT NULL,
    seq bigint NOT NULL,
    card_ref text NOT NULL,
    type text NOT NULL,
    occurred_us bigint NOT NULL,
    amount_fen bigint NOT NULL,
    PRIMARY KEY (file_id, line),
    UNIQUE (terminal_ref, seq)
);
