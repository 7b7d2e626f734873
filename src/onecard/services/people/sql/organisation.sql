-- Departments stay inside their unit and in no circle; a holder's department is of the holder's unit.
ALTER TABLE people_department ADD CONSTRAINT department_parent_unit
    FOREIGN KEY (parent_id, unit_id) REFERENCES people_department (id, unit_id);
ALTER TABLE people_holder ADD CONSTRAINT holder_department_unit
    FOREIGN KEY (department_id, unit_id) REFERENCES people_department (id, unit_id);

CREATE FUNCTION people_refuse_circle() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Two moves at once could close a circle that neither sees: one unit's moves go one after the other.
    PERFORM FROM operators_unit WHERE id = NEW.unit_id FOR NO KEY UPDATE;
    IF EXISTS (WITH RECURSIVE above AS (
                   SELECT d.id, d.parent_id FROM people_department d WHERE d.id = NEW.parent_id
                   UNION
                   SELECT d.id, d.parent_id FROM people_department d JOIN above a ON d.id = a.parent_id)
               SELECT FROM above WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'department % would stand below itself', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'department_no_circle';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refuse_circle AFTER UPDATE OF parent_id ON people_department
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION people_refuse_circle();

ALTER TABLE people_holderphoto ADD CONSTRAINT holder_photo_bytes CHECK (octet_length(content) BETWEEN 1 AND 204800);
-- A picture is compressed already.
ALTER TABLE people_holderphoto ALTER COLUMN content SET STORAGE EXTERNAL;
