-- Who is asked for approval: groups, who decides for whom, and who is away.

CREATE TABLE groups (
    id           uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    description  text NOT NULL DEFAULT '',
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE group_members (
    group_id      uuid NOT NULL REFERENCES groups,
    principal_id  uuid NOT NULL REFERENCES principals,
    added_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, principal_id)
);
CREATE INDEX group_members_of_principal ON group_members (principal_id);

-- The group that is asked at the end, when nobody else answered for the service.
ALTER TABLE services ADD COLUMN escalation_group text;

-- Never deleted, and never dated back: what was decided by one must be explained by it for ever.
CREATE TABLE delegations (
    id              uuid PRIMARY KEY,
    from_id         uuid NOT NULL REFERENCES principals,
    to_id           uuid NOT NULL REFERENCES principals,
    starts          timestamptz NOT NULL,
    ends            timestamptz NOT NULL CHECK (ends > starts),
    team_id         uuid REFERENCES teams,
    environment_id  uuid REFERENCES environments,
    approval_id     uuid REFERENCES approvals,
    reason          text NOT NULL,
    revoked_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (from_id <> to_id),
    -- For one thing, or for everything.
    CHECK (num_nonnulls(team_id, environment_id, approval_id) <= 1)
);
CREATE INDEX delegations_from ON delegations (from_id, id DESC);
CREATE INDEX delegations_to ON delegations (to_id, id DESC);

-- One that ends early gets another end: who was asked in between follows from it.
CREATE TABLE absences (
    id            uuid PRIMARY KEY,
    principal_id  uuid NOT NULL REFERENCES principals,
    starts        timestamptz NOT NULL,
    ends          timestamptz NOT NULL CHECK (ends >= starts),
    revision      bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX absences_of_principal ON absences (principal_id, id DESC);
