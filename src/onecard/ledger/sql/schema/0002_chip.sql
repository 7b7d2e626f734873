-- The shadow accounts of chip purses (P5): what the records that have come in say is inside each chip.
-- The number of a chip purse in the journal is the card number itself: above every book account, below every purse.

CREATE TABLE ledger.chip_purse (
    card_no bigint PRIMARY KEY CHECK (card_no BETWEEN 1000000000000000 AND 9999999999999999),
    account_no bigint NOT NULL,
    balance_fen bigint NOT NULL DEFAULT 0, -- may be below zero: the chip is authoritative, and records come in any order
    seq bigint NOT NULL DEFAULT 0,
    last_transfer_id bigint,
    opened_at timestamptz NOT NULL DEFAULT now(),
    lane smallint NOT NULL,
    CHECK (lane = card_no / 10000000000 % 100)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX chip_purse_account ON ledger.chip_purse (account_no);

-- A tap without a charge is a record of the chip too.
ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_check;
ALTER TABLE ledger.transfer ADD CONSTRAINT transfer_check CHECK (amount_fen > 0 OR amount_fen = 0 AND kind IN (2, 7, 9, 10, 13));
