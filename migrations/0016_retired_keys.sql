-- A signing key is retired once: what signed is erased, what verifies stays as it is for ever.
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_retired_sign_nothing
    CHECK (retired_at IS NULL OR (length(sealed) = 0 AND sealed_with = ''));

CREATE FUNCTION signing_keys_change_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.retired_at IS NOT NULL
        OR (NEW.id, NEW.name, NEW.public_key, NEW.created_at)
            IS DISTINCT FROM (OLD.id, OLD.name, OLD.public_key, OLD.created_at) THEN
        RAISE EXCEPTION 'a signing key is retired, and changes in no other way';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signing_keys_change_once BEFORE UPDATE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION signing_keys_change_once();
CREATE TRIGGER signing_keys_are_all_kept BEFORE TRUNCATE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION the_record_is_final();
