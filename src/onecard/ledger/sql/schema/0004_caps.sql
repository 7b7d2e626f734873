-- What the ledger must know of the law where money is put in; services.people keeps both in step.

-- The most a purse may hold after a top-up, from a day on; 0 is no cap.
CREATE TABLE ledger.legal_cap (
    valid_from date PRIMARY KEY,
    anonymous_fen bigint NOT NULL CHECK (anonymous_fen >= 0),
    registered_fen bigint NOT NULL CHECK (registered_fen >= 0)
);

-- Holders without a name. An account of nobody is anonymous too.
CREATE TABLE ledger.anonymous_holder (
    holder_id bigint PRIMARY KEY
);
