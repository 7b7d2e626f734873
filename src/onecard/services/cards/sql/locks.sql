-- Locks, in the one order of movements, the stock levels that an issue, a taking back or their undo will move these serials between: work,
-- issued and scrapped, of the types they lie under. Taken before the ledger's lane, which every desk and every terminal of the lane wants.
CREATE FUNCTION cards_lock_levels(p_serials bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_types int[] := ARRAY(SELECT DISTINCT r.card_type_id FROM cards_stockrange r JOIN unnest(p_serials) s ON int8range(r.first, r.last, '[]') @> s);
BEGIN
    PERFORM FROM cards_stocklevel l
      WHERE l.card_type_id = ANY (v_types) AND l.place_id IN (SELECT id FROM cards_stockplace WHERE kind IN ('work', 'issued', 'scrapped'))
      ORDER BY l.card_type_id, l.place_id FOR UPDATE;
END $$;
