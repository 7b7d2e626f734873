-- Chip purses: their rows, and the numbers that tell them from purses and book accounts.

-- The chip purse of a card, made at its first use, under the lane lock. NULL where there is no such card.
CREATE OR REPLACE FUNCTION ledger.lock_chip_purse(p_card bigint) RETURNS ledger.chip_purse
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_purse ledger.chip_purse;
BEGIN
    PERFORM FROM ledger.lane WHERE lane = p_card / 10000000000 % 100 FOR UPDATE;
    INSERT INTO ledger.chip_purse (card_no, account_no, lane)
    SELECT c.card_no, c.account_no, c.card_no / 10000000000 % 100 FROM ledger.card c WHERE c.card_no = p_card
        ON CONFLICT DO NOTHING;
    SELECT * INTO v_purse FROM ledger.chip_purse WHERE card_no = p_card;
    RETURN v_purse;
END $$;

-- Makes the chip purse of a card, at zero; one that is there stays as it is.
CREATE OR REPLACE FUNCTION ledger.open_chip_purse(p_card bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (ledger.lock_chip_purse(p_card)).card_no IS NULL THEN
        RAISE EXCEPTION '无此卡 / no such card: %', p_card USING ERRCODE = 'no_data_found';
    END IF;
END $$;

-- Holds a lane until the caller's transaction ends, for those who read the state of its chips before they post.
CREATE OR REPLACE FUNCTION ledger.hold_lane(p_lane smallint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM ledger.lane WHERE lane = p_lane FOR UPDATE;
END $$;
