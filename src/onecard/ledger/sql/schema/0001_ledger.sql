-- The tables of the money (P1, P2, P4, S3). Functions stand in ../functions and are applied again at every migration.
-- No foreign keys on the hot tables: posting functions are the only writers, and the auditor checks what a key would (docs/ledger.md).

CREATE SCHEMA ledger;

-- What the ledger must know of the directory; services.operators keeps these in step.
CREATE TABLE ledger.issuer (
    operator_id int PRIMARY KEY,
    unified boolean NOT NULL
);

CREATE TABLE ledger.card_type (
    card_type_id int PRIMARY KEY,
    limit_txn_fen bigint NOT NULL DEFAULT 0 CHECK (limit_txn_fen >= 0),
    limit_meal_fen bigint NOT NULL DEFAULT 0 CHECK (limit_meal_fen >= 0),
    limit_day_fen bigint NOT NULL DEFAULT 0 CHECK (limit_day_fen >= 0),
    limit_balance_fen bigint NOT NULL DEFAULT 0 CHECK (limit_balance_fen >= 0)
);

CREATE TABLE ledger.parameter (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    hold_ttl interval NOT NULL DEFAULT '24 hours' CHECK (hold_ttl > '0')
);
INSERT INTO ledger.parameter DEFAULT VALUES;

-- Accounts and the cards that point to them.
CREATE TABLE ledger.account (
    account_no bigint PRIMARY KEY,
    holder_id bigint,
    debt_fen bigint NOT NULL DEFAULT 0 CHECK (debt_fen >= 0),
    opened_at timestamptz NOT NULL DEFAULT now(),
    operator_id int NOT NULL,
    unit_id int NOT NULL DEFAULT 0,
    card_type_id int NOT NULL,
    lane smallint NOT NULL,
    status smallint NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 3), -- 1 active, 2 frozen, 3 closed
    CHECK (lane = account_no / 10000000000 % 100)
) WITH (fillfactor = 90);
CREATE INDEX account_holder ON ledger.account (holder_id) WHERE holder_id IS NOT NULL;
CREATE INDEX account_operator ON ledger.account (operator_id, unit_id, account_no);

-- A card's row carries what posting needs of its account (operator, type, standing): one look-up less for every record. Only the
-- functions that change the account change the copy, and the auditor compares them.
CREATE TABLE ledger.card (
    card_no bigint PRIMARY KEY,
    account_no bigint NOT NULL,
    valid_until date,
    operator_id int NOT NULL,
    card_type_id int NOT NULL,
    account_status smallint NOT NULL DEFAULT 1,
    status smallint NOT NULL DEFAULT 1 CHECK (status BETWEEN 0 AND 5), -- 0 stock, 1 active, 2 lost, 3 frozen, 4 expired, 5 returned
    medium smallint NOT NULL DEFAULT 1 CHECK (medium BETWEEN 1 AND 4), -- 1 CPU card, 2 SIM, 3 QR, 4 bare UID
    denied boolean NOT NULL DEFAULT false, -- because of a debt; the list itself is deny_list
    CHECK (card_no / 10000000000 % 100 = account_no / 10000000000 % 100)
) WITH (fillfactor = 90);
CREATE INDEX card_account ON ledger.card (account_no);

-- The guarded balances. Half-full pages and no index on what changes, so that every update is heap-only.
CREATE TABLE ledger.purse (
    account_no bigint NOT NULL,
    balance_fen bigint NOT NULL DEFAULT 0,
    floor_fen bigint NOT NULL DEFAULT 0 CHECK (floor_fen <= 0),
    seq bigint NOT NULL DEFAULT 0,
    last_transfer_id bigint,
    day_spent_fen bigint NOT NULL DEFAULT 0,
    meal_spent_fen bigint NOT NULL DEFAULT 0,
    day date,
    unit_id int NOT NULL DEFAULT 0 CHECK (unit_id BETWEEN 0 AND 99999),
    meal smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_no, unit_id),
    CHECK (balance_fen >= floor_fen)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);

-- The unguarded accounts: never updated, their balance is the sum of transfers since the last checkpoint.
CREATE TABLE ledger.book_account (
    id bigint PRIMARY KEY,
    ref_id bigint NOT NULL CHECK (ref_id BETWEEN 0 AND 99999999),
    name text NOT NULL DEFAULT '',
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 99),
    CHECK (id = kind * 100000000::bigint + ref_id)
);

-- THE lock of posting: the first statement of every writer of a lane takes this row.
CREATE TABLE ledger.lane (
    lane smallint PRIMARY KEY,
    last_id bigint NOT NULL DEFAULT 0,
    last_batch bigint NOT NULL DEFAULT 0,
    partitioned_to bigint NOT NULL DEFAULT 0, -- ids below this one have their partition
    last_hash bytea NOT NULL
) WITH (fillfactor = 10); -- a page a lane or two: lanes must not meet on one page
INSERT INTO ledger.lane (lane, last_hash) SELECT n, sha256(int2send(n::smallint)) FROM generate_series(0, 63) n;
INSERT INTO ledger.lane (lane, last_hash) VALUES (99, sha256(int2send(99::smallint)));

-- The journal. id = milliseconds since 2020-01-01 UTC << 22 | counter, strictly rising per lane.
CREATE TABLE ledger.transfer (
    id bigint NOT NULL,
    debit bigint NOT NULL,
    credit bigint NOT NULL,
    amount_fen bigint NOT NULL,
    balance_after bigint,  -- of the purse, where one is touched
    prev_id bigint,        -- that purse's transfer before this one
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    card_no bigint,
    account_no bigint,
    link_id bigint,        -- id of the first leg, where there are several
    orig_id bigint,        -- the leg that this one undoes or follows
    batch_no bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    business_date date NOT NULL,
    issuer_operator int,
    lane smallint NOT NULL,
    kind smallint NOT NULL,
    PRIMARY KEY (lane, id),
    CHECK (amount_fen > 0 OR amount_fen = 0 AND kind IN (2, 7, 9, 10)), -- a tap without a charge is a record too
    CHECK (debit <> credit)
) PARTITION BY RANGE (id);
-- A book account's number is below 10^12, a purse's above: only book accounts are summed by index.
CREATE INDEX transfer_credit ON ledger.transfer (credit, id) WHERE credit < 1000000000000;
CREATE INDEX transfer_debit ON ledger.transfer (debit, id) WHERE debit < 1000000000000;
CREATE INDEX transfer_orig ON ledger.transfer (orig_id) WHERE orig_id IS NOT NULL;

CREATE TABLE ledger.posting_batch (
    batch_no bigint NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL, -- the end of the range set aside: rows lie within, not always at the ends
    posted_at timestamptz NOT NULL,
    row_count int NOT NULL,
    lane smallint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (lane, batch_no)
);

-- Exactly once (P4): one row per terminal, sequence and phase, refused answers too.
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
    occurred_at timestamptz,
    posted_on date NOT NULL,
    phase smallint NOT NULL,            -- 0 the record, 1 its reversal
    op smallint NOT NULL,
    code smallint NOT NULL,             -- the first answer
    legs smallint NOT NULL DEFAULT 0,
    meal smallint NOT NULL DEFAULT 0,
    state smallint NOT NULL DEFAULT 0,  -- 0 stands, 1 reversed, 2 tombstone: its reversal came first
    lane smallint NOT NULL,
    PRIMARY KEY (terminal_id, terminal_seq, phase)
);

CREATE TABLE ledger.hold (
    transfer_id bigint NOT NULL,
    account_no bigint NOT NULL,
    card_no bigint NOT NULL,
    merchant bigint NOT NULL,
    amount_fen bigint NOT NULL,         -- what stands on the hold's book account while it is open
    committed_fen bigint NOT NULL DEFAULT 0,
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    business_date date NOT NULL,
    unit_id int NOT NULL,
    operator_id int NOT NULL,
    lane smallint NOT NULL,
    meal smallint NOT NULL DEFAULT 0,
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 4), -- 1 open, 2 committed, 3 released, 4 expired
    PRIMARY KEY (lane, transfer_id)
);
CREATE INDEX hold_expiry ON ledger.hold (lane, expires_at) WHERE state = 1;
CREATE INDEX hold_account ON ledger.hold (account_no);

CREATE TABLE ledger.checkpoint (
    account_id bigint NOT NULL,
    through_id bigint NOT NULL,
    balance_fen bigint NOT NULL,
    lane smallint NOT NULL,
    PRIMARY KEY (account_id, lane)
);
CREATE TABLE ledger.checkpoint_run (
    lane smallint PRIMARY KEY,
    through_id bigint NOT NULL,
    made_at timestamptz NOT NULL
);

-- What a row of a batch needs beyond its first leg: the rest from a second purse, a debt, or a debt repaid.
CREATE TYPE ledger.extra_legs AS (
    id bigint, terminal_id bigint, terminal_seq bigint, card_no bigint, account_no bigint, merchant bigint,
    second_unit int, second_fen bigint, debt_fen bigint, repaid_fen bigint,
    occurred_at timestamptz, business_date date, operator_id int, meal smallint, op smallint, has_first boolean
);

CREATE TABLE ledger.deny_list (
    card_no bigint NOT NULL,
    reason smallint NOT NULL, -- 1 debt, 2 lost, 3 frozen
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (card_no, reason)
);

-- Offline records that nobody can be charged for: a person decides.
CREATE TABLE ledger.quarantine (
    terminal_id bigint NOT NULL,
    terminal_seq bigint NOT NULL,
    card_no bigint,
    merchant bigint,
    amount_fen bigint,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    business_date date NOT NULL,
    code smallint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (terminal_id, terminal_seq)
);

-- Where bulk opening is copied to: filled by COPY, emptied by ledger.open_accounts. Unlogged: a load that was cut off is copied again.
CREATE UNLOGGED TABLE ledger.opening_row (
    job bigint NOT NULL,
    account_no bigint NOT NULL,
    card_no bigint NOT NULL,
    holder_id bigint,
    public_fen bigint CHECK (public_fen >= 0),    -- NULL: no public purse
    private_fen bigint CHECK (private_fen >= 0),
    private_unit int CHECK (private_unit > 0),    -- NULL: no private purse
    operator_id int NOT NULL,
    unit_id int NOT NULL DEFAULT 0,
    card_type_id int NOT NULL,
    valid_until date,
    medium smallint NOT NULL DEFAULT 1,
    card_status smallint NOT NULL DEFAULT 1,
    lane smallint GENERATED ALWAYS AS (account_no / 10000000000 % 100) STORED,
    PRIMARY KEY (job, lane, account_no)
);

-- How far the auditor has found everything in order: a quick audit begins here.
CREATE TABLE ledger.audit_mark (
    lane smallint PRIMARY KEY,
    batch_no bigint NOT NULL,
    through_id bigint NOT NULL,
    audited_at timestamptz NOT NULL DEFAULT now()
);
