-- The good rows of a range become holders. Parameters: job, operator, first, last.
INSERT INTO people_holder (id, operator_id, unit_id, department_id, name, anonymous, document_type, document_hash, document_last4,
                           staff_no, gender, phone, state, created_at, registered_at)
SELECT holder_id, %(operator)s, unit_id, department_id, name, false, document_type, document_hash, document_last4, staff_no, gender, phone,
       'active', now(), now()
  FROM people_load_row
 WHERE job_id = %(job)s AND row_no BETWEEN %(first)s AND %(last)s AND problems = '{}'
 ORDER BY row_no
