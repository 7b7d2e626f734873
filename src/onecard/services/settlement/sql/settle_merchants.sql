-- What each merchant gets. Private-purse money of an independent operator's unit stays with the unit (S2): reported, without
-- a fee. Fee = floor((platform money * per mille + items * per item * 1000 + carry in) / 1000) fen; what the floor leaves,
-- 0 to 999 thousandths of a fen, is carried to the merchant's next run. The floor also holds for negative days.
DELETE FROM settlement_merchantsettlement WHERE run_id = %(run)s;

WITH merchant AS (
  SELECT l.merchant_id, m.unit_id, m.operator_id, m.share_per_mille, o.root, m.fee_per_mille, m.fee_per_item_fen,
         sum(l.signed_fen)::bigint AS gross_fen,
         coalesce(sum(l.signed_fen) FILTER (WHERE NOT l.kept), 0)::bigint AS platform_fen,
         coalesce(sum(l.signed_fen) FILTER (WHERE l.kept), 0)::bigint AS retained_fen,
         coalesce(sum(l.item_count) FILTER (WHERE NOT l.kept), 0)::bigint AS item_count
    FROM settlement_merchant_line l
    JOIN settlement_party m ON m.run_id = l.run_id AND m.level = 2 AND m.party_id = l.merchant_id
    JOIN settlement_party o ON o.run_id = l.run_id AND o.level = 4 AND o.party_id = m.operator_id
   WHERE l.run_id = %(run)s
   GROUP BY l.merchant_id, m.unit_id, m.operator_id, m.share_per_mille, o.root, m.fee_per_mille, m.fee_per_item_fen
), due AS (
  SELECT m.*, c.carry_in,
         m.platform_fen * m.fee_per_mille + m.item_count * m.fee_per_item_fen * 1000 + c.carry_in AS millifen
    FROM merchant m
   CROSS JOIN LATERAL (SELECT coalesce((SELECT p.carry_out_millifen FROM settlement_merchantsettlement p
                                         WHERE p.merchant_id = m.merchant_id AND p.run_id < %(run)s
                                         ORDER BY p.run_id DESC LIMIT 1), 0) AS carry_in) c
), fee AS (
  SELECT d.*, mod(mod(millifen, 1000) + 1000, 1000) AS carry_out,
         (millifen - mod(mod(millifen, 1000) + 1000, 1000)) / 1000 AS fee_fen
    FROM due d
), shared AS (
  SELECT f.*, CASE WHEN root THEN fee_fen ELSE floor(fee_fen::numeric * share_per_mille / 1000)::bigint END AS operator_fee_fen
    FROM fee f
)
INSERT INTO settlement_merchantsettlement (run_id, merchant_id, unit_id, operator_id, gross_fen, platform_fen, retained_fen, item_count,
                                           carry_in_millifen, fee_fen, carry_out_millifen, operator_fee_fen, root_fee_fen, net_fen)
SELECT %(run)s, merchant_id, unit_id, operator_id, gross_fen, platform_fen, retained_fen, item_count,
       carry_in, fee_fen, carry_out, operator_fee_fen, fee_fen - operator_fee_fen, platform_fen - fee_fen
  FROM shared;

UPDATE settlement_settlementrun r
   SET gross_fen = m.gross_fen, fee_fen = m.fee_fen
  FROM (SELECT coalesce(sum(gross_fen), 0) AS gross_fen, coalesce(sum(fee_fen), 0) AS fee_fen
          FROM settlement_merchantsettlement WHERE run_id = %(run)s) m
 WHERE r.id = %(run)s;
