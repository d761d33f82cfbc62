-- Who can act: principals, their roles, their API tokens; and the teams that own things.
-- Text columns with CHECK instead of enums: a value can be added without a lock that stops the old binary.

CREATE TABLE principals (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('human', 'machine')),
    issuer      text NOT NULL CHECK (issuer <> ''),
    subject     text NOT NULL CHECK (subject <> ''),
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (issuer, subject)
);

CREATE TABLE teams (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_tokens (
    id            uuid PRIMARY KEY,
    principal_id  uuid NOT NULL REFERENCES principals,
    name          text NOT NULL,
    hash          bytea NOT NULL UNIQUE,
    roles         text[] NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_tokens_of_principal ON api_tokens (principal_id, id DESC);
