-- A batch in which an account or a key stands twice, cut into runs where each stands once, posted one after the other.

CREATE OR REPLACE FUNCTION ledger.post_in_turns(
    p_lane smallint, p_op bigint[], p_terminal bigint[], p_seq bigint[], p_card bigint[], p_merchant bigint[], p_unit bigint[],
    p_purse_order bigint[], p_amount bigint[], p_occurred_us bigint[], p_business_date bigint[], p_meal bigint[],
    p_orig_terminal bigint[], p_orig_seq bigint[], p_precheck bigint[],
    OUT o_code bigint[], OUT o_balance bigint[], OUT o_transfer bigint[], OUT o_field bigint[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_before bigint[]; -- per row: the nearest earlier row of its account or key, 0 for none
    v_from int := 1;
    a record;
BEGIN
    SELECT array_agg(before ORDER BY ord) INTO v_before
      FROM (SELECT ord, greatest(lag(ord, 1, 0) OVER (PARTITION BY coalesce(c.account_no, -i.card) ORDER BY ord),
                                 lag(ord, 1, 0) OVER (PARTITION BY terminal, seq ORDER BY ord)) AS before
              FROM unnest(p_terminal, p_seq, p_card) WITH ORDINALITY i(terminal, seq, card, ord)
              LEFT JOIN ledger.card c ON c.card_no = i.card) q;
    FOR n IN 2..cardinality(v_before) + 1 LOOP
        IF n > cardinality(v_before) OR v_before[n] >= v_from THEN
            SELECT * INTO a
              FROM ledger.post_batch(p_lane, p_op[v_from:n-1], p_terminal[v_from:n-1], p_seq[v_from:n-1], p_card[v_from:n-1],
                                     p_merchant[v_from:n-1], p_unit[v_from:n-1], p_purse_order[v_from:n-1], p_amount[v_from:n-1],
                                     p_occurred_us[v_from:n-1], p_business_date[v_from:n-1], p_meal[v_from:n-1],
                                     p_orig_terminal[v_from:n-1], p_orig_seq[v_from:n-1], p_precheck[v_from:n-1]);
            o_code := o_code || a.o_code;
            o_balance := o_balance || a.o_balance;
            o_transfer := o_transfer || a.o_transfer;
            o_field := o_field || a.o_field;
            v_from := n;
        END IF;
    END LOOP;
END $$;
