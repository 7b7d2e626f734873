-- Marks the good rows beyond the first %(room)s. Parameters: job, room.
UPDATE people_load_row r SET problems = r.problems || ARRAY['name:over_cap']
  FROM (SELECT row_no FROM people_load_row WHERE job_id = %(job)s AND problems = '{}' ORDER BY row_no OFFSET %(room)s) beyond
 WHERE r.job_id = %(job)s AND r.row_no = beyond.row_no
