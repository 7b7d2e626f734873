-- What front-ends decide by while their line is down is read from the cards: which may not be used, and whose have changed (G3).

-- A publication reads the barred cards by this index and nothing of the others. An active card is not in it and costs it nothing.
CREATE INDEX card_barred ON ledger.card (card_no) WHERE denied OR status > 1 OR account_status > 1;

-- The change signal: written by triggers within the change, taken by ledger.take_list_changes(). Rows are only added, so that two
-- lanes never wait for one another here.
CREATE TABLE ledger.list_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id int NOT NULL,   -- whose cards file has changed; 0: of no unit
    barred boolean NOT NULL -- whether the deny list has changed
);
INSERT INTO ledger.list_change (unit_id, barred) VALUES (0, true);
