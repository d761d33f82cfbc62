-- What happened: the audit chain, the events that are watched, and the answers kept for idempotency keys.

-- Written unnumbered in the transaction of the change; the sequencer numbers and chains committed entries.
CREATE TABLE audit_entries (
    id        uuid PRIMARY KEY,
    seq       bigint UNIQUE,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,
    action    text NOT NULL,
    subject   text NOT NULL,
    data      jsonb NOT NULL DEFAULT 'null',
    previous  text,
    digest    text,
    CHECK ((seq IS NULL) = (digest IS NULL) AND (seq IS NULL) = (previous IS NULL))
);
CREATE INDEX audit_entries_unchained ON audit_entries (at, id) WHERE seq IS NULL;

-- A chained entry never changes and none is ever removed, whoever writes.
CREATE FUNCTION audit_entries_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'TRUNCATE' OR OLD.seq IS NOT NULL
        OR (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.subject, NEW.data)
            IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.subject, OLD.data) THEN
        RAISE EXCEPTION 'the audit chain cannot be changed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entries_are_final BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_entries_are_final();
CREATE TRIGGER audit_entries_are_kept BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_final();

CREATE TABLE events (
    id              uuid PRIMARY KEY,
    seq             bigint UNIQUE,
    at              timestamptz NOT NULL DEFAULT now(),
    kind            text NOT NULL,
    message         text NOT NULL,
    actor           text NOT NULL,
    subject         text NOT NULL,
    team_id         uuid,
    service_id      uuid,
    environment_id  uuid,
    deployment_id   uuid,
    cluster         text,
    data            jsonb NOT NULL DEFAULT 'null'
);
CREATE INDEX events_unnumbered ON events (at, id) WHERE seq IS NULL;
CREATE INDEX events_of_deployment ON events (deployment_id, id) WHERE deployment_id IS NOT NULL;

CREATE TABLE idempotency_keys (
    principal_id  uuid NOT NULL,
    operation     text NOT NULL,
    key           text NOT NULL,
    body_sha256   bytea NOT NULL,
    status        int,
    headers       jsonb,
    body          bytea,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal_id, operation, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
