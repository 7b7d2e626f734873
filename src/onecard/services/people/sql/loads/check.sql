-- Marks rows whose document or staff number stands in another row (the first good one keeps it), or on the platform.
-- Parameters: job, operator.
WITH wrong AS (
    SELECT row_no, array_agg(problem ORDER BY problem) AS problems
      FROM (
        SELECT row_no, 'document_no:twice_in_file' AS problem
          FROM (SELECT row_no, row_number() OVER (PARTITION BY document_hash ORDER BY problems <> '{}', row_no) AS place
                  FROM people_load_row WHERE job_id = %(job)s AND document_hash IS NOT NULL) d
         WHERE place > 1
        UNION ALL
        SELECT row_no, 'staff_no:twice_in_file'
          FROM (SELECT row_no, row_number() OVER (PARTITION BY unit_id, staff_no ORDER BY problems <> '{}', row_no) AS place
                  FROM people_load_row WHERE job_id = %(job)s AND staff_no <> '' AND unit_id IS NOT NULL) s
         WHERE place > 1
        UNION ALL
        SELECT r.row_no, 'document_no:on_platform'
          FROM people_load_row r
          JOIN people_holder h ON h.operator_id = %(operator)s AND h.document_hash = r.document_hash AND h.state = 'active'
         WHERE r.job_id = %(job)s
        UNION ALL
        SELECT r.row_no, 'staff_no:on_platform'
          FROM people_load_row r
          JOIN people_holder h ON h.unit_id = r.unit_id AND h.staff_no = r.staff_no AND h.staff_no <> '' AND h.state = 'active'
         WHERE r.job_id = %(job)s
      ) p
     WHERE NOT EXISTS (SELECT FROM people_load_row o WHERE o.job_id = %(job)s AND o.row_no = p.row_no AND p.problem = ANY (o.problems))
     GROUP BY row_no)
UPDATE people_load_row r SET problems = r.problems || wrong.problems
  FROM wrong WHERE r.job_id = %(job)s AND r.row_no = wrong.row_no
