-- Going on without a gate, in an emergency, and the reviews that follow.

-- Never changed or deleted: who took what on themselves, and why.
CREATE TABLE overrides (
    id             uuid PRIMARY KEY,
    deployment_id  uuid NOT NULL REFERENCES deployments,
    gate           text NOT NULL,
    -- Whether it was asked for with the deployment, for every gate that policies let go.
    break_glass    boolean NOT NULL,
    principal_id   uuid NOT NULL REFERENCES principals,
    justification  text NOT NULL,
    incident       text NOT NULL,
    at             timestamptz NOT NULL DEFAULT now(),
    UNIQUE (deployment_id, gate)
);

CREATE TABLE reviews (
    id             uuid PRIMARY KEY,
    deployment_id  uuid NOT NULL UNIQUE REFERENCES deployments,
    because        text NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    findings       text,
    closed_by      uuid REFERENCES principals,
    closed_at      timestamptz,
    revision       bigint NOT NULL DEFAULT 1,
    CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (findings IS NULL))
);
CREATE INDEX reviews_open ON reviews (id DESC) WHERE closed_at IS NULL;
