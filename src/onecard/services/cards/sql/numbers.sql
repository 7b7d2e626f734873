-- Card and account numbers, unique by construction: a sequence a lane for each, whatever the issuer's prefix. Their first value lies
-- above the serials that the demonstration city and replayed files plan for themselves, their last one below those of bulk loading
-- (people/sql/loads.sql).

DO $$
BEGIN
    FOR n IN 0..63 LOOP
        EXECUTE format('CREATE SEQUENCE cards_card_serial_%s MINVALUE 700000001 MAXVALUE 849999999', lpad(n::text, 2, '0'));
        EXECUTE format('CREATE SEQUENCE cards_account_serial_%s MINVALUE 700000001 MAXVALUE 849999999', lpad(n::text, 2, '0'));
    END LOOP;
END $$;
-- Whose turn it is: accounts go round the lanes.
CREATE SEQUENCE cards_account_turn;
