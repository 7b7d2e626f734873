-- A window a lane: what came after the last run's window, up to now. The lanes are locked, so nothing is posted in between.
-- An empty window is fine, and cleared as it is.
INSERT INTO settlement_settlementwindow (run_id, lane, from_id, through_id, cleared, transfer_count, amount_fen)
SELECT %(run)s, l.o_lane, f.from_id, l.o_last_id, l.o_last_id = f.from_id, 0, 0
  FROM ledger.lock_lanes() l
 CROSS JOIN LATERAL (SELECT coalesce((SELECT max(w.through_id) FROM settlement_settlementwindow w WHERE w.lane = l.o_lane), 0) AS from_id) f;
