-- 关联分录完整：要么全部，要么没有 / every linked set is whole: all of its legs or none
WITH sets AS (
    SELECT t.lane, t.link_id, count(*) AS legs, min(t.id) AS first_id, max(t.id) AS last_id,
           count(DISTINCT (t.terminal_id, t.terminal_seq)) AS owners, min(t.terminal_id) AS terminal_id, min(t.terminal_seq) AS terminal_seq
      FROM ledger.audit_span(%(full)s) s JOIN ledger.transfer t ON t.lane = s.lane AND t.id > s.from_id
     WHERE t.link_id IS NOT NULL
     GROUP BY t.lane, t.link_id
)
SELECT format('transfer %%s/%%s', s.lane, s.link_id) AS place, format('%%s linked legs', coalesce(k.legs, 2)) AS expected,
       format('%%s from %%s to %%s', s.legs, s.first_id, s.last_id) AS found
  FROM sets s
  LEFT JOIN ledger.posting_key k ON k.terminal_id = s.terminal_id AND k.terminal_seq = s.terminal_seq AND k.transfer_id = s.link_id
 WHERE s.first_id <> s.link_id OR s.legs < 2 OR s.last_id - s.first_id + 1 <> s.legs OR s.owners > 1 OR k.legs IS DISTINCT FROM s.legs
 ORDER BY s.lane, s.link_id
 LIMIT 1
