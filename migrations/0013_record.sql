-- The record proves itself: a Merkle tree over the audit chain, its heads as they are signed, and the keys that sign.

-- Ed25519 keys of this installation. The private half is encrypted with the server's secret key, bound to the row.
CREATE TABLE signing_keys (
    id           uuid PRIMARY KEY,
    -- The name that it signs in: that of the installation's log.
    name         text NOT NULL CHECK (name <> ''),
    -- SubjectPublicKeyInfo, PEM.
    public_key   text NOT NULL UNIQUE,
    sealed       bytea NOT NULL,
    sealed_with  text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    retired_at   timestamptz
);
-- One of them signs.
CREATE UNIQUE INDEX signing_keys_one_signs ON signing_keys ((true)) WHERE retired_at IS NULL;

-- How far the tree has grown: one row.
CREATE TABLE audit_tree (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- The name of the log, different for each installation.
    origin    text NOT NULL,
    size      bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    -- Roots of the complete subtrees that it falls apart into, from the left: `sha256:…`.
    frontier  text[] NOT NULL DEFAULT '{}'
);
INSERT INTO audit_tree (origin) VALUES ('slipway/' || gen_random_uuid());

-- Roots of complete subtrees, from a certain level on: (level, position) covers the entries from position * 2^level + 1 on,
-- 2^level of them. Those below are made again of the entries.
CREATE TABLE audit_nodes (
    level     int NOT NULL CHECK (level BETWEEN 0 AND 63),
    position  bigint NOT NULL CHECK (position >= 0),
    hash      text NOT NULL,
    PRIMARY KEY (level, position)
);

-- Heads of the tree that were signed.
CREATE TABLE audit_checkpoints (
    size   bigint PRIMARY KEY CHECK (size > 0),
    root   text NOT NULL,
    -- C2SP tlog-checkpoint in a signed note.
    note   text NOT NULL,
    at     timestamptz NOT NULL
);

-- None of it ever changes, whoever writes.
CREATE FUNCTION the_record_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the record cannot be changed';
END $$;
CREATE TRIGGER audit_nodes_are_final BEFORE UPDATE OR DELETE ON audit_nodes
    FOR EACH ROW EXECUTE FUNCTION the_record_is_final();
CREATE TRIGGER audit_nodes_are_kept BEFORE TRUNCATE ON audit_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION the_record_is_final();
CREATE TRIGGER audit_checkpoints_are_final BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION the_record_is_final();
CREATE TRIGGER audit_checkpoints_are_kept BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION the_record_is_final();
CREATE TRIGGER signing_keys_are_kept BEFORE DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION the_record_is_final();

-- The tree only grows.
CREATE FUNCTION the_tree_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.size < OLD.size OR NEW.origin <> OLD.origin THEN
        RAISE EXCEPTION 'the tree over the audit chain only grows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER the_tree_only_grows BEFORE UPDATE OR DELETE ON audit_tree
    FOR EACH ROW EXECUTE FUNCTION the_tree_only_grows();
