-- 流水区间首尾相接 / windows of a lane follow one another without gap or overlap
SELECT 'lane ' || w.lane, coalesce(p.through_id, 0), w.from_id
  FROM settlement_settlementwindow w
  LEFT JOIN LATERAL (SELECT max(v.through_id) AS through_id FROM settlement_settlementwindow v
                      WHERE v.lane = w.lane AND v.run_id < w.run_id) p ON true
 WHERE w.run_id = %(run)s AND w.from_id <> coalesce(p.through_id, 0)
 ORDER BY w.lane LIMIT 1
