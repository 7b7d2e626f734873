-- The desk (C3): the deposit held for each card, and the numbers of the desk's own records.

-- Changed by ledger.post_desk and ledger.move_deposit only, under the lane lock; the auditor compares their sum with the deposit books.
CREATE TABLE ledger.card_deposit (
    card_no bigint PRIMARY KEY,
    operator_id int NOT NULL,
    deposit_fen bigint NOT NULL CHECK (deposit_fen >= 0)
);
CREATE SEQUENCE ledger.desk_seq;
