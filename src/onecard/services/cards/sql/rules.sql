-- What was promised stands (C5): rules that have begun are not changed or taken away. And what has happened to a card stands too.

CREATE FUNCTION cards_keep_rules() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.valid_from <= (now() AT TIME ZONE 'Asia/Shanghai')::date THEN
        PERFORM cards_refuse('card_rules_begun', format('rules of card type %s from %s have begun', OLD.card_type_id, OLD.valid_from));
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER keep_rules BEFORE UPDATE OR DELETE ON cards_cardtyperules FOR EACH ROW EXECUTE FUNCTION cards_keep_rules();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cards_lifeevent
    FOR EACH STATEMENT EXECUTE FUNCTION cards_append_only();
-- Cards are never forgotten.
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON cards_card FOR EACH STATEMENT EXECUTE FUNCTION cards_append_only();
