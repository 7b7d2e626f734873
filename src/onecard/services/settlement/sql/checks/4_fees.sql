-- 手续费与余数分毫不差 / fee and carried remainder are exactly what the scheme asks for
SELECT 'merchant ' || s.merchant_id,
       s.platform_fen * m.fee_per_mille + s.item_count * m.fee_per_item_fen * 1000
         + coalesce((SELECT p.carry_out_millifen FROM settlement_merchantsettlement p
                      WHERE p.merchant_id = s.merchant_id AND p.run_id < s.run_id ORDER BY p.run_id DESC LIMIT 1), 0),
       s.fee_fen * 1000 + s.carry_out_millifen
  FROM settlement_merchantsettlement s
  JOIN settlement_party m ON m.run_id = s.run_id AND m.level = 2 AND m.party_id = s.merchant_id
 WHERE s.run_id = %(run)s
   AND (s.carry_out_millifen NOT BETWEEN 0 AND 999
        OR s.fee_fen * 1000 + s.carry_out_millifen <> s.platform_fen * m.fee_per_mille + s.item_count * m.fee_per_item_fen * 1000
         + coalesce((SELECT p.carry_out_millifen FROM settlement_merchantsettlement p
                      WHERE p.merchant_id = s.merchant_id AND p.run_id < s.run_id ORDER BY p.run_id DESC LIMIT 1), 0))
 ORDER BY s.merchant_id LIMIT 1
