-- What the report needs stays; people's data do not.
UPDATE people_load_row SET name = '', document_type = '', document_hash = NULL, document_last4 = '', staff_no = '', gender = '', phone = '',
                           public_fen = NULL, private_fen = NULL
 WHERE job_id = %(job)s AND problems <> '{}'
