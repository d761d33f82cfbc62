-- Drift: who watches which cluster, what was found, and what is taken back by itself.

-- Executors that are there to watch. Gone when they do not say so again before their lease ends.
CREATE TABLE cluster_watchers (
    holder          text PRIMARY KEY CHECK (holder <> ''),
    cluster_labels  jsonb NOT NULL DEFAULT '{}',
    lease_until     timestamptz NOT NULL
);

-- Which of them watches a cluster: one at a time. A report names the fence, and touches nothing when it is stale.
CREATE SEQUENCE cluster_watch_fence;
CREATE TABLE cluster_watches (
    cluster_id   uuid PRIMARY KEY REFERENCES clusters,
    holder       text NOT NULL,
    fence        bigint NOT NULL,
    lease_until  timestamptz NOT NULL
);

CREATE TABLE drifts (
    id             uuid PRIMARY KEY,
    target_id      uuid NOT NULL REFERENCES targets,
    -- What ran there, and the generation that was judged.
    deployment_id  uuid NOT NULL REFERENCES deployments,
    generation     bigint NOT NULL,
    object         jsonb NOT NULL,
    -- Group, kind, namespace and name: what stays the same when an object moves to another version of its API.
    object_key     text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('changed', 'missing')),
    -- Without secrets.
    fields         jsonb NOT NULL DEFAULT '[]',
    omitted        int NOT NULL DEFAULT 0,
    problem        text,
    -- Who did it, where the object says; `changed_at` by the API server's clock.
    manager        text,
    operation      text,
    subresource    text,
    changed_at     timestamptz,
    seen_at        timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    -- Why it is not healed although the environment says so.
    left_alone     text,
    resolved_at    timestamptz,
    resolution     text CHECK (resolution IN ('reverted', 'healed', 'redeployed', 'retired')),
    revision       bigint NOT NULL DEFAULT 1,
    CHECK ((resolved_at IS NULL) = (resolution IS NULL)),
    CHECK ((manager IS NULL) = (operation IS NULL))
);
CREATE UNIQUE INDEX drifts_one_open_an_object ON drifts (target_id, object_key) WHERE resolved_at IS NULL;
CREATE INDEX drifts_of_object ON drifts (target_id, object_key, resolved_at);

-- A deployment that only brings back what runs: judged by fewer gates. Of kind `deploy` in the database; its work is of a
-- kind of its own, which a server that does not know it leaves in the queue.
ALTER TABLE deployments ADD COLUMN heals boolean NOT NULL DEFAULT false;
-- The objects that a heal takes back, also from other field managers.
ALTER TABLE deployment_targets ADD COLUMN heals jsonb;

CREATE INDEX deployment_targets_generation ON deployment_targets (target_id, generation);
CREATE INDEX deployments_heals ON deployments (service_id, environment_id, created_at) WHERE heals;
