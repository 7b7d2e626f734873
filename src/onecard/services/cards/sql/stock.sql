-- Stock (C1): every serial in one place by construction, moved by documents only, held to the issuing mode (O2).
-- A refusal is a check_violation that carries a constraint name; errors.py turns the name into rule and words.

-- One constraint over all places and all card types: a serial that is anywhere is nowhere else, whoever writes.
ALTER TABLE cards_stockrange ADD CONSTRAINT stock_one_place EXCLUDE USING gist (int8range(first, last, '[]') WITH &&);
ALTER TABLE cards_stockmovement ADD COLUMN quantity bigint GENERATED ALWAYS AS (last - first + 1) STORED;
-- Who carried a serial when (the time line) is found by range.
CREATE INDEX stock_movement_serials ON cards_stockmovement USING gist (int8range(first, last, '[]'));

INSERT INTO cards_stockplace (kind, name) VALUES ('centre', ''), ('work', ''), ('issued', ''), ('scrapped', '');

CREATE FUNCTION cards_refuse(p_constraint text, p_message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = p_constraint, MESSAGE = p_message;
END $$;

-- The application changes these tables through the functions below, which run as the owner, and in no other way.
CREATE FUNCTION cards_functions_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% is changed by its functions only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER functions_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON cards_stockrange
    FOR EACH STATEMENT EXECUTE FUNCTION cards_functions_only();
CREATE TRIGGER functions_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON cards_stocklevel
    FOR EACH STATEMENT EXECUTE FUNCTION cards_functions_only();
CREATE TRIGGER functions_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON cards_claim
    FOR EACH STATEMENT EXECUTE FUNCTION cards_functions_only();
CREATE TRIGGER functions_only BEFORE INSERT ON cards_stockmovement
    FOR EACH STATEMENT EXECUTE FUNCTION cards_functions_only();

-- The owner included: a wrong movement is put right by another one.
CREATE FUNCTION cards_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '只许追加，不许% / append only: % on % refused', TG_OP, TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cards_stockmovement
    FOR EACH STATEMENT EXECUTE FUNCTION cards_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cards_stockdocument
    FOR EACH STATEMENT EXECUTE FUNCTION cards_append_only();

-- Which places a kind of document may name, beside the issuing mode.
CREATE FUNCTION cards_check_document() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_source text := (SELECT kind FROM cards_stockplace WHERE id = NEW.source_id);
    v_target text := (SELECT kind FROM cards_stockplace WHERE id = NEW.target_id);
BEGIN
    IF (CASE NEW.kind
        WHEN 'order' THEN v_source = 'supplier' AND v_target = 'centre'
        WHEN 'receipt' THEN v_source = 'supplier' AND v_target = 'centre'
        WHEN 'hand_over' THEN (v_source, v_target) IN (('centre', 'operator'), ('centre', 'unit'), ('operator', 'unit'))
        WHEN 'return' THEN (v_source, v_target) IN (('unit', 'operator'), ('unit', 'centre'), ('operator', 'centre'), ('centre', 'supplier'))
        WHEN 'scrap' THEN v_source IN ('centre', 'operator', 'unit') AND v_target = 'scrapped'
        WHEN 'claim' THEN v_source IN ('centre', 'operator', 'unit') AND v_target = 'work'
        WHEN 'unclaim' THEN v_source = 'work' AND v_target IN ('centre', 'operator', 'unit', 'scrapped')
        WHEN 'issue' THEN v_source = 'work' AND v_target = 'issued'
        WHEN 'unissue' THEN v_source = 'issued' AND v_target = 'scrapped'
        WHEN 'take_back' THEN v_source = 'issued' AND v_target = 'scrapped' OR v_source = 'scrapped' AND v_target = 'issued'
        ELSE false END) IS NOT TRUE THEN
        PERFORM cards_refuse('stock_route', format('%s: %s -> %s', NEW.kind, v_source, v_target));
    END IF;
    IF (v_source, v_target) = ('operator', 'unit') OR (v_source, v_target) = ('unit', 'operator') THEN
        IF NOT EXISTS (SELECT FROM cards_stockplace o, cards_stockplace u JOIN operators_unit n ON n.id = u.unit_id
                        WHERE o.kind = 'operator' AND u.kind = 'unit' AND n.operator_id = o.operator_id
                          AND (o.id, u.id) IN ((NEW.source_id, NEW.target_id), (NEW.target_id, NEW.source_id))) THEN
            PERFORM cards_refuse('stock_route', 'the unit is another operator''s');
        END IF;
    END IF;
    IF NEW.kind = 'receipt' AND NEW.order_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM cards_stockdocument d WHERE d.id = NEW.order_id AND d.kind = 'order' AND d.source_id = NEW.source_id) THEN
        PERFORM cards_refuse('stock_order', format('no order %s with this supplier', NEW.order_id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER check_document BEFORE INSERT ON cards_stockdocument FOR EACH ROW EXECUTE FUNCTION cards_check_document();

-- Whose place it is: an operator's own, or that of one of its units; NULL for the city's.
CREATE FUNCTION cards_place_operator(p_place int) RETURNS int
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(p.operator_id, u.operator_id) FROM cards_stockplace p LEFT JOIN operators_unit u ON u.id = p.unit_id WHERE p.id = p_place
$$;

-- O2: blanks of a card type go to an operator or its unit only where the type is allocated locally; and the operator may use it at all.
CREATE FUNCTION cards_check_mode(p_operator int, p_card_type int, p_needed text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_mode text;
BEGIN
    -- Held until the end of the transaction, so that the mode cannot change under an issue that rests on it.
    SELECT issuing_mode INTO v_mode FROM operators_operatorcardtype
     WHERE operator_id = p_operator AND card_type_id = p_card_type FOR SHARE;
    IF v_mode IS NULL THEN
        PERFORM cards_refuse('stock_type_not_allowed', format('operator %s may not use card type %s', p_operator, p_card_type));
    ELSIF v_mode <> p_needed THEN
        PERFORM cards_refuse('stock_mode_' || v_mode, format('operator %s, card type %s: %s', p_operator, p_card_type, v_mode));
    END IF;
END $$;

-- Takes p_first…p_last of a type out of a place; what lies beside stays. The level row is locked by the caller.
CREATE FUNCTION cards_take_range(p_place int, p_card_type int, p_first bigint, p_last bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_range cards_stockrange;
    v_found bigint := 0;
BEGIN
    FOR v_range IN DELETE FROM cards_stockrange r
                    WHERE int8range(r.first, r.last, '[]') && int8range(p_first, p_last, '[]') AND r.place_id = p_place AND r.card_type_id = p_card_type
                    RETURNING r.* LOOP
        v_found := v_found + least(v_range.last, p_last) - greatest(v_range.first, p_first) + 1;
        IF v_range.first < p_first THEN
            INSERT INTO cards_stockrange (place_id, card_type_id, first, last) VALUES (p_place, p_card_type, v_range.first, p_first - 1);
        END IF;
        IF v_range.last > p_last THEN
            INSERT INTO cards_stockrange (place_id, card_type_id, first, last) VALUES (p_place, p_card_type, p_last + 1, v_range.last);
        END IF;
    END LOOP;
    IF v_found <> p_last - p_first + 1 THEN
        PERFORM cards_refuse('stock_not_there', format('%s of %s cards %s-%s are in place %s', v_found, p_last - p_first + 1, p_first, p_last, p_place));
    END IF;
END $$;

-- Puts a range into a place, joined with its neighbours there. A serial that is in any place already breaks stock_one_place.
CREATE FUNCTION cards_put_range(p_place int, p_card_type int, p_first bigint, p_last bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_first bigint;
    v_last bigint;
BEGIN
    DELETE FROM cards_stockrange r USING (SELECT p_first - 1 AS at) n
     WHERE int8range(r.first, r.last, '[]') @> n.at AND r.last = n.at AND r.place_id = p_place AND r.card_type_id = p_card_type
    RETURNING r.first INTO v_first;
    DELETE FROM cards_stockrange r USING (SELECT p_last + 1 AS at) n
     WHERE int8range(r.first, r.last, '[]') @> n.at AND r.first = n.at AND r.place_id = p_place AND r.card_type_id = p_card_type
    RETURNING r.last INTO v_last;
    INSERT INTO cards_stockrange (place_id, card_type_id, first, last) VALUES (p_place, p_card_type, coalesce(v_first, p_first), coalesce(v_last, p_last));
END $$;

-- Moves the lines of a document, which names source and target. The rows of stock levels concerned are locked first, by type and
-- place: whoever moves the same type from or to the same place waits, so what is found in a place is still there when it is taken.
CREATE FUNCTION cards_move_stock(p_document bigint, p_types int[], p_firsts bigint[], p_lasts bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    d cards_stockdocument;
    v_outside_from boolean;
    v_outside_to boolean;
    v_operator int;
    l record;
BEGIN
    SELECT * INTO STRICT d FROM cards_stockdocument WHERE id = p_document;
    IF d.kind = 'order' OR EXISTS (SELECT FROM cards_stockmovement WHERE document_id = p_document) THEN
        PERFORM cards_refuse('stock_document_closed', format('document %s moves nothing (any more)', p_document));
    END IF;
    IF d.kind IN ('hand_over') THEN
        v_operator := cards_place_operator(d.target_id);
        PERFORM cards_check_mode(v_operator, t, 'local') FROM (SELECT DISTINCT unnest(p_types) AS t ORDER BY 1) x;
    END IF;
    v_outside_from := (SELECT kind = 'supplier' FROM cards_stockplace WHERE id = d.source_id);
    v_outside_to := (SELECT kind = 'supplier' FROM cards_stockplace WHERE id = d.target_id);
    INSERT INTO cards_stocklevel (place_id, card_type_id, quantity)
    SELECT p, t, 0 FROM unnest(p_types) t CROSS JOIN unnest(ARRAY[d.source_id, d.target_id]) p GROUP BY p, t ORDER BY t, p
    ON CONFLICT DO NOTHING;
    PERFORM FROM cards_stocklevel WHERE card_type_id = ANY (p_types) AND place_id IN (d.source_id, d.target_id)
      ORDER BY card_type_id, place_id FOR UPDATE;
    FOR l IN SELECT * FROM unnest(p_types, p_firsts, p_lasts) AS x (card_type, first, last) ORDER BY card_type, first LOOP
        IF NOT v_outside_from THEN
            PERFORM cards_take_range(d.source_id, l.card_type, l.first, l.last);
            UPDATE cards_stocklevel SET quantity = quantity - (l.last - l.first + 1) WHERE place_id = d.source_id AND card_type_id = l.card_type;
        END IF;
        IF NOT v_outside_to THEN
            PERFORM cards_put_range(d.target_id, l.card_type, l.first, l.last);
            UPDATE cards_stocklevel SET quantity = quantity + (l.last - l.first + 1) WHERE place_id = d.target_id AND card_type_id = l.card_type;
        END IF;
        IF d.order_id IS NOT NULL THEN
            UPDATE cards_orderline SET received = received + (l.last - l.first + 1) WHERE document_id = d.order_id AND card_type_id = l.card_type;
            IF NOT FOUND THEN
                PERFORM cards_refuse('stock_order', format('card type %s was not ordered', l.card_type));
            END IF;
        END IF;
        INSERT INTO cards_stockmovement (document_id, card_type_id, source_id, target_id, first, last)
        VALUES (p_document, l.card_type, d.source_id, d.target_id, l.first, l.last);
    END LOOP;
END $$;
-- What has come of an order is counted by receipts alone.
CREATE FUNCTION cards_protect_received() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.received := 0;
        RETURN NEW;
    END IF;
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION 'an order stands as it was made' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER protect_received BEFORE INSERT OR UPDATE OR DELETE ON cards_orderline
    FOR EACH ROW EXECUTE FUNCTION cards_protect_received();

-- Takes one blank for a personalisation: p_serial, or the next one of the place when it is NULL. The place is the city centre under
-- unified issuing; under local allocation the operator's own, or the unit's where one is given (O2). p_place asks for a particular one.
CREATE FUNCTION cards_claim_blank(p_operator int, p_unit int, p_card_type int, p_serial bigint, p_place int, p_job text, p_actor text,
                                  p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_place cards_stockplace;
    v_serial bigint := p_serial;
    v_document bigint;
    v_mode text;
BEGIN
    SELECT issuing_mode INTO v_mode FROM operators_operatorcardtype WHERE operator_id = p_operator AND card_type_id = p_card_type;
    IF p_place IS NULL AND v_mode = 'local' THEN
        SELECT * INTO v_place FROM cards_stockplace
         WHERE CASE WHEN p_unit IS NULL THEN kind = 'operator' AND operator_id = p_operator ELSE kind = 'unit' AND unit_id = p_unit END;
    ELSIF p_place IS NULL THEN
        SELECT * INTO v_place FROM cards_stockplace WHERE kind = 'centre';
    ELSE
        SELECT * INTO v_place FROM cards_stockplace WHERE id = p_place;
    END IF;
    PERFORM cards_check_mode(p_operator, p_card_type, CASE WHEN v_place.kind IS NOT DISTINCT FROM 'centre' THEN 'unified' ELSE 'local' END);
    IF v_place.id IS NULL THEN
        PERFORM cards_refuse('stock_not_there', format('operator %s, unit %s has no stock', p_operator, p_unit));
    ELSIF v_place.kind <> 'centre' AND cards_place_operator(v_place.id) IS DISTINCT FROM p_operator THEN
        PERFORM cards_refuse('stock_other_operator', format('place %s is not of operator %s', v_place.id, p_operator));
    END IF;
    PERFORM FROM cards_stocklevel WHERE card_type_id = p_card_type AND place_id IN (v_place.id, (SELECT id FROM cards_stockplace WHERE kind = 'work'))
      ORDER BY card_type_id, place_id FOR UPDATE;
    IF v_serial IS NULL THEN
        SELECT r.first INTO v_serial FROM cards_stockrange r WHERE r.place_id = v_place.id AND r.card_type_id = p_card_type ORDER BY r.first LIMIT 1;
        IF v_serial IS NULL THEN
            PERFORM cards_refuse('stock_not_there', format('no card of type %s in place %s', p_card_type, v_place.id));
        END IF;
    END IF;
    INSERT INTO cards_stockdocument (kind, source_id, target_id, actor, reason, made_at)
    VALUES ('claim', v_place.id, (SELECT id FROM cards_stockplace WHERE kind = 'work'), p_actor, left(p_job, 200), p_at) RETURNING id INTO v_document;
    PERFORM cards_move_stock(v_document, ARRAY[p_card_type], ARRAY[v_serial], ARRAY[v_serial]);
    INSERT INTO cards_claim (serial, card_type_id, operator_id, place_id, job, actor, claimed_at)
    VALUES (v_serial, p_card_type, p_operator, v_place.id, left(p_job, 100), p_actor, p_at);
    RETURN v_serial;
END $$;

-- Ends a claim: 'issue' (the blank is a card now), 'unclaim' (back where it came from) or 'scrap'.
CREATE FUNCTION cards_end_claim(p_serial bigint, p_how text, p_actor text, p_reason text, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c cards_claim;
    v_document bigint;
    v_work int := (SELECT id FROM cards_stockplace WHERE kind = 'work');
    v_target int;
BEGIN
    ASSERT p_how IN ('issue', 'unclaim', 'scrap');
    DELETE FROM cards_claim WHERE serial = p_serial RETURNING * INTO c;
    IF c.serial IS NULL THEN
        PERFORM cards_refuse('stock_not_claimed', format('card %s is not claimed', p_serial));
    END IF;
    v_target := CASE p_how WHEN 'issue' THEN (SELECT id FROM cards_stockplace WHERE kind = 'issued')
                           WHEN 'scrap' THEN (SELECT id FROM cards_stockplace WHERE kind = 'scrapped') ELSE c.place_id END;
    INSERT INTO cards_stockdocument (kind, source_id, target_id, actor, reason, made_at)
    VALUES (CASE p_how WHEN 'issue' THEN 'issue' ELSE 'unclaim' END, v_work, v_target, p_actor, left(p_reason, 200), p_at) RETURNING id INTO v_document;
    PERFORM cards_move_stock(v_document, ARRAY[c.card_type_id], ARRAY[p_serial], ARRAY[p_serial]);
    RETURN v_document;
END $$;

-- Proves the double entry: the first place and type in which ranges, level and the sum of movements differ; no row where all agree.
CREATE FUNCTION cards_check_stock() RETURNS TABLE (place_id int, card_type_id int, moved bigint, ranged bigint, counted bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    WITH moved AS (
        SELECT x.place, m.card_type_id AS type, sum(x.n)::bigint AS n FROM cards_stockmovement m
         CROSS JOIN LATERAL (VALUES (m.target_id, m.quantity), (m.source_id, -m.quantity)) x (place, n) GROUP BY 1, 2
    ), ranged AS (
        SELECT r.place_id AS place, r.card_type_id AS type, sum(r.last - r.first + 1)::bigint AS n FROM cards_stockrange r GROUP BY 1, 2
    ), counted AS (
        SELECT l.place_id AS place, l.card_type_id AS type, l.quantity AS n FROM cards_stocklevel l
    )
    SELECT place, type, coalesce(m.n, 0), coalesce(r.n, 0), coalesce(c.n, 0)
      FROM moved m FULL JOIN ranged r USING (place, type) FULL JOIN counted c USING (place, type)
     WHERE (coalesce(m.n, 0), coalesce(m.n, 0)) <> (coalesce(r.n, 0), coalesce(c.n, 0))
       AND place NOT IN (SELECT id FROM cards_stockplace WHERE kind = 'supplier')
     ORDER BY 1, 2
$$;
